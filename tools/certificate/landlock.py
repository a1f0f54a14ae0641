"""Landlock: what a file of landlockconfig grants, on paths and on ports, and what the policy needs of ports."""
from .documents import known
from .formulas import Unusable, both, either, within
from .paths import DEVICES, DELETE, CREATE, OF_FILES, is_beneath

ON_FILES = OF_FILES | {"ioctl_dev", "resolve_unix"}
OF_ENTRIES = CREATE | DELETE | DEVICES | {"refer"}
KNOWN = ON_FILES | OF_ENTRIES | {"read_dir"}


SINCE = {"refer": 2, "truncate": 3, "bind_tcp": 4, "connect_tcp": 4, "ioctl_dev": 5, "abstract_unix_socket": 6, "signal": 6,
         "resolve_unix": 9, "bind_udp": 10, "connect_send_udp": 10}  # landlock(7): the ABI; of others the first


def rulesets(config, policy):
    """The launcher ends on a kernel that lacks a right of the file: such a file starts nothing there."""
    known(config, ("abi", "ruleset", "pathBeneath", "netPort"), "the ruleset")
    out = [known(one, ("handledAccessFs", "handledAccessNet", "scoped"), "a ruleset") for one in config["ruleset"]]
    named = [right for one in out for rights in one.values() for right in rights]
    named += [right for part in ("pathBeneath", "netPort") for rule in config.get(part, []) for right in rule["allowedAccess"]]
    for right in named:
        if SINCE.get(right, 1) > policy["target"]["landlock_abi"]:
            raise Unusable(f"`{right}` needs Landlock ABI {SINCE[right]}, and the target has {policy['target']['landlock_abi']}")
    if {right for one in out for right in one.get("scoped", [])} - {"abstract_unix_socket", "signal"}:
        raise Unusable("the ruleset has scopes that are not understood")
    return out


class Ruleset:
    """Rights on paths: one holds on a node if a rule on it or above it has the right, or no ruleset handles it."""

    def __init__(self, config, policy):
        self.handled, self.rules, self.directory = set(), {}, {"/": True}
        self.moves = {"refer"} if policy["target"]["landlock_abi"] >= 2 else set()
        for one in rulesets(config, policy):
            self.handled |= set(one.get("handledAccessFs", []))
        for rule in config.get("pathBeneath", []):
            rights = set(known(rule, ("allowedAccess", "parent"), "a rule on paths")["allowedAccess"])
            for parent in rule["parent"]:
                path = parent.rstrip("/") or "/"
                if not path.startswith("/") or "$" in path or any(n in ("", ".", "..") for n in path.split("/")[1:] if path != "/"):
                    raise Unusable(f"the rule on {parent!r} is not understood")
                self.rules.setdefault(path, set()).update(rights)
                directory = parent.endswith("/") or bool(rights - ON_FILES)
                if self.directory.setdefault(path, directory) != directory:
                    raise Unusable(f"{path!r} is taken for a directory and for a file")
                self.handled |= rights
        if self.handled - KNOWN:
            raise Unusable("the ruleset has rights that are not understood")
        for path in list(self.rules):
            while path != "/":
                path = path.rsplit("/", 1)[0] or "/"
                if not self.directory.setdefault(path, True):
                    raise Unusable(f"{path!r} is taken for a directory and for a file")
        self.nodes = sorted(self.directory)

    def answer(self, own, above):
        """The rights granted where the node `own` (or none) stands beneath the node `above`; and those to what can't be
        there: a directory is not opened as a file, a file is not listed, and nothing lies beneath it."""
        around = KNOWN - self.handled
        for p in self.nodes:
            if above and (p == above or is_beneath(above, p)) and self.directory[p]:
                around = around | self.rules.get(p, set())
        here = around | self.rules.get(own, set())
        granted = (here - OF_ENTRIES) | (around & OF_ENTRIES)
        if "read_file" not in granted:
            granted = granted - {"execute"}                                      # execve opens for reading too
        if own:
            return granted, OF_FILES if self.directory[own] else {"read_dir"}
        return granted, set() if self.directory[above or "/"] else KNOWN

    @staticmethod
    def pinned(_node, _verb):
        return False


# ---- ports -----------------------------------------------------------------------------------------------------------

ACTION = {"listen": 0, "udp": 0, "port": 16}
PORT_RIGHTS = {"connect_tcp": (False, False), "bind_tcp": (True, False), "connect_send_udp": (False, True), "bind_udp": (True, True)}


def action(listen, udp):
    return both("listen" if listen else "(not listen)", "udp" if udp else "(not udp)")


def artifact_ports(config, policy):
    """landlock(7): what no ruleset handles is permitted; a rule's rights are handled too, as landlockconfig has it."""
    handled, granted = set(), []
    for one in rulesets(config, policy):
        handled |= set(one.get("handledAccessNet", []))
    for rule in config.get("netPort", []):
        rights = set(known(rule, ("allowedAccess", "port"), "a rule on ports")["allowedAccess"])
        handled |= rights
        for port in rule["port"]:
            if type(port) is not int:
                raise Unusable(f"{port!r} is no port")
            if port:                                                             # 0 is whichever the kernel picks
                granted += [both(action(*PORT_RIGHTS[right]), within("port", port, port, 16)) for right in rights & set(PORT_RIGHTS)]
    if handled - set(PORT_RIGHTS):
        raise Unusable("the ruleset has rights on ports that are not understood")
    granted += [both(action(*PORT_RIGHTS[right]), within("port", 1, 65535, 16)) for right in sorted(set(PORT_RIGHTS) - handled)]
    return either(*sorted(granted))


def decides_ports(config):
    return bool(config.get("netPort")) or any(one.get("handledAccessNet") for one in config["ruleset"])


def policy_ports(policy):
    """The ports of every rule that allows: a layer without addresses must let all of them be used."""
    return either(*(both(action(rule["direction"] == "listen", protocol == "udp"), within("port", first, last, 16))
                    for rule in policy["rules"] if rule["block"] == "net" and rule["effect"] == "allow"
                    for protocol in rule["protocols"] if protocol != "icmp"
                    for endpoint in rule["endpoints"] for first, last in endpoint["ports"]))
