"""Oracles of the arguments of `podman run` and `docker run`, read a second time: from podman-run(1) of Podman 4.3, docker-run(1)
of Docker 20.10 and what their containers show in /proc/self/mountinfo, not from agp. What is left of a container is compared
as a configuration's is (files.Container)."""
import files
from filters import Refused

REPEATED = {"mount", "tmpfs", "env", "cap-add", "cap-drop", "security-opt", "ulimit"}
DEVICES = ["/dev/" + name for name in ("full", "null", "random", "tty", "urandom", "zero")]
IN_DEV = [*((d, "device") for d in DEVICES), ("/dev/mqueue", "mqueue"), ("/dev/pts", "devpts")]


class Podman(files.Container):
    MASKED = ["/proc/" + name for name in ("acpi", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")]
    VARIABLES = ["HOME", "HOSTNAME", "PATH", "TERM", "container"]
    MADE = ["/etc/group", "/etc/hostname", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf", "/run/.containerenv"]
    PIDS = "2048"
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
            self.masked, self.readonly = self.MASKED, []
            self.mounts = self.tree()
        except (StopIteration, ValueError, IndexError, KeyError, AttributeError) as e:
            raise Refused(repr(e)) from e

    def one(self, name, otherwise=None):
        return self.options.get(name, [otherwise])[-1]

    def settings(self):
        user = self.one("user")
        kept = set(self.options.get("cap-add", [])) | (set() if "ALL" in self.options.get("cap-drop", []) else {"the engine's own"})
        bounds = dict(v.split("=") for v in self.options.get("ulimit", []))
        pids = int(self.one("pids-limit", self.PIDS))
        processes = min(map(int, bounds.pop("nproc", "1048576:1048576").split(":")))
        bounds.pop("core", None)   # a file that nobody reads
        quota, period = int(self.one("cpu-quota", "0")), int(self.one("cpu-period", "0"))
        return {"capabilities": sorted(kept),
                "env": {k: v for k, _, v in (e.partition("=") for e in self.options.get("env", [])) if v or k not in self.VARIABLES},
                "process": [self.command, self.one("workdir", "/"), user, sorted(set(self.options.get("security-opt", []))),
                            "user" in self.options],
                "resources": [quota and quota / (period or 100000), max(pids, 0), bounds,
                              *(int(self.one(n, "0b")[:-1]) for n in ("memory", "memory-swap")),
                              processes if processes < max(32768, pids) else None],
                "namespaces": [self.one(n) for n in ("network", "ipc", "pull", "read-only", "read-only-tmpfs")] +
                              [self.one("cgroupns") == "private"]}

    def bind(self, words):
        return {"ro": "readonly" in words, "noexec": "noexec" in words, "nodev": "nodev" in words}

    def noexec(self, words):
        """Of a tmpfs."""
        return "noexec" in words

    def own(self, said):
        """The engine's mounts, where the options have none."""
        dev = [] if "/dev" in said else [("/dev", "dev")]
        return [("/proc", "proc"), ("/sys", "sys"), ("/sys/fs/cgroup", "cgroup"), *dev,
                *(m for m in IN_DEV if dev or m[1] != "device"), *((f, "made") for f in self.MADE)]

    def tree(self):
        """A mount hides what is above it, in whatever order the options stand; the runtime's own where there is none."""
        uid, gid = map(int, self.one("user").split(":"))
        out = {}
        for value in self.options.get("mount", []):
            words = value.split(",")
            named = dict(w.split("=", 1) for w in words if "=" in w)
            out[named["dst"]] = "bind", named["src"], self.bind(words), ()
        for value in self.options.get("tmpfs", []):
            target, words = value.split(":")[0], value.split(":")[1].split(",")
            named = dict(w.split("=", 1) for w in words if "=" in w)
            mode = int(named.get("mode", "1777"), 8)
            own = (mode >> 6 if uid == 0 else mode >> 3 if gid == 0 else mode) & 7
            flags = {"ro": "ro" in words, "noexec": self.noexec(words), "nodev": "nodev" in words}
            # nothing comes into one that can't be written
            out[target] = "tmpfs", "tmpfs", flags, (own, None if flags["ro"] else named.get("size"))
        for target, kind in self.own(out):
            if target not in out:
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


class Docker(Podman):
    MASKED = ["/proc/asound", *Podman.MASKED]
    VARIABLES = ["HOME", "HOSTNAME", "PATH"]
    MADE = ["/.dockerenv", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"]
    PIDS = "0"

    def bind(self, words):
        if unknown := {w for w in words if "=" not in w} - {"readonly", "bind-nonrecursive"}:
            raise ValueError(f"{unknown}: no key=value pair")
        return {"ro": "readonly" in words, "noexec": False, "nodev": False}

    def noexec(self, words):
        return "exec" not in words

    def own(self, said):
        """Its own come first, so that what is mounted above one hides it; a mount at /dev replaces all that is in it."""
        return [(target, kind) for target, kind in super().own(said)
                if not ("/dev" in said and target.startswith("/dev/")) and not ("/sys" in said and kind == "cgroup")]
