"""Settings: what is not a set of actions but a handful of values, and decided by comparing each with what the policy has
there. Of the process and the control group of a container, of `resolv.conf`, and of the scopes of a Landlock ruleset.

Each of the functions below is a section's: from what was read and the policy it makes the values that the artifact has,
and for the direction what has to be so of them. `None` is no bound, or nothing there.
"""
import re

from . import alerts, containers, engines, landlock, mounts, pods
from .documents import known, strict_json
from .formulas import Refuted, Unusable

GENERATED = "127.0.0.53"
LAUNCHER = ["/.agp/landlock-launch", "--ruleset", "/.agp/ruleset.json", "--pass-env", "*"]
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


# ---- containers ------------------------------------------------------------------------------------------------------
# Of what one of the readers has made of its file, whoever starts it.

def capabilities(container, policy, demanded):
    may = capabilities_of(policy)
    needed = [name for name in may if name not in policy["accepted"]["capability"]]
    return container.capabilities, {name: ["has", needed] if demanded else ["among", may] for name in container.capabilities}


def environment(container, policy, demanded):
    artifact, given = {}, policy["run"]["env"]
    for name, value in container.environment:
        artifact.setdefault(name, []).append(value)
    if demanded:                                                                 # of two with one name some see the first, some the last
        return artifact, {name: ["is", [value]] for name, value in given.items()}
    own = dict.fromkeys(policy["run"]["variables"], [""])                        # set by the runtime: no artifact has their values
    return artifact, {name: ["among", [given[name]] if name in given else own.get(name, [])] for name in artifact if name in given or not may_see(policy, name)}


def process(container, policy, demanded):
    run, args = policy["run"], container.args
    artifact, wanted = {}, {}
    if policy["target"]["stack"] == "oci+landlock":
        artifact["launcher"], args, kept = args[:len(LAUNCHER)], args[len(LAUNCHER):], []
        while args[:1] == ["--capability"]:
            kept, args = [*kept, *args[1:2]], args[2:]
        artifact["launcher"], args, artifact["kept"] = artifact["launcher"] + args[:1], args[1:], kept
        wanted = {"starter": ["is", ["landlock-launch", "ruleset.json"]], "launcher": ["is", [*LAUNCHER, "--"]], "kept": ["among", capabilities_of(policy)]}
        artifact["starter"] = container.starter
    artifact.update({"args": args, "cwd": container.cwd, "user": container.user})
    wanted.update({"args": ["is", run["command"]], "cwd": ["is", run["workdir"]], "user": ["is", run["user"]]})
    if not demanded:
        artifact.update({"root": container.root, "noNewPrivileges": container.no_new_privileges})
        wanted.update({"root": ["is", containers.EMPTY_ROOT], "noNewPrivileges": ["is", True]})
    return artifact, wanted


def resources(container, policy, demanded):
    limits, rlimits = policy["run"]["limits"], dict(container.rlimits)
    soft, hard = rlimits.pop("RLIMIT_NOFILE", (None, None))
    rlimits.pop("RLIMIT_CORE", None)                                             # of a file that nobody reads
    artifact = {"memory": container.memory, "memory and swap": container.memory_and_swap, "pids": container.pids,
                "cpu quota x 1000": container.quota and container.quota * 1000, "files": hard, "files at first": soft, "other limits": sorted(rlimits)}
    milli = limits["cpu"]
    written = {"memory": limits["memory"], "memory and swap": limits["memory"], "pids": limits["pids"],
               "cpu quota x 1000": None if milli is None else milli * container.period, "files": limits["files"], "files at first": limits["files"]}
    if container.holds_time:
        artifact["time"], written["time"] = container.seconds and container.seconds * 1000, limits["time"]
    wanted = {name: ["at least" if demanded else "at most", value] for name, value in written.items()
              if {"memory and swap": "memory", "cpu quota x 1000": "cpu", "files at first": "files"}.get(name, name) not in policy["accepted"]["limit"]}
    return artifact, {**wanted, "other limits": ["among", []]} if demanded else wanted


def namespaces(container, policy, demanded):
    wanted = {name: ["is", policy["run"]["network"] if name == "network" else ""] for name in containers.SHARED}
    artifact = {**container.namespaces, "sysctl": sorted(f"{key}={value}" for key, value in container.sysctls.items()), "makes devices": container.makes_devices}
    return artifact, {**wanted, "sysctl": ["among", [NO_PING]], "makes devices": ["is", False]}


def sources(tree):
    shown, may, pointless = mounts.sources(tree)
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


READERS = {"oci/config.json": containers.configuration, "podman/run.args": engines.podman, "docker/run.args": engines.docker, "kubernetes/pod.json": pods.pod}
OF_CONTAINERS = {"capabilities": capabilities, "env": environment, "process": process, "resources": resources, "namespaces": namespaces}


def tree(artifact, content, policy):
    """The mounts of a container. `config.json` makes some of others, which is for its own reader to say."""
    if artifact not in READERS:
        raise Unusable(f"there are no mounts in `{artifact}`")
    if artifact == "oci/config.json":
        return mounts.Tree(strict_json(content, "the configuration"), policy)
    return mounts.Whole(READERS[artifact](content, policy), policy)


def section(artifact, word):
    """How a section of a container's file is called: by its JSON pointer, or by a word."""
    pointers = {"capabilities": "#/process/capabilities", "env": "#/process/env", "process": "#/process", "resources": "#/linux/resources",
                "namespaces": "#/linux/namespaces", "sources": "#/mounts (sources)", "mounts": "#/mounts"}
    return artifact + (pointers[word] if artifact == "oci/config.json" else f" ({word})" if word != "mounts" else "")


def of(artifact, step):
    return lambda content, policy, demanded: step(READERS[artifact](content, policy), policy, demanded)


def started(content, policy, demanded):
    """The process of `config.json`, with what stands where its launcher and the launcher's rules are named."""
    container = containers.configuration(content, policy)
    if policy["target"]["stack"] == "oci+landlock":
        files = tree("oci/config.json", content, policy)
        shown = [(files.shows(point), point) for point in (LAUNCHER[0], LAUNCHER[2])]
        container.starter = [m.source if m and m.target == point else None for m, point in shown]
    return process(container, policy, demanded)


SECTIONS = {"dns/resolv.conf": resolv_conf, "landlock/ruleset.json": scopes, "alerts.json": raised,
            **{section(artifact, word): of(artifact, step) for artifact in READERS for word, step in OF_CONTAINERS.items()},
            **{section(artifact, "sources"): lambda content, policy, demanded, artifact=artifact: sources(tree(artifact, content, policy)) for artifact in READERS}}
SECTIONS[section("oci/config.json", "process")] = started
ONE_WAY = {"dns/resolv.conf": "no loss", **{section(artifact, "namespaces"): "no excess" for artifact in READERS}}


def directions(section, policy):
    """What is decided of it."""
    if section == "landlock/ruleset.json":
        if "net" in policy["audit"]:
            return ("audit: permits all",)
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
