"""Alerts: which lines of which log `alerts.json` raises one for, as docs/reference/network.md describes the format, against
what `on deny` of the policy asks for and what a stack reports at all. A refused packet is a line of the kernel's log where
the rules stand in a namespace of the sandbox's own (nft(8), log); a name that the resolver does not serve is one of
dnsmasq's; a call that kills is an audit record of the type 1326 (AUDIT_SECCOMP, include/uapi/linux/audit.h), and in an
audited block every call that no rule allows. Nothing else is reported.
"""
from .documents import known
from .formulas import Unusable

NOT_SERVED, AUDIT_SECCOMP = "config .* is NXDOMAIN$", 1326
UNLISTED = "lines of nothing that is listed"
LINES = {"nftables": ("on", "layer", "log", "prefix", "direction", "rule"), "dns": ("on", "layer", "log", "regex"), "seccomp": ("on", "layer", "log", "type")}
LOGS = {"nftables": "kernel", "dns": "dnsmasq", "seccomp": "audit"}


def subject(severity, word):
    return f"alert {severity} for {word}" if severity else f"log of a refused {word}"


def packet(prefix, direction):
    return f"the kernel's line `{prefix}` for a packet {direction}"


def name():
    return f"the resolver's line `{NOT_SERVED}`"


# ---- what the policy asks for, and what there is ---------------------------------------------------------------------

class Policy:
    def __init__(self, policy):
        self.policy, self.rules, self.packets = policy, policy["rules"], bool(policy["run"]["network"])
        used = {"net" if rule["block"] == "unix" else rule["block"] for rule in self.rules}
        self.blocks = [block for block in ("file", "net", "syscall", "tool") if block in used]
        self.kills = any(r["block"] == "syscall" and r["effect"] == "deny" and r.get("denial") == "kill" for r in self.rules)
        self.names = any(r["block"] == "net" and r["effect"] == "allow" and r["direction"] == "connect" and any("name" in e for e in r["endpoints"])
                         for r in self.rules)
        on_deny = policy["on_deny"]
        self.asked = [(None, block) for block in self.blocks if on_deny["log"]]
        self.asked += [(alert["severity"], word) for alert in on_deny["alerts"] for word in alert["on"]]

    def reports(self, word):
        """What is written into some log when an attempt of this verb or block is refused."""
        audited, out = "syscall" in self.policy["audit"], set()
        if word == "syscall" and (self.kills or audited):
            out.add(f"the audit record {AUDIT_SECCOMP}")
        if not self.packets:
            return out
        if word in ("net", "connect") and self.names:
            out.add(name())
        for verb, direction in (("connect", "out"), ("listen", "in")):
            if word in ("net", verb):
                out.add(packet(self.policy["report"], direction))
                out |= {packet(r["report"], direction) for r in self.rules if r["block"] == "net" and r["effect"] != "allow" and
                        r["direction"] == verb and any("name" not in e for e in r["endpoints"])}
        return out

    def unreported(self, word):
        """Is "some" of it reported by nothing, or "all"? Sockets with a path are neither packets nor names."""
        if word in ("net", "connect", "listen"):
            return "some" if self.packets else "all"
        if word == "syscall":
            return None if "syscall" in self.policy["audit"] else "some" if self.kills else "all"
        return "all"


# ---- what the file says ----------------------------------------------------------------------------------------------

def line(one):
    """The verb or block, and the line."""
    layer = one.get("layer") if isinstance(one, dict) else None
    if not isinstance(layer, str) or layer not in LINES or one.get("log") != LOGS[layer]:
        raise Unusable("a line of a log is not understood")
    known(one, LINES[layer], "a line of a log")
    if layer == "seccomp":
        if type(one["type"]) is not int:
            raise Unusable("the type of an audit record is no number")
        what = f"the audit record {one['type']}"
    elif layer == "dns":
        what = f"the resolver's line `{one['regex']}`"
    else:
        if one["direction"] not in ("out", "in"):
            raise Unusable("a packet goes neither out nor in")
        what = packet(one["prefix"], one["direction"])
    if not isinstance(one["on"], str) or not all(isinstance(one.get(key, ""), str) for key in ("prefix", "regex", "rule")):
        raise Unusable("a line of a log is not understood")
    return one["on"], what


class File:
    def __init__(self, document, blocks):
        known(document, ("schema", "policy", "alerts", "log"), "the file")
        if document["schema"] != "agp-alerts/1":
            raise Unusable("the file is not one of `agp-alerts/1`")
        self.lists, self.stated, self.raised = {}, set(), set()
        if "log" in document:
            known(document["log"], ("matches", "unreported"), "`log`")
            self.lists["log"] = {"made"}
            self.stated |= {(None, block) for block in blocks}
            self.entry(document["log"], None)
        for one in document["alerts"]:
            severity = known(one, ("severity", "on", "matches", "unreported"), "an alert")["severity"]
            if severity not in ("P1", "P2", "P3", "P4", "P5") or not all(isinstance(word, str) for word in one["on"]):
                raise Unusable("an alert is not understood")
            self.stated |= {(severity, word) for word in one["on"]}
            self.put("alerts", *(subject(severity, word) for word in one["on"]))
            self.entry(one, severity)

    def put(self, key, *values):
        if values:
            self.lists.setdefault(key, set()).update(values)

    def entry(self, one, severity):
        for match in one["matches"]:
            word, what = line(match)
            self.raised.add((severity, word))
            self.put(subject(severity, word), what)
            if (severity, word) not in self.stated:
                self.put(UNLISTED, f"{subject(severity, word)}: {what}")
        for gap in one["unreported"]:
            known(gap, ("on", "all", "reason"), "what is not reported")
            if not isinstance(gap["on"], str) or not isinstance(gap["reason"], str) or type(gap["all"]) is not bool:
                raise Unusable("what is not reported is not understood")
            self.put(f"not reported: {subject(severity, gap['on'])}", *(("some", "all") if gap["all"] else ("some",)))


def sides(document, policy, demanded):
    """Lists: what the file has, and what has to be so of it."""
    asked, relation = Policy(policy), "has" if demanded else "among"
    file = File(document, asked.blocks)
    wanted = {"log": [relation, {"made"} if policy["on_deny"]["log"] else set()]}
    if not demanded:
        wanted.update({UNLISTED: ["among", set()], "alerts": ["among", {subject(*one) for one in asked.asked if one[0]}]})
        wanted.update({subject(*one): ["among", set()] for one in file.raised})
    for severity, word in asked.asked:
        what, gap = subject(severity, word), asked.unreported(word)
        wanted[what] = [relation, asked.reports(word)]
        if gap and not demanded:
            wanted[f"not reported: {what}"] = ["has", {gap}]
        elif gap == "some":
            wanted[f"not reported: {what}"] = ["among", {"some"}]
    artifact = {**{key: [] for key in wanted}, **{key: sorted(values) for key, values in file.lists.items()}}
    return artifact, {key: [word, sorted(bound)] for key, (word, bound) in wanted.items()}
