"""Containers of Podman and Docker: a file of arguments, one a line, which `podman run` or `docker run` gets (podman-run(1)
of 4.3, docker-run(1) of 20.10), and what the engine adds where no option speaks. An option that is not understood here is
none that can be passed over: it may show, give or share anything. That the stack's `prepare` has made the empty image and
the files of the run directory is an assumption."""
import re

from .containers import EMPTY_ROOT, SETS, Container
from .formulas import Unusable
from .mounts import BUNDLE, NODES, Mount, canonical

STACK = {name: BUNDLE[name] for name in ("dev", "resolv.conf", "empty-file", "denied-directory", "denied-file")}
REPEATED = ("mount", "tmpfs", "env", "cap-add", "cap-drop", "security-opt", "ulimit")
MOST_PROCESSES = 32768                                                           # a bound on those of the whole host: PID_MAX_DEFAULT


class Podman:
    """What it mounts, makes, masks and sets by itself: tried with 4.3.1."""
    name, hostname, flags, on_top, pids, program, ambient = "Podman", True, True, True, 2048, True, True
    needed = {"pull": "never", "read-only": "true", "read-only-tmpfs": "false", "ipc": "none"}
    directories = ("/sys", "/sys/fs/cgroup")
    files = ("/etc/group", "/etc/hostname", "/etc/hosts", "/etc/passwd", "/etc/resolv.conf", "/run/.containerenv")
    masked = ("acpi", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")
    variables = ("HOME", "HOSTNAME", "PATH", "TERM", "container")

    def __init__(self, policy):
        self.image, self.directory = "localhost/agp-root:latest", "."

    def network(self, word):
        return word[3:] if word.startswith("ns:/") else None


class Docker:
    """Its binds have no flags, so that what they show can be executed; its tmpfs is `noexec` unless told otherwise; what
    is added of capabilities is in the bounding set of a user other than root alone: tried with 20.10.24."""
    name, hostname, flags, on_top, pids, program, ambient = "Docker", False, False, False, None, False, False
    needed = {"pull": "never", "read-only": "true", "ipc": "none"}
    directories = ("/sys",)
    files = ("/.dockerenv", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
    masked = ("acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")
    variables = ("HOME", "HOSTNAME", "PATH")

    def __init__(self, policy):
        self.image, self.directory = f"localhost/agp-root:{policy['policy']}", f"/var/lib/agp/{policy['policy']}"

    def network(self, word):
        """The one of the container that the stack has put into its namespace."""
        name = word.partition(":")[2]
        return f"/run/netns/{name}" if word == f"container:agp-{self.image.partition(':')[2]}" else None


def number(option, text):
    """63 bits; with a zero in front some options are octal to the engines, and others not."""
    if not re.fullmatch("0|[1-9][0-9]*", text, re.A) or int(text) >= 2 ** 63:
        raise Unusable(f"`{option}` has a value that is no plain number")
    return int(text)


def words(content):
    """Options end at the image, the first word that is none; what follows is the command."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unusable("the arguments are no UTF-8") from None
    if not text.endswith("\n") or "\0" in text:
        raise Unusable("the arguments' last line does not end, or there is a NUL in them")
    lines = text[:-1].split("\n")
    count = next((n for n, line in enumerate(lines) if not line.startswith("-")), len(lines))
    if count == len(lines):
        raise Unusable("the arguments name no image")
    return lines[:count], lines[count], lines[count + 1:]


class Reader:
    def __init__(self, engine, content):
        self.engine, self.out, self.single, self.lists = engine, Container(), {}, {name: [] for name in REPEATED}
        options, image, self.out.args = words(content)
        if image != engine.image:
            raise Unusable(f"the image `{image}` is not the empty one: its files are not decided here")
        for option in options:
            name, equals, value = ("--read-only=true" if option == "--read-only" else option).partition("=")
            if not equals:
                raise Unusable(f"`{option}` takes the next line for its value, or is not understood")
            if name[2:] in REPEATED:
                self.lists[name[2:]].append((option, value))
            elif name[2:] in self.single:
                raise Unusable(f"`{option}` stands there twice")
            else:
                self.single[name[2:]] = (option, value)
        for name, value in engine.needed.items():
            if self.take(name)[1] != value:
                raise Unusable(f"without `--{name}={value}` {engine.name} shows, or fetches, what is not decided here")
        self.spaces()
        self.process()
        self.limits()
        if self.single:
            raise Unusable(f"`{next(iter(self.single.values()))[0]}` is an option that is not understood")
        for option, value in self.lists["mount"]:
            self.put(option, self.bind(option, value))
        for option, value in self.lists["tmpfs"]:
            self.put(option, self.tmpfs(option, value))
        self.by_itself()

    def take(self, name):
        return self.single.pop(name, (None, None))

    def spaces(self):
        option, value = self.take("network")
        joined = "" if value == "none" else self.engine.network(value or "")
        if joined is None:
            raise Unusable(f"`{option}` is no network that is understood, and without one {self.engine.name} makes its own")
        cgroup = "" if self.take("cgroupns")[1] == "private" else None
        self.out.namespaces.update(dict.fromkeys(("pid", "mount", "uts", "ipc"), ""), network=joined, cgroup=cgroup)

    def process(self):
        out, (option, value) = self.out, self.take("user")
        if option is None or value.count(":") != 1:
            raise Unusable("there is no `--user=UID:GID`: the command runs as root, or as whom /etc/passwd names")
        out.user = [number(option, one) for one in value.split(":")]
        if max(out.user) > 0xfffffffe:
            raise Unusable(f"`{option}` is no user and group id")
        out.cwd = self.take("workdir")[1] or "/"
        if self.engine.hostname:
            self.take("hostname")
        environment = dict.fromkeys(self.engine.variables, "")
        for option, value in self.lists["env"]:                                  # the later one counts
            name, equals, text = value.partition("=")
            if not equals or not name:
                raise Unusable(f"`{option}` takes a variable of the starter's")
            environment[name] = text
        out.environment = list(environment.items())
        if [value for _, value in self.lists["cap-drop"]] != ["ALL"]:
            raise Unusable("without one `--cap-drop=ALL` capabilities stay, and which is the engine's matter")
        added = sorted({value for _, value in self.lists["cap-add"]})
        if not all(one.startswith("CAP_") for one in added):
            raise Unusable("`--cap-add` has no capability by its whole name")
        for one in SETS if self.engine.ambient or out.user[0] == 0 else SETS[:1]:
            out.capabilities[one] = added
        if not self.engine.flags and "CAP_MKNOD" in added:
            raise Unusable("with CAP_MKNOD devices are made in a bind mount, which has no `nodev`")
        security = [value for _, value in self.lists["security-opt"]]
        if set(security) - {"no-new-privileges", "seccomp=profile.json"} or "seccomp=profile.json" not in security:
            raise Unusable("the options of security are not understood, or the filter is the engine's own")
        out.root, out.no_new_privileges = EMPTY_ROOT, "no-new-privileges" in security

    def limits(self):
        out, processes = self.out, 1048576
        for name, slot in (("memory", "memory"), ("memory-swap", "memory_and_swap")):
            option, value = self.take(name)
            if option and not value.endswith("b"):
                raise Unusable(f"`{option}` is no number of bytes, as in 1048576b")
            setattr(out, slot, number(option, value[:-1]) or None if option else None)
        (option, period), (other, quota) = self.take("cpu-period"), self.take("cpu-quota")
        period, quota = number(option, period or "0"), number(other, quota or "0")
        if (period and not 1000 <= period <= 10 ** 6) or (quota and quota < 1000):  # the kernel's range: sched-bwc.rst
            raise Unusable(f"`{option}` or `{other}` is not what the kernel takes")
        out.period, out.quota = period or 100000, quota or None
        option, value = self.take("pids-limit")
        out.pids = self.engine.pids if option is None else None if value == "-1" else number(option, value) or None
        seen = set()
        for option, value in self.lists["ulimit"]:
            name, _, values = value.partition("=")
            soft, colon, hard = values.partition(":")
            if not colon or name not in ("core", "nofile", "nproc") or name in seen:
                raise Unusable(f"`{option}` is no limit as NAME=SOFT:HARD that is understood, or a second one")
            seen.add(name)
            soft, hard = number(option, soft), number(option, hard)
            if soft > hard:
                raise Unusable(f"`{option}` has a soft limit above the hard one")
            if name == "nproc":
                processes = soft
            else:
                out.rlimits["RLIMIT_" + name.upper()] = (soft, hard)
        if processes < max(MOST_PROCESSES, out.pids or 0):
            out.rlimits["RLIMIT_NPROC"] = (processes, processes)

    # mounts

    @staticmethod
    def parts(option, text):
        """Separated by commas: a record of CSV, or options. None says again, or otherwise, what another has said."""
        parts = text.split(",")
        names = [{"rw": "ro", "exec": "noexec"}.get(part, part.partition("=")[0]) for part in parts]
        if len(set(names)) < len(names) or re.search('["\r]', text) or any(part != part.strip() for part in parts):
            raise Unusable(f"`{option}` says something twice, or has quotes or blanks")
        return parts

    @staticmethod
    def target(option, path):
        if canonical(path) in ("/", "/proc") or path.startswith("/proc/") or ":" in path:
            raise Unusable(f"`{option}` has no target that can be covered")
        return path

    def put(self, option, m):
        if any(other.target == m.target for other in self.out.mounts):
            raise Unusable(f"`{option}` is a second mount at one path")
        self.out.mounts.append(m)

    def bind(self, option, text):
        parts = self.parts(option, text)
        values = {part.partition("=")[0]: part.partition("=")[2] for part in parts if "=" in part}
        flags = {part for part in parts if "=" not in part}
        if set(values) != {"type", "src", "dst"} or values["type"] != "bind" or \
                flags - {"bind-nonrecursive", "readonly", *(("nosuid", "nodev", "noexec") if self.engine.flags else ())}:
            raise Unusable(f"`{option}` is of a type, or has options, that are not understood")
        if "bind-nonrecursive" not in flags or (self.engine.flags and "nosuid" not in flags):
            raise Unusable(f"`{option}` shows the mounts beneath its source too, or has no `nosuid`")
        target, source, writable = self.target(option, values["dst"]), values["src"], "readonly" not in flags
        program, directory = "noexec" not in flags, self.engine.directory + "/"
        if source.startswith(directory):
            name = source[len(directory):]
            if name not in STACK or (STACK[name] == "nothing" and writable):
                raise Unusable(f"`{option}` shows a file that the stack does not make, or what nobody may open writable")
            return Mount(target, STACK[name], writable, program and self.engine.flags, source=name)
        node = canonical(source) in NODES
        if ":" in source or (self.engine.flags and node == ("nodev" in flags)):
            raise Unusable(f"`{option}` shows devices of the host, or a device that nobody can open")
        return Mount(target, "device" if node else "host", writable, program, source=source)

    def tmpfs(self, option, text):
        path, colon, rest = text.partition(":")
        if not colon:
            raise Unusable(f"`{option}` has no options: it would be writable by everybody, without a bound")
        target, of, writable, program, flags = self.target(option, path), {"mode": 0o1777, "uid": 0, "gid": 0}, True, self.engine.program, set()
        for part in self.parts(option, rest):
            name, equals, value = part.partition("=")
            if part in ("ro", "rw"):
                writable = part == "rw"
            elif part in ("exec", "noexec"):
                program = part == "exec"
            elif part in ("nosuid", "nodev"):
                flags.add(part)
            elif equals and name == "size" and number(option, value) > 0:        # 0 is none to the kernel
                of["size"] = int(value)
            elif equals and name == "mode" and re.fullmatch("[0-7]+", value, re.A) and int(value, 8) <= 0o1777:
                of["mode"] = int(value, 8)
            else:
                raise Unusable(f"`{option}` has `{part}`, which is not understood")
        if flags != {"nosuid", "nodev"}:
            raise Unusable(f"`{option}` has no `nosuid` or no `nodev`")
        if not writable and target in self.engine.directories:                   # it leads to mounts, or to nothing
            return Mount(target, "tree", source="dev")
        return Mount(target, "tmpfs", writable, program, **of)

    def by_itself(self):
        """A mount of the options takes the place of the engine's own at its path; those of Docker are made first, so that
        one above hides them too. All are made by the depth of their paths. What is masked is masked last."""
        said, engine = list(self.out.mounts), self.engine

        def own(m, above=not engine.on_top):
            if not any(m.target == one.target or (above and one.around(m.target)) for one in said):
                self.out.mounts.append(m)
        own(Mount("/proc", "processes", True))
        for path in ("/sys", "/sys/fs/cgroup"):
            own(Mount(path, "host", source=""))
        if not any(m.target == "/dev" for m in said):
            own(Mount("/dev", "tmpfs", True, True, mode=0o755, uid=0, gid=0))
            for path in NODES:
                own(Mount(path, "device", True, source=path))
        for path in ("/dev/mqueue", "/dev/pts"):
            own(Mount(path, "tmpfs", True, mode=0o1777, uid=0, gid=0))
        for path in engine.files:
            own(Mount(path, "file", source="empty-file"), False)
        self.out.mounts.sort(key=lambda m: m.target.count("/"))
        self.out.mounts += [Mount(f"/proc/{name}", "nothing") for name in engine.masked]


def podman(content, policy):
    return Reader(Podman(policy), content).out


def docker(content, policy):
    return Reader(Docker(policy), content).out
