"""The kernel's log from now on, and the settings without which lines are lost (assumption A10), for as long as a test
runs. They are the machine's: a lock keeps two tests from undoing each other's."""
import fcntl
import os
import select

SETTINGS = {"/proc/sys/net/netfilter/nf_log_all_netns": "1",   # packets of another network namespace than the first
            "/proc/sys/kernel/printk_ratelimit": "0"}          # lines of type 1326: ten in five seconds without it


class KernelLog:
    """`missing` says why nothing will be seen here, if so."""

    def __enter__(self):
        self.lock = open("/tmp/agp-kernel-log.lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.before, self.missing, self.fd = {}, "", None
        for path, value in SETTINGS.items():
            try:
                self.before[path] = open(path).read()
                open(path, "w").write(value)
            except OSError as e:
                self.missing = f"{path}: {e.strerror}"
        try:
            self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self.fd, 0, os.SEEK_END)
        except OSError as e:
            self.missing = f"/dev/kmsg: {e.strerror}"
        return self

    def __exit__(self, *_):
        for path, value in self.before.items():
            try:
                open(path, "w").write(value)
            except OSError:
                pass
        if self.fd is not None:
            os.close(self.fd)
        self.lock.close()

    def lines(self, part):
        """What came since the last call and has `part` in it."""
        out = []
        while select.select([self.fd], [], [], 0.2)[0]:
            try:
                record = os.read(self.fd, 9000).decode(errors="replace")
            except BlockingIOError:
                break
            except BrokenPipeError:   # overwritten before it was read
                continue
            text = record.split(";", 1)[-1].split("\n", 1)[0]
            if part in text:
                out.append(text)
        return out
