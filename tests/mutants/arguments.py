"""Oracle of the arguments of `podman run`, read a second time: from podman-run(1) of Podman 4.3 and what its containers show
in /proc/self/mountinfo, not from agp. What is left of a container is compared as a configuration's is (files.Container)."""
import files
from filters import Refused

REPEATED = {"mount", "tmpfs", "env", "cap-add", "cap-drop", "security-opt", "ulimit"}
DEVICES = ["/dev/" + name for name in ("full", "null", "random", "tty", "urandom", "zero")]
RUNTIME = [("/proc", "proc"), ("/sys", "sys"), ("/sys/fs/cgroup", "cgroup"), *((d, "device") for d in DEVICES),
           ("/dev/mqueue", "mqueue"), ("/dev/pts", "devpts"), *((f, "made") for f in (
               "/etc/group", "/etc/hostname", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf", "/run/.containerenv"))]
MASKED = ["/proc/" + name for name in ("acpi", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")]
VARIABLES = ["HOME", "HOSTNAME", "PATH", "TERM", "container"]


class Podman(files.Container):
    SECTIONS = {name: lambda c, n=name: c[n] for name in ("capabilities", "env", "process", "resources", "namespaces")}

    def __init__(self, data):
        try:
            words = data.decode().removesuffix("\n").split("\n")
            end = next(i for i, word in enumerate(words) if not word.startswith("--"))
            self.options = {}
            for word in words[:end]:
                name, _, value = word[2:].partition("=")
                self.options.setdefault(name, []).append(value)
            self.command = words[end:]
            self.whole = self.settings()
            self.masked, self.readonly = MASKED, []
            self.mounts = self.tree()
        except (StopIteration, ValueError, IndexError, KeyError, AttributeError) as e:
            raise Refused(repr(e)) from e

    def one(self, name, otherwise=None):
        return self.options.get(name, [otherwise])[-1]

    def settings(self):
        user = self.one("user")
        kept = set(self.options.get("cap-add", [])) | (set() if "ALL" in self.options.get("cap-drop", []) else {"Podman's own"})
        bounds = dict(v.split("=") for v in self.options.get("ulimit", []))
        pids = int(self.one("pids-limit", "2048"))
        processes = min(map(int, bounds.pop("nproc", "1048576:1048576").split(":")))
        bounds.pop("core", None)   # a file that nobody reads
        quota, period = int(self.one("cpu-quota", "0")), int(self.one("cpu-period", "0"))
        return {"capabilities": sorted(kept),
                "env": {k: v for k, _, v in (e.partition("=") for e in self.options.get("env", [])) if v or k not in VARIABLES},
                "process": [self.command, self.one("workdir", "/"), user, sorted(set(self.options.get("security-opt", []))),
                            "user" in self.options],
                "resources": [quota and quota / (period or 100000), max(pids, 0), bounds,
                              *(int(self.one(n, "0b")[:-1]) for n in ("memory", "memory-swap")),
                              processes if processes < max(32768, pids) else None],
                "namespaces": [self.one(n) for n in ("network", "ipc", "pull", "read-only", "read-only-tmpfs")] +
                              [self.one("cgroupns") == "private"]}

    def tree(self):
        """A mount hides what is above it, in whatever order the options stand; the runtime's own where there is none."""
        uid, gid = map(int, self.one("user").split(":"))
        out = {}
        for value in self.options.get("mount", []):
            words = value.split(",")
            named = dict(w.split("=", 1) for w in words if "=" in w)
            flags = {"ro": "readonly" in words, "noexec": "noexec" in words, "nodev": "nodev" in words}
            out[named["dst"]] = "bind", named["src"], flags, ()
        for value in self.options.get("tmpfs", []):
            target, words = value.split(":")[0], value.split(":")[1].split(",")
            named = dict(w.split("=", 1) for w in words if "=" in w)
            mode = int(named.get("mode", "1777"), 8)
            own = (mode >> 6 if uid == 0 else mode >> 3 if gid == 0 else mode) & 7
            flags = {"ro": "ro" in words, "noexec": "noexec" in words, "nodev": "nodev" in words}
            # nothing comes into one that can't be written
            out[target] = "tmpfs", "tmpfs", flags, (own, None if flags["ro"] else named.get("size"))
        for target, kind in RUNTIME:
            if target not in out and not (kind == "device" and "/dev" in out):
                out[target] = kind, kind, {}, ()
        return [(t, k, s, tuple(sorted(f.items())), rest)
                for t, (k, s, f, rest) in sorted(out.items(), key=lambda m: 0 if m[0] == "/" else m[0].count("/"))]

    def differs(self, other, witness):
        place = witness["artifact"].partition(" (")[2].rstrip(")")
        if place in self.SECTIONS:
            return self.section(place) != other.section(place)
        path = files.quoted(witness["action"])[1]
        users = self.one("user"), other.one("user")   # a tmpfs is root's
        return path is None or users[0] != users[1] or self.region(path) != other.region(path)
