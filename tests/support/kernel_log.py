"""The kernel's log from now on, and the settings without which lines are lost (assumption A10), for as long as a test
runs. They are the machine's: a lock keeps two tests from undoing each other's."""
import fcntl
import os
import select
import socket
import struct

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


class Audit:
    """The kernel's audit records in its log, and the records beside them for what the user UID calls, for as long as a
    test runs (include/uapi/linux/audit.h). Within a KernelLog, whose lock it needs; `missing` says why there are none."""
    GET, SET, ADD_RULE, DEL_RULE = 1000, 1001, 1011, 1012

    def __init__(self, uid):
        # struct audit_rule_data: at the exit of every call, always; one field, AUDIT_UID, AUDIT_EQUAL
        def row(first):
            return struct.pack("=64I", first, *[0] * 63)
        self.rule = struct.pack("=3I", 4, 2, 1) + b"\xff" * 256 + row(1) + row(uid) + row(0x40000000) + struct.pack("=I", 0)
        self.missing, self.enabled, self.ruled = "", None, False

    def ask(self, kind, data=b"", answers=False):
        """Acknowledged, or OSError; the data of the answer, which comes before or after that, if there is one."""
        self.socket.send(struct.pack("=IHHII", 16 + len(data), kind, 5, kind, 0) + data)
        answer, acknowledged = None, False
        while not acknowledged or (answers and answer is None):
            message = self.socket.recv(65536)
            if struct.unpack_from("=H", message, 4)[0] == 2:   # NLMSG_ERROR, which an acknowledgement is too
                code = -struct.unpack_from("=i", message, 16)[0]
                if code:
                    raise OSError(code, os.strerror(code))
                acknowledged = True
            else:
                answer = message[16:]
        return answer

    def set(self, enabled):
        self.ask(self.SET, struct.pack("=11I", 1, enabled, *[0] * 9))

    def __enter__(self):
        try:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)
            self.socket.settimeout(10)
            state = struct.unpack_from("=4I", self.ask(self.GET, answers=True))
            if state[1] == 2 or state[3]:
                self.missing = "audit is locked, or a daemon takes its records"
                return self
            self.set(1)
            self.enabled = state[1]
            self.ask(self.ADD_RULE, self.rule)
            self.ruled = True
        except OSError as e:
            self.missing = f"audit: {e.strerror or e}"
        return self

    def __exit__(self, *_):
        if self.ruled:
            self.ask(self.DEL_RULE, self.rule)
        if self.enabled is not None:
            self.set(self.enabled)
