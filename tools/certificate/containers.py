"""What a container's first process gets, whoever starts it; and how `config.json` says it (config.md, config-linux.md of
the OCI runtime specification). Its mounts are read in `mounts.py`."""
from .documents import field, known, strict_json
from .formulas import Unusable

SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
SHARED = ("pid", "mount", "ipc", "uts", "cgroup", "network")
EMPTY_ROOT = "empty, read-only"


class Container:
    """`None` is no bound, or of a namespace the host's. Namespaces that are joined have a path, new ones none."""

    def __init__(self):
        self.capabilities = {name: [] for name in SETS}
        self.environment = []                                                    # pairs; what the engine sets by itself has no value
        self.args, self.cwd, self.user = [], "/", [0, 0]                         # and further groups
        self.starter = []                                                        # what shows where the stack's launcher and its rules are
        self.root, self.no_new_privileges = "", False
        self.memory = self.memory_and_swap = self.pids = self.quota = None
        self.period, self.rlimits = 100000, {}                                   # microseconds; by name, soft and hard
        self.holds_time, self.seconds = False, None                              # whether the runtime itself ends it
        self.namespaces, self.sysctls = dict.fromkeys(SHARED), {}
        self.makes_devices = False
        self.mounts = []                                                         # in mounting order; not those of config.json


def texts(value, what):
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unusable(f"{what} is no list of texts")
    return value


def bound(group, name, keys):
    """A number that is missing, or not above zero, is no bound."""
    value = known(group, keys, "a control group").get(name)
    if value is not None and type(value) is not int:
        raise Unusable(f"`{name}` is no number")
    return value if value is not None and value > 0 else None


def opens_every_device(groups):
    """The list is walked in order, and a later entry overrides an earlier one (config-linux.md, Allowed Device List)."""
    every = True
    for one in groups.get("devices", []):
        known(one, ("allow", "type", "major", "minor", "access"), "a device")
        if not {"type", "major", "minor"} & set(one):
            every = one["allow"]
        elif one["allow"] is not True:
            raise Unusable("one device is taken away, which is not understood")
    return every is not False


def configuration(content, _policy):
    config = known(strict_json(content, "the configuration"), ("ociVersion", "process", "root", "hostname", "mounts", "linux"), "the configuration")
    process = known(field(config, "process", "the configuration"),
                    ("terminal", "user", "args", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges"), "`process`")
    linux = known(config.get("linux", {}), ("namespaces", "cgroupsPath", "resources", "maskedPaths", "readonlyPaths", "seccomp", "sysctl"), "`linux`")
    if process.get("terminal", False) is not False:
        raise Unusable("the agent has a terminal of the host's")
    out = Container()
    sets = known(process.get("capabilities", {}), SETS, "`capabilities`")
    out.capabilities = {name: sorted(set(texts(sets.get(name, []), name))) for name in SETS}
    for one in texts(process.get("env", []), "`env`"):
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise Unusable(f"`{one}` is not NAME=VALUE")
        out.environment.append((name, value))
    user = known(process["user"], ("uid", "gid", "umask", "additionalGids"), "`user`")
    root = known(config["root"], ("path", "readonly"), "`root`")
    out.args, out.cwd = texts(process["args"], "`args`"), process["cwd"]
    out.user = [user["uid"], user["gid"], *user.get("additionalGids", [])]
    out.root = EMPTY_ROOT if root["path"] == "rootfs" and root.get("readonly") is True else "another one"
    out.no_new_privileges = process.get("noNewPrivileges", False)
    resources(linux, process, out)
    for one in linux.get("namespaces") or []:
        known(one, ("type", "path"), "a namespace")
        if one["type"] not in SHARED or out.namespaces[one["type"]] is not None:
            raise Unusable(f"the namespace `{one['type']}` is declared twice, or not understood")
        out.namespaces[one["type"]] = one.get("path", "")
    out.sysctls = linux.get("sysctl", {})
    out.makes_devices = opens_every_device(linux.get("resources", {})) and "CAP_MKNOD" in out.capabilities["bounding"]
    return out


def resources(linux, process, out):
    groups = known(linux.get("resources", {}), ("devices", "memory", "cpu", "pids"), "`resources`")
    memory, cpu = groups.get("memory", {}), groups.get("cpu", {})
    out.memory, out.memory_and_swap = (bound(memory, name, ("limit", "swap")) for name in ("limit", "swap"))
    out.pids = bound(groups.get("pids", {}), "limit", ("limit",))
    out.quota, period = (bound(cpu, name, ("quota", "period")) for name in ("quota", "period"))
    out.period = period or out.period
    for one in process.get("rlimits", []):
        known(one, ("type", "soft", "hard"), "a limit")
        if one["type"] in out.rlimits:
            raise Unusable("a limit stands there twice")
        out.rlimits[one["type"]] = (one["soft"], one["hard"])
