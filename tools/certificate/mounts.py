"""Mounts: what the file tree of a container leaves to its first process, from `config.json` (config.md, config-linux.md of
the OCI runtime specification, mount(2), tmpfs(5)). That the stack's `prepare` has made the bundle is an assumption."""
import re

from .documents import field, known
from .formulas import Unusable
from .paths import CREATE, DELETE, DEVICES, OF_FILES, RIGHTS, Rules, is_beneath, literal

ENTRIES = CREATE | DELETE | {"refer"}
WRITE, NOTHING_BENEATH = {"write_file", "truncate"}, OF_FILES | {"read_dir"}
BUNDLE = {"dev": "tree", "resolv.conf": "file", "empty-file": "file", "landlock-launch": "file", "ruleset.json": "file",
          "denied-directory": "nothing", "denied-file": "nothing"}
NODES = ("/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero")  # that can be opened, but for `nodev`
# Options of a tmpfs that are numbers: their digits, and the largest that the file system takes.
# To the kernel `010` is 8 as an id or a size.
DECIMAL = "0|[1-9][0-9]*"
NUMBERS = {"mode": ("[0-7]+", 8, 0o7777), "uid": (DECIMAL, 10, 0xfffffffe), "gid": (DECIMAL, 10, 0xfffffffe),
           "size": (DECIMAL, 10, 2 ** 64 - 1)}


class Mount:
    def __init__(self, target, content, writable=False, program=False, **of_tmpfs):
        self.target, self.content, self.writable, self.program = target, content, writable, program
        self.mode, self.uid, self.gid = (of_tmpfs.get(key) for key in ("mode", "uid", "gid"))
        self.own_processes = of_tmpfs.get("own_processes", False)
        self.source, self.size = of_tmpfs.get("source", content), of_tmpfs.get("size")

    def around(self, path):
        return path == self.target or is_beneath(path, self.target)


def canonical(path):
    if not isinstance(path, str) or not path.startswith("/") or (path != "/" and any(n in ("", ".", "..") for n in path.split("/")[1:])):
        raise Unusable(f"{path!r} is not an absolute path without `.`, `..` and doubled slashes")
    return path


def number(name, text):
    digits, base, most = NUMBERS[name]
    if not re.fullmatch(digits, text) or int(text, base) > most:
        raise Unusable(f"the mount option `{name}={text}` has a value that is no plain number, or too large")
    return int(text, base)


def read_mount(one):
    known(one, ("destination", "type", "source", "options"), "a mount")
    flags, values = {"ro": False, "noexec": False, "nodev": False, "nosuid": False}, {"mode": 0o1777, "uid": 0, "gid": 0}
    others = {"rw": "ro", "exec": "noexec", "dev": "nodev", "suid": "nosuid"}
    bind = subset = False
    for option in one.get("options") or []:
        name, equals, value = option.partition("=")
        if option in flags or option in others:
            flags[others.get(option, option)] = option in flags
        elif option == "bind":
            bind = True
        elif option == "subset=pid":
            subset = True
        elif equals and name in NUMBERS:
            values[name] = number(name, value)
        elif option not in ("rprivate", "private"):
            raise Unusable(f"the mount option `{option}` is not understood")
    target, writable, program = canonical(one["destination"]), not flags["ro"], not flags["noexec"]
    if bind:
        source = one["source"]
        if not source.startswith("/"):
            if source not in BUNDLE:
                raise Unusable(f"`{source}` is no file of the bundle that is understood")
            if BUNDLE[source] == "nothing" and writable:
                raise Unusable(f"{target} shows what nobody may open writable: whoever owns it gives it another mode")
            return Mount(target, BUNDLE[source], writable, program, source=source)
        node = canonical(source) in NODES
        if node and flags["nodev"]:
            raise Unusable(f"{target} shows a device with `nodev`, and nobody can open it")
        if not node and not flags["nodev"]:
            raise Unusable(f"{target} shows devices of the host")
        return Mount(target, "host" if flags["nodev"] else "device", writable, program, source=source)
    if one["type"] == "tmpfs" and flags["nodev"]:
        return Mount(target, "tmpfs", writable, program, **values)
    if one["type"] == "proc":
        return Mount(target, "processes", writable, program, own_processes=subset)
    raise Unusable(f"the mount on {target} is of a type that is not understood")


def entry_path(path):
    """Of the masked or read-only paths."""
    if canonical(path) == "/":
        raise Unusable("the root itself is masked or read-only, and what that covers is not decided here")
    return path


def own_mounts(namespaces):
    """The mounts are made in a namespace of the container's own, and by somebody whose ids are those of the host."""
    kinds = {}
    for one in namespaces:
        known(one, ("type", "path"), "a namespace")
        if one["type"] in kinds:
            raise Unusable(f"the namespace `{one['type']}` is declared twice")
        kinds[one["type"]] = one.get("path")
    if kinds.get("mount", "/"):
        raise Unusable("there is no mount namespace of the container's own")
    if "user" in kinds:
        raise Unusable("a user namespace has other ids than those of the host")


class Tree:
    """Rights on paths by the last mount on or above them. The root shows nothing but what leads to mounts. Whether a
    mount shows a file or a directory is what the policy speaks about there."""
    moves = set()                                                                # a rename that is refused loses nothing here

    def __init__(self, config, policy):
        self.read(config)
        self.decide(policy)

    def read(self, config):
        known(config, ("ociVersion", "process", "root", "hostname", "mounts", "linux"), "the configuration")
        process, linux = field(config, "process", "the configuration"), known(config.get("linux", {}), (
            "namespaces", "cgroupsPath", "resources", "maskedPaths", "readonlyPaths", "seccomp", "sysctl"), "`linux`")
        known(process, ("terminal", "user", "args", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges"), "`process`")
        user = known(process["user"], ("uid", "gid", "umask", "additionalGids"), "`user`")
        self.uid, self.groups = user["uid"], {user["gid"], *user.get("additionalGids", [])}
        sets = known(process.get("capabilities", {}), ("bounding", "effective", "inheritable", "permitted", "ambient"), "`capabilities`")
        self.overrides = {"CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER"}.intersection(*[set().union(*sets.values())])
        self.entries = ENTRIES | (DEVICES if "CAP_MKNOD" in sets.get("bounding", []) else set())
        if known(config["root"], ("path", "readonly"), "`root`") != {"path": "rootfs", "readonly": True}:
            raise Unusable("the root is not the bundle's own, read-only")
        self.mounts = [read_mount(one) for one in config.get("mounts", [])]
        if not any(m.target == "/dev" and m.content not in ("tmpfs", "processes") for m in self.mounts):
            self.mounts += [Mount(path, "device", True, True, source=path) for path in NODES]  # the runtime's own
        own_mounts(linux.get("namespaces") or [])
        for path in map(entry_path, linux.get("readonlyPaths", [])):
            shows = self.shows(path)
            if shows and shows.writable and self.stands(path):
                if self.shows_beneath(path):                                     # bound with it, and only the top remounted
                    raise Unusable(f"{path} of the read-only paths has a mount beneath it, which the runtime leaves as it is")
                self.mounts.append(Mount(path, shows.content, False, shows.program, mode=shows.mode, uid=shows.uid, gid=shows.gid,
                                         own_processes=shows.own_processes, size=shows.size,
                                         source=shows.source + path[len(shows.target):] if shows.content == "host" else shows.source))
        for path in map(entry_path, linux.get("maskedPaths", [])):
            if self.stands(path):
                self.mounts.append(Mount(path, "nothing"))

    def decide(self, policy):
        self.policy, self.rules = policy, Rules(policy)
        self.sockets = [{**rule, "block": "file", "verbs": ["read"]} for rule in policy["rules"]  # decided as files are
                        if rule["block"] == "unix" and rule["direction"] == "connect"]
        self.leads = {"/"} | {d for m in self.mounts for d in above(m.target)}
        self.cells = {base: self.cell(base) for base in self.leads | {m.target for m in self.mounts}}
        for m in self.mounts:
            if m.content == "processes" and self.shows(m.target) is m:
                for name in ("/self", "/thread-self"):                           # a process's own affair
                    self.cells.setdefault(m.target + name, (set(), NOTHING_BENEATH, set(), NOTHING_BENEATH))
        self.nodes = sorted(self.cells)
        self.pins = [m["target"] for m in policy["mounts"] if m["pinned"]]
        for gap in policy["gaps"]:
            if gap["block"] == "file" and gap["lack"]:
                rule = policy["rules"][gap["rule"]]
                if rule.get("was", rule["effect"]) != "allow":
                    self.pins.append(literal(rule["patterns"][gap["pattern"]])[0])

    def shows(self, path):
        return next((m for m in reversed(self.mounts) if m.around(path)), None)

    def shows_beneath(self, path):
        return any(is_beneath(m.target, path) and self.shows(m.target) is m for m in self.mounts)

    def stands(self, path):
        """Whether something stands there: the runtime passes over an entry where nothing does, and takes nothing away."""
        if self.shows_beneath(path):                                             # it leads to a mount point
            return True
        m = self.shows(path)
        if not m or (m.content == "nothing" and m.target != path):               # an empty directory that stays so
            return False
        if m.target != path and m.content != "processes":
            raise Unusable(f"{path} is in a mount: whether anything stands there is not known, and the runtime passes over what is missing")
        return True

    def answer(self, own, above_it):
        """The rights granted on a node, or beneath the deepest one; and those to what can't be there."""
        at, absent_at, beneath, absent_beneath = self.cells[own or above_it or "/"]
        return (at, absent_at) if own else (beneath, absent_beneath)

    def pinned(self, node, verb):
        """A mount point can't be made, removed or renamed, nor what leads to it; nor does its owner change."""
        entry = verb in ("create", "delete")
        return any((pin == node and (entry or verb == "modify")) or (entry and is_beneath(pin, node)) for pin in self.pins)

    # One place: rights on it, what is absent there, rights beneath it down to the next one, what is absent there.

    def cell(self, base):
        m = self.shows(base)
        at, absent_at, beneath, absent_beneath = self.of_mount(m, base) if m else ({"read_dir"}, OF_FILES, set(), set())
        other = self.replaceable(base, m)
        return at | other, absent_at - other, beneath | other, absent_beneath - other

    def of_mount(self, m, base):
        if m.content == "nothing":                                               # an empty directory that nobody may list
            return set(), OF_FILES if self.is_directory(base) else set(), set(), set()
        if m.content == "tree":
            return {"read_dir"}, OF_FILES, ENTRIES if m.writable else set(), set()
        if m.content == "processes":
            beneath = {"read_file", "read_dir"} | (WRITE if m.writable else set())
            return {"read_dir"}, OF_FILES, set() if m.own_processes else beneath, set()
        if m.content == "tmpfs" or (m.content == "host" and self.is_directory(base)):
            return self.directory(m, base)
        if m.content == "host" and self.is_socket(base):                         # which nobody opens; `prepare` looks that it is one
            return set(), OF_FILES | {"read_dir"}, set(), NOTHING_BENEATH
        if m.content == "host" and not self.is_file(base):                       # either: the runtime makes the mount point for what it finds
            at, _, beneath, _ = self.directory(m, base)
            return at | self.file(m)[0], set(), beneath, set()
        return self.file(m)

    @staticmethod
    def file(m):
        rights = {"read_file"} | ({"execute"} if m.program else set()) | (WRITE if m.writable else set())
        if m.content == "device":
            return rights | {"read_file"} | WRITE, {"read_dir", "execute"}, set(), NOTHING_BENEATH
        return rights, {"read_dir"}, set(), NOTHING_BENEATH

    def of_agent(self, m, mode):
        """The three bits of a mode that count for the agent."""
        return (mode >> 6 if m.uid == self.uid else mode >> 3 if m.gid in self.groups else mode) & 7

    def bits(self, m):
        """What the agent may do in a directory that belongs to whom its options name: as a mode's three bits."""
        if m.content != "tmpfs":
            return 7
        bits, counts = self.of_agent(m, m.mode), 7 if m.writable else 5
        if bits != 7 and (m.writable or bits & 5 != 5) and (self.overrides or (m.writable and m.uid == self.uid)):
            raise Unusable(f"the mode of the tmpfs on {m.target} does not bind the agent: it owns it, or a capability passes it by")
        if self.of_agent(m, self.covered(m)) & ~bits & counts:                    # before runc 1.1.8 (libcontainer, mountToRootfs)
            raise Unusable(f"the mode of the tmpfs on {m.target} does not bind the agent: runc gives it that of the directory it covers")
        return bits

    def covered(self, m):
        """The most that the directory below has: of the stack, or of runc's making, 0755; no mode where there is none."""
        earlier = self.mounts[:next(n for n, one in enumerate(self.mounts) if one is m)]
        around = next((e for e in reversed(earlier) if e.around(m.target)), None)
        if around and (around.content != "tmpfs" or around.target == m.target):
            return 0o777
        return 0o755 if not around or any(is_beneath(e.target, m.target) for e in earlier) else 0

    def directory(self, m, base):
        bits = self.bits(m)
        writes = m.writable and bits & 3 == 3
        at = ({"read_dir"} if bits & 4 else set()) | (self.entries if writes and base != m.target else set())
        beneath = {"read_file", "read_dir"} | ({"execute"} if m.program else set()) | (WRITE | self.entries if writes else set())
        empty = m.content == "tmpfs" and not m.writable                          # and stays so
        return at, OF_FILES, beneath if bits & 1 else set(), NOTHING_BENEATH if empty else set()

    def replaceable(self, base, shows):
        """A directory around a mount can be renamed where it is writable and no mount point itself, and takes the mount
        with it: then another one can be made in its place."""
        out = set()
        for d in above(base):
            m = self.shows(d)
            if d != "/" and m and m is not shows and m.target != d and m.writable and self.bits(m) & 3 == 3 and m.content in ("host", "tmpfs"):
                out |= self.directory(m, d)[2]
        return out

    def is_directory(self, base):
        if base in self.leads:
            return True
        for rule in self.policy["rules"]:
            if rule["block"] not in ("file", "unix"):
                continue
            for where in ("patterns", "except"):
                for text in rule[where]:
                    place, is_node = literal(text)
                    if place == base and (not is_node or (where == "patterns" and rule.get("verbs") == ["list"])):
                        return True
        return any(m["target"] == base for m in self.policy["mounts"]) and self.rules.permit(base + "/\x01", RIGHTS)

    def is_file(self, base):
        """What `prepare` makes the mount point of a file for: a rule permits it, or a mount of the policy's own shows it."""
        return any(m["target"] == base for m in self.policy["mounts"]) or \
            any(rule["block"] == "file" and rule["effect"] == "allow" and (base, True) in map(literal, rule["patterns"]) for rule in self.policy["rules"])

    def is_socket(self, base):
        """What the policy lets be connected to, and no more."""
        named = any(rule["effect"] == "allow" and (base, True) in map(literal, rule["patterns"]) for rule in self.sockets)
        return named and not self.rules.permit(base, RIGHTS) and Rules({"rules": self.sockets}).permit(base, ["read"])


# What stands where a mount is: decided by comparing, in `settings.py`.

MADE = ("dev", "empty-file", "resolv.conf")                                      # by the stack
READ_ONLY, RESOLVER = "an empty file system, read-only", "/etc/resolv.conf"


def empty(size):
    return "an empty file system without a bound" if size is None else f"an empty file system of {size} bytes"


class Whole(Tree):
    """The tree of a container that was read whole."""

    def read(self, container):
        sets = container.capabilities
        self.uid, self.groups, self.mounts = container.user[0], {*container.user[1:]}, container.mounts
        self.overrides = {"CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER"}.intersection(*[set().union(*sets.values())])
        self.entries = ENTRIES | (DEVICES if "CAP_MKNOD" in sets["bounding"] else set())


def sources(tree):
    """What each mount shows of which the policy says something, and all that it may show: what stands there below
    `rootfs`, or in the file system of the innermost of the policy's own mounts."""
    policy = tree.policy
    shown, may, resolver = {}, {}, policy["packet_needs"]["resolver"] and policy["run"]["network"] != ""
    for m in tree.mounts:
        allowed = may_show(tree, policy, m) if tree.shows(m.target) is m else None
        if allowed is not None:
            shown[m.target] = [m.source if m.content != "tmpfs" else empty(m.size) if m.writable else READ_ONLY]
            may[m.target] = allowed
    if resolver:                                                                 # programs ask whom it names
        m = tree.shows(RESOLVER)
        shown[RESOLVER], may[RESOLVER] = [m.source if m else "nothing"], ["resolv.conf"]
    return shown, may, [m.target for n, m in enumerate(tree.mounts) if not has_point(tree.mounts[:n], m)]


def may_show(tree, policy, m):
    around = [r for r in policy["mounts"] if r["target"] == m.target or is_beneath(m.target, r["target"])]
    run = max(around, key=lambda r: len(r["target"])) if around else None
    root, suffix = (run["source"], m.target[len(run["target"]):]) if run else (policy["run"]["rootfs"], m.target)
    if m.content in ("host", "device", "tmpfs"):
        own = [m.target] if m.content == "device" else []
        return ([empty(run["size"]), READ_ONLY] if root is None else [stands_at(root, suffix)]) + own
    out_of_place = m.source in MADE and (m.source, m.target) not in (("dev", "/dev"), ("resolv.conf", RESOLVER))
    permitted = out_of_place and (tree.rules.permit(m.target, ("read", "exec", "modify")) or tree.rules.permit(m.target + "/\x01", RIGHTS))
    return [stands_at(root, suffix)] if permitted and root is not None else None


def stands_at(root, suffix):
    return (suffix or "/") if root == "/" else root + suffix


def has_point(earlier, m):
    """A mount needs a mount point: none can be made in a file, nor in the directory without permission bits."""
    around = next((e for e in reversed(earlier) if e.around(m.target)), None)
    return not around or around.target == m.target or m.content == "nothing" or \
        (around.content not in ("nothing", "device") and around.source not in ("empty-file", "resolv.conf"))


def above(path):
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[:n]) for n in range(len(parts), -1, -1)] if path != "/" else []
