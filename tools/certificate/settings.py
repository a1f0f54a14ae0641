"""Settings: what is not a set of actions but a handful of values, and decided by comparing each with what the policy has
there. Of the process and the control group in `config.json` (config.md, config-linux.md of the OCI runtime specification),
of `resolv.conf`, and of the scopes of a Landlock ruleset.

Each of the functions below is a section's: from the artifact's bytes and the policy it makes the values that the artifact
has, and for the direction what has to be so of them. `None` is no bound, or nothing there.
"""
import re

from . import alerts, landlock, mounts
from .documents import field, known, strict_json
from .formulas import Refuted, Unusable

GENERATED = "127.0.0.53"
LAUNCHER = ["/.agp/landlock-launch", "--ruleset", "/.agp/ruleset.json", "--pass-env", "*"]
SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
SHARED = ("pid", "mount", "ipc", "uts", "cgroup", "network")
NO_PING = "net.ipv4.ping_group_range=1 0"                                        # what a new network namespace has anyway


def holds(relation, bound, value):
    if relation == "at most":
        return bound is None or (value is not None and value <= bound)
    if relation == "at least":
        return value is None or (bound is not None and value >= bound)
    if relation == "among":
        return all(one in bound for one in value)
    if relation == "has":
        return all(one in value for one in bound)
    return relation == "is" and type(value) is type(bound) and value == bound


def differs(artifact, wanted):
    """The first setting that is not as it has to be, or None."""
    return next((name for name, (relation, bound) in wanted.items() if not holds(relation, bound, artifact.get(name))), None)


# ---- what the policy says --------------------------------------------------------------------------------------------

def allowed(policy, block, fits):
    """Is it permitted, by the rules of a block: a refusal, or a question, comes before what allows?"""
    effects = {rule["effect"] for rule in policy["rules"] if rule["block"] == block and fits(rule)}
    return effects == {"allow"}


def may_have(policy, name):
    return allowed(policy, "capability", lambda rule: name in rule["patterns"])


def may_see(policy, variable):
    return allowed(policy, "env", lambda rule: any(glob(p, variable) for p in rule["patterns"]) and not any(glob(p, variable) for p in rule["except"]))


def glob(pattern, text):
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return re.fullmatch("".join({"*": ".*", "?": "."}.get(p, re.escape(p[-1])) for p in parts), text, re.DOTALL) is not None


def capabilities_of(policy):
    return sorted({name for rule in policy["rules"] if rule["block"] == "capability" for name in rule["patterns"] if may_have(policy, name)})


# ---- config.json -----------------------------------------------------------------------------------------------------

def configuration(content):
    config = known(strict_json(content, "the configuration"), ("ociVersion", "process", "root", "hostname", "mounts", "linux"), "the configuration")
    process = known(field(config, "process", "the configuration"),
                    ("terminal", "user", "args", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges"), "`process`")
    linux = known(config.get("linux", {}), ("namespaces", "cgroupsPath", "resources", "maskedPaths", "readonlyPaths", "seccomp", "sysctl"), "`linux`")
    if process.get("terminal", False) is not False:
        raise Unusable("the agent has a terminal of the host's")
    return config, process, linux


def texts(value, what):
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unusable(f"{what} is no list of texts")
    return value


def sets_of(process):
    sets = known(process.get("capabilities", {}), SETS, "`capabilities`")
    return {name: sorted(set(texts(sets.get(name, []), name))) for name in SETS}


def capabilities(content, policy, demanded):
    _, process, _ = configuration(content)
    may = capabilities_of(policy)
    needed = [name for name in may if name not in policy["accepted"]["capability"]]
    return sets_of(process), {name: ["has", needed] if demanded else ["among", may] for name in SETS}


def environment(content, policy, demanded):
    _, process, _ = configuration(content)
    artifact, given = {}, policy["run"]["env"]
    for one in texts(process.get("env", []), "`env`"):
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise Unusable(f"`{one}` is not NAME=VALUE")
        artifact.setdefault(name, []).append(value)
    if demanded:                                                                 # of two with one name some see the first, some the last
        wanted = {name: ["is", [value]] for name, value in given.items()}
    else:
        wanted = {name: ["among", [given[name]] if name in given else []] for name in artifact if name in given or not may_see(policy, name)}
    return artifact, wanted


def process(content, policy, demanded):
    config, first, _ = configuration(content)
    run, stack, args = policy["run"], policy["target"]["stack"], texts(first["args"], "`args`")
    artifact, wanted = {}, {}
    if stack == "oci+landlock":
        artifact["launcher"], args, kept = args[:len(LAUNCHER)], args[len(LAUNCHER):], []
        while args[:1] == ["--capability"]:
            kept, args = [*kept, *args[1:2]], args[2:]
        artifact["launcher"], args, artifact["kept"] = artifact["launcher"] + args[:1], args[1:], kept
        tree = mounts.Tree(config, policy)
        shown = [(tree.shows(point), point) for point in (LAUNCHER[0], LAUNCHER[2])]
        artifact["starter"] = [m.source if m and m.target == point else None for m, point in shown]
        wanted = {"starter": ["is", ["landlock-launch", "ruleset.json"]], "launcher": ["is", [*LAUNCHER, "--"]], "kept": ["among", capabilities_of(policy)]}
    user = known(first["user"], ("uid", "gid", "umask", "additionalGids"), "`user`")
    root = known(config["root"], ("path", "readonly"), "`root`")
    artifact.update({"args": args, "cwd": first["cwd"], "user": [user["uid"], user["gid"], *user.get("additionalGids", [])]})
    wanted.update({"args": ["is", run["command"]], "cwd": ["is", run["workdir"]], "user": ["is", run["user"]]})
    if not demanded:
        artifact.update({"root": root["path"] + (" readonly" if root.get("readonly") is True else ""),
                         "noNewPrivileges": first.get("noNewPrivileges", False)})
        wanted.update({"root": ["is", "rootfs readonly"], "noNewPrivileges": ["is", True]})
    return artifact, wanted


def bound(group, name, keys):
    """A number that is missing, or not above zero, is no bound."""
    value = known(group, keys, "a control group").get(name)
    if value is not None and type(value) is not int:
        raise Unusable(f"`{name}` is no number")
    return value if value is not None and value > 0 else None


def resources(content, policy, demanded):
    _, process, linux = configuration(content)
    groups = known(linux.get("resources", {}), ("devices", "memory", "cpu", "pids"), "`resources`")
    memory, cpu, limits = groups.get("memory", {}), groups.get("cpu", {}), policy["run"]["limits"]
    quota, period = bound(cpu, "quota", ("quota", "period")), bound(cpu, "period", ("quota", "period")) or 100000
    rlimits = {}
    for one in process.get("rlimits", []):
        known(one, ("type", "soft", "hard"), "a limit")
        if one["type"] in rlimits:
            raise Unusable("a limit stands there twice")
        rlimits[one["type"]] = one
    files = rlimits.pop("RLIMIT_NOFILE", {})
    rlimits.pop("RLIMIT_CORE", None)                                             # of a file that nobody reads
    artifact = {"memory": bound(memory, "limit", ("limit", "swap")), "memory and swap": bound(memory, "swap", ("limit", "swap")),
                "pids": bound(groups.get("pids", {}), "limit", ("limit",)), "cpu quota x 1000": quota and quota * 1000,
                "files": files.get("hard"), "files at first": files.get("soft"), "other limits": sorted(rlimits)}
    milli = limits["cpu"]
    written = {"memory": limits["memory"], "memory and swap": limits["memory"], "pids": limits["pids"],
               "cpu quota x 1000": None if milli is None else milli * period, "files": limits["files"], "files at first": limits["files"]}
    wanted = {name: ["at least" if demanded else "at most", value] for name, value in written.items()
              if {"memory and swap": "memory", "cpu quota x 1000": "cpu", "files at first": "files"}.get(name, name) not in policy["accepted"]["limit"]}
    return artifact, {**wanted, "other limits": ["among", []]} if demanded else wanted


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


def namespaces(content, policy, demanded):
    _, process, linux = configuration(content)
    artifact = dict.fromkeys(SHARED)
    for one in linux.get("namespaces") or []:
        known(one, ("type", "path"), "a namespace")
        if one["type"] not in SHARED or artifact[one["type"]] is not None:
            raise Unusable(f"the namespace `{one['type']}` is declared twice, or not understood")
        artifact[one["type"]] = one.get("path", "")
    wanted = {name: ["is", policy["run"]["network"] if name == "network" else ""] for name in SHARED}
    artifact["sysctl"] = sorted(f"{key}={value}" for key, value in linux.get("sysctl", {}).items())
    artifact["makes devices"] = opens_every_device(linux.get("resources", {})) and "CAP_MKNOD" in sets_of(process)["bounding"]
    return artifact, {**wanted, "sysctl": ["among", [NO_PING]], "makes devices": ["is", False]}


def sources(content, policy, demanded):
    shown, may, pointless = mounts.sources(strict_json(content, "the configuration"), policy)
    return {**shown, "mount points in files": pointless}, {**{path: ["among", all_of] for path, all_of in may.items()}, "mount points in files": ["among", []]}


# ---- others ----------------------------------------------------------------------------------------------------------

def resolv_conf(content, policy, demanded):
    """resolv.conf(5): servers are asked in their order."""
    servers = []
    for line in content.decode("utf-8").split("\n"):
        words = line.split()
        if words and line[0].isspace() and words[0][0] not in "#;":
            raise Unusable(f"`{line}` begins with a blank, and the C library passes over it")
        if words[:1] == ["nameserver"] and len(words) == 2:
            servers.append(words[1])
        elif words and words[0][0] not in "#;":
            raise Unusable(f"`{line}` is not understood")
    return {"asked": servers[:1]}, {"asked": ["is", [GENERATED]]} if policy["packet_needs"]["resolver"] else {}


def scopes(content, policy, demanded):
    """landlock(7): without the scope any abstract socket of the machine can be connected to."""
    rulesets = landlock.rulesets(strict_json(content, "the ruleset"), policy)
    refused = any("abstract_unix_socket" in one.get("scoped", []) for one in rulesets)
    return {"abstract sockets of others": "refused" if refused else "permitted"}, \
           {"abstract sockets of others": ["is", "permitted" if demanded else "refused"]}


def raised(content, policy, demanded):
    return alerts.sides(strict_json(content, "the file"), policy, demanded)


SECTIONS = {"oci/config.json#/process/capabilities": capabilities, "oci/config.json#/process/env": environment,
            "oci/config.json#/process": process, "oci/config.json#/linux/resources": resources,
            "oci/config.json#/linux/namespaces": namespaces, "oci/config.json#/mounts (sources)": sources, "dns/resolv.conf": resolv_conf, "landlock/ruleset.json": scopes,
            "alerts.json": raised}
ONE_WAY = {"oci/config.json#/linux/namespaces": "no excess", "dns/resolv.conf": "no loss"}


def directions(section, policy):
    """What is decided of it."""
    if section == "landlock/ruleset.json":
        open_to_all = allowed(policy, "unix", lambda rule: rule["abstract"] and rule["direction"] == "connect")
        return ("no loss" if open_to_all else "no excess",)
    return (ONE_WAY[section],) if section in ONE_WAY else ("no excess", "no loss")


def check(section, content, policy, demanded, stated):
    """The file of an obligation has both sides as agp sees them."""
    if section not in SECTIONS:
        raise Unusable(f"there are no settings in `{section}`")
    artifact, wanted = SECTIONS[section](content, policy, demanded)
    name = differs(artifact, wanted)
    if name:
        raise Refuted(f"`{name}` is {artifact.get(name)!r}, and has to be: {wanted[name][0]} {wanted[name][1]!r}")
    if stated.get("artifact") != artifact or stated.get("policy") != wanted:
        raise Refuted("the file states something else than the artifact and the policy")
    return artifact, wanted


def violated(artifact, wanted, control):
    """With one value less or more on one side the comparison fails."""
    known(control, ("side", "setting", "value"), "the control")
    side = {"artifact": artifact, "policy": wanted}[control["side"]]
    if not differs(*({**one, control["setting"]: control["value"]} if one is side else one for one in (artifact, wanted))):
        raise Refuted("the control is not violated: the obligation may be empty")
