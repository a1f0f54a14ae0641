"""nftables: a ruleset as the script of `nft -f` and as the JSON of `nft -j -f`, read into one form."""
import re

from .documents import known, only
from .formulas import Unusable, bits

NO_USER = 2 ** 32  # packets of the kernel

# nft(8) and `nft describe`: the variable that a key looks at, the type of its constants, and what has to hold for it to
# be there at all.
V4, V6 = "(not v6)", "v6"
TCP, UDP, ICMP, ICMP6 = (f"(= protocol (_ bv{n} 8))" for n in (6, 17, 1, 58))
KEYS = {"ip saddr": ("saddr4", "ipv4_addr", V4), "ip daddr": ("daddr4", "ipv4_addr", V4), "ip protocol": ("protocol", "inet_proto", V4),
        "ip ttl": ("hops", "", V4), "ip6 saddr": ("saddr6", "ipv6_addr", V6), "ip6 daddr": ("daddr6", "ipv6_addr", V6),
        "ip6 hoplimit": ("hops", "", V6), "th sport": ("sport", "inet_service"), "th dport": ("dport", "inet_service"),
        "tcp sport": ("sport", "inet_service", TCP), "tcp dport": ("dport", "inet_service", TCP), "tcp flags": ("tcp_flags", "flags", TCP),
        "udp sport": ("sport", "inet_service", UDP), "udp dport": ("dport", "inet_service", UDP),
        "icmp type": ("icmp_type", "icmp_type", V4, ICMP), "icmp code": ("icmp_code", "", V4, ICMP),
        "icmpv6 type": ("icmp_type", "icmpv6_type", V6, ICMP6), "icmpv6 code": ("icmp_code", "", V6, ICMP6),
        "ct state": ("state", "ct_state"), "meta l4proto": ("protocol", "inet_proto"), "meta skuid": ("user", "uid", f"(distinct user {bits(NO_USER, 36)})"),
        "meta pkttype": ("kind", "pkt_type"), "meta nfproto": ("v6", "nf_proto"), "meta iifname": ("in", "ifname"), "meta oifname": ("out", "ifname"),
        "socket cgroupv2": ("cgroup", "")}                                       # the level stands for the type
WORDS = {"inet_proto": {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132, "udplite": 136},
         "ct_state": {"new": 0, "established": 1, "related": 2, "invalid": 3, "untracked": 4},
         "pkt_type": {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3},
         "nf_proto": {"ipv4": 0, "ipv6": 1}, "ifname": {"lo": 1}, "flags": {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128},
         "icmp_type": {"echo-reply": 0, "destination-unreachable": 3, "echo-request": 8, "time-exceeded": 11, "parameter-problem": 12},
         "icmpv6_type": {"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128,
                         "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132, "nd-router-solicit": 133,
                         "nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137, "mld2-listener-report": 143}}


PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}           # names at these hooks
TRACKED = -200                                                                   # what goes out (NF_IP_PRI_CONNTRACK)


class Ruleset:
    """Chains as lists of rules, rules as lists of statements: ("match", keys, elements or a set's name, negated),
    ("mask", key, mask, value), ("map", keys, elements or a map's name), ("log", prefix), ("verdict", word, chain). An
    element is a list of words, one for each key, and a verdict or None."""

    def __init__(self):
        self.chains, self.bases, self.sets, self.tables = {}, [], {}, {}

    def table(self, family, name):
        if family != "inet":
            raise Unusable(f"tables of the family {family} are not understood")
        if name in self.tables:
            raise Unusable(f"the table {name} is declared twice")
        self.tables[name] = family

    def delete(self, family, name):
        if self.tables.get(name) != family or self.chains or self.sets:
            raise Unusable("something is deleted that is not an empty table of this ruleset")
        del self.tables[name]

    def chain(self, table, name):
        """A chain begins; its rules are added to the list."""
        if (table, name) in self.chains:
            raise Unusable(f"the chain {name} is declared twice")
        return self.chains.setdefault((table, name), [])

    def base(self, table, chain, form, hook, priority, policy):
        if form != "filter" or hook not in ("input", "forward", "output") or policy not in ("accept", "drop"):
            raise Unusable(f"the chain {chain} is not a filter of packets in, out or through")
        priority = PRIORITIES.get(priority, priority)
        if isinstance(priority, bool) or not re.fullmatch("-?(0|[1-9][0-9]{0,8})", str(priority), re.A):
            raise Unusable(f"`{priority}` is no priority")
        if hook == "output" and int(priority) <= TRACKED:
            raise Unusable(f"the chain {chain} comes before connections are tracked, and no packet in it has a state")
        if any((table, chain) == base[:2] for base in self.bases):
            raise Unusable(f"the chain {chain} has two hooks")
        self.bases.append((table, chain, hook, policy == "accept"))

    def set(self, table, name, what, kinds, flags, elements):
        if (table, name) in self.sets:
            raise Unusable(f"the {what} {name} is declared twice")
        if not kinds or not set(flags) <= {"interval", "constant", "timeout"}:
            raise Unusable(f"the {what} {name} has no type, or a flag that is not understood")
        if "timeout" in flags and elements:
            raise expiring(name)
        self.sets[table, name] = (kinds, elements, [what, *flags])


def expiring(what):
    """A time-out is for what answers fill, which is taken as arbitrary: of what the ruleset states it would be true at
    first only."""
    return Unusable(f"elements of {what} expire")


LOG = ("prefix", "level", "flags", "group", "snaplen", "queue-threshold")


def logged(prefix="", level="warn", group=None, **_others):
    """A line in the kernel's log: a group's goes to whoever listens there, and `audit` is another log (nft(8))."""
    if group is not None or level == "audit":
        raise Unusable("a report to another place than the kernel's log is not understood")
    return ("log", prefix)


def key(base, field):
    if f"{base} {field}" not in KEYS:
        raise Unusable(f"`{base} {field}` is not understood")
    return KEYS[f"{base} {field}"]


# ---- the form of `nft -j -f` -----------------------------------------------------------------------------------------

def json_keys(e):
    form, body = only(e, "what is looked at")
    if form == "concat":
        return [k for one in body for k in json_keys(one)]
    if form == "payload":
        known(body, ("protocol", "field"), "a payload")
        return [key(body["protocol"], body["field"])]
    if form == "socket":
        raise Unusable("the JSON form does not say the level of a cgroup")
    return [key(form, known(body, ("key",), f"`{form}`")["key"])]


def json_words(e):
    """An element or a value, as one word for each part."""
    if isinstance(e, dict):
        form, body = only(e, "an element")
        if form == "elem":
            if isinstance(body, dict) and {"timeout", "expires"} & set(body):
                raise expiring("a set")
            return json_words(known(body, ("val", "comment", "counter"), "an element")["val"])
        if form == "concat":
            return [w for one in body for w in json_words(one)]
        if form == "prefix":
            known(body, ("addr", "len"), "a prefix")
            return [f"{body['addr']}/{body['len']}"]
        if form == "range":
            first, last = body
            return [f"{first}-{last}"]
        raise Unusable(f"`{form}` in a set is not understood")
    return [str(e)]


def json_elements(data):
    if isinstance(data, str) and data.startswith("@"):
        return data[1:]
    data = data["set"] if isinstance(data, dict) and set(data) == {"set"} else data if isinstance(data, list) else [data]
    out = []
    for e in data if isinstance(data, list) else [data]:
        if isinstance(e, list):
            value, verdict = e
            out.append((json_words(value), json_verdict(verdict)))
        else:
            out.append((json_words(e), None))
    return out


def json_verdict(v):
    word, target = only(v, "a verdict")
    if word in ("goto", "jump"):
        return word, known(target, ("target",), f"`{word}`")["target"]
    if word not in ("accept", "drop", "continue", "return") or target is not None:
        raise Unusable(f"`{word}` is no verdict")
    return word, None


def json_statement(e):
    form, body = only(e, "a statement")
    if form == "counter":
        if body is not None and not isinstance(body, str):
            known(body, ("packets", "bytes"), "a counter")
        return None
    if form == "log":
        return logged(**{name.replace("-", "_"): value for name, value in known(body or {}, LOG, "a log").items()})
    if form == "match":
        left, right = known(body, ("op", "left", "right"), "a match")["left"], body["right"]
        if body["op"] not in ("==", "!="):
            raise Unusable(f"the operator `{body['op']}` is not understood")
        if "&" in left:
            looked, mask = known(left, ("&",), "a mask")["&"]
            names = lambda x: [x] if isinstance(x, str) else x
            return ("mask", json_keys(looked)[0], names(mask), names(right), body["op"] == "!=")
        return ("match", json_keys(left), json_elements(right), body["op"] == "!=")
    if form == "vmap":
        return ("map", json_keys(known(body, ("key", "data"), "a vmap")["key"]), json_elements(body["data"]))
    if form == "reject":
        return ("reject", known(body or {}, ("type", "expr"), "a reject").get("type", ""))
    return ("verdict", *json_verdict(e))


# What a command's object may have, beside a handle and a comment, which change nothing: libnftables-json(5).
MEMBERS = {"table": ("name",), "counter": ("table", "name", "packets", "bytes"), "rule": ("table", "chain", "expr"),
           "chain": ("table", "name", "type", "hook", "prio", "policy"),
           "set": ("table", "name", "type", "flags", "elem", "timeout")}
MEMBERS["map"] = (*MEMBERS["set"], "map")


def read_json(document):
    out = Ruleset()
    for command in known(document, ("nftables",), "the ruleset")["nftables"]:
        verb, thing = only(command, "a command")
        if verb == "metainfo":
            continue
        what, body = only(thing, f"`{verb}`") if verb in ("add", "delete") else (verb, thing)
        if what not in MEMBERS or (verb == "delete" and what != "table"):
            raise Unusable(f"`{verb}` of `{what}` is not understood")
        known(body, (*MEMBERS[what], "family", "handle", "comment"), f"a {what}")
        family, table = body["family"], body["name" if what == "table" else "table"]
        if what == "table":
            (out.delete if verb == "delete" else out.table)(family, table)
            continue
        if out.tables.get(table) != family:
            raise Unusable(f"there is no table {family} {table}")
        if what == "chain":
            out.chain(table, body["name"])
            if "hook" in body:
                out.base(table, body["name"], body["type"], body["hook"], body.get("prio"), body.get("policy", "accept"))
            elif {"type", "prio", "policy"} & set(body):
                raise Unusable(f"the chain {body['name']} has a policy and no hook")
        elif what in ("set", "map"):
            if what == "map" and body["map"] != "verdict":
                raise Unusable("a map to something else than verdicts is not understood")
            some = lambda x: [x] if isinstance(x, str) else x
            flags = some(body.get("flags", [])) + (["timeout"] if "timeout" in body else [])
            out.set(table, body["name"], what, some(body["type"]), flags, json_elements(body.get("elem", [])))
        elif what == "rule":
            out.chains[table, body["chain"]].append([s for s in map(json_statement, body["expr"]) if s])
    return out


# ---- the form of `nft -f` --------------------------------------------------------------------------------------------

class Script:
    """Tokens; what is written in quotes keeps one quote in front."""

    def __init__(self, text):
        text = re.sub(r"(?m)^\s*#.*$", "", text)
        form = re.compile(r'"[^"\n]*"|[{}(),;\n]|[^\s{}(),;"]+')
        if form.sub("", text).strip():
            raise Unusable("a quotation mark stands alone")
        self.words = [w if w[0] != '"' else w[:-1] for w in form.findall(text)]
        self.at = 0

    def peek(self):
        return self.words[self.at] if self.at < len(self.words) else None

    def next(self, expected=None):
        word = self.peek()
        if word is None or (expected and word != expected):
            raise Unusable(f"`{expected or 'something'}` is missing before `{word}`")
        self.at += 1
        return word

    def ends(self):
        return self.peek() in ("\n", ";", "}", None)

    def skip(self):
        while self.peek() in ("\n", ";"):
            self.at += 1

    def verdict(self):
        word = self.next()
        if word not in ("accept", "drop", "reject", "continue", "return", "goto", "jump"):
            raise Unusable(f"`{word}` is no verdict")
        return word, self.next() if word in ("goto", "jump") else None

    def elements(self):
        self.next("{")
        out = []
        while self.skip() or self.peek() != "}":
            words, verdict = [self.next().lstrip('"')], None
            while self.peek() == ".":
                self.next()
                words.append(self.next().lstrip('"'))
            if self.peek() == "comment":
                self.next(), self.next()
            if self.peek() in ("timeout", "expires"):
                raise expiring("a set")
            if self.peek() == ":":
                self.next()
                verdict = self.verdict()
            out.append((words, verdict))
            self.skip()
            if self.peek() != "}":
                self.next(",")
        self.next("}")
        return out

    def data(self):
        if self.peek() == "{":
            return self.elements()
        word = self.next()
        return word[1:] if word.startswith("@") else [([word.lstrip('"')], None)]

    def key(self, base):
        found = key(base, self.next())
        if found[0] != "cgroup":
            return found
        self.next("level")
        level = self.next()
        if not re.fullmatch("[1-9][0-9]{0,2}", level, re.A):
            raise Unusable(f"`{level}` is no level")
        return ("cgroup", int(level))

    def statement(self):
        word = self.next()
        if word == "counter":
            if self.peek() == "name":
                self.next(), self.next()
            return None
        if word == "log":
            options = {}
            while self.peek() in LOG[:2]:
                name = self.next()
                options[name] = self.next().removeprefix('"')
            return logged(**options)
        if word == "comment":
            return self.next() and None
        if word == "reject":
            kind = []
            while not self.ends() and self.peek() != "comment":
                kind.append(self.next())
            return ("reject", " ".join(kind[1:] if kind[:1] == ["with"] else kind).replace(" admin-prohibited", ""))
        if word in ("accept", "drop", "continue", "return", "goto", "jump"):
            self.at -= 1
            return ("verdict", *self.verdict())
        keys = [self.key(word)]
        while self.peek() == ".":
            self.next()
            keys.append(self.key(self.next()))
        if self.peek() == "vmap":
            self.next()
            return ("map", keys, self.data())
        mask = None
        if self.peek() == "&":
            self.next(), self.next("(")
            mask = [self.next()]
            while self.peek() != ")":
                self.next("|")
                mask.append(self.next())
            self.next(")")
        negated = self.peek() == "!="
        if self.peek() in ("==", "!="):
            self.next()
        return ("mask", keys[0], mask, [self.next()], negated) if mask else ("match", keys, self.data(), negated)


    def chain(self, out, table, name):
        rules = out.chain(table, name)
        while self.skip() or self.peek() != "}":
            if self.peek() == "type":
                words = []
                while not self.ends():
                    words.append(self.next())
                if words[::2] != ["type", "hook", "priority"] or len(words) != 6:
                    raise Unusable(f"`{' '.join(words)}` is not understood")
                self.next(";"), self.next("policy")
                out.base(table, name, words[1], words[3], words[5], self.next())
                if not self.ends():
                    raise Unusable(f"`{self.peek()}` behind a policy is not understood")
                continue
            rule = []
            while not self.ends():
                rule.append(self.statement())
            rules.append([s for s in rule if s])

    def set(self, out, table, name, what):
        kinds, flags, elements, seen = [], [], [], set()
        while self.skip() or self.peek() != "}":
            word, rest = self.next(), []
            if word in seen:
                raise Unusable(f"`{word}` stands twice in a {what}")
            seen.add(word)
            if word == "elements":
                self.next("=")
                elements = self.elements()
                continue
            while not self.ends():
                rest.append(self.next())
            if word == "type" and what == "map":
                if rest[-2:] != [":", "verdict"]:
                    raise Unusable("a map to something else than verdicts is not understood")
                del rest[-2:]
            if word in ("type", "flags"):
                if set(rest[1::2]) - {"." if word == "type" else ","}:
                    raise Unusable(f"`{word} {' '.join(rest)}` is not understood")
                (kinds if word == "type" else flags).extend(rest[::2])
            elif word == "timeout":
                flags.append(word)
            elif word != "comment":
                raise Unusable(f"`{word}` of a {what} is not understood")
        out.set(table, name, what, kinds, flags, elements)


def read_script(text):
    script, out = Script(text), Ruleset()
    while script.skip() or script.peek():
        verb = script.next()
        if verb == "delete":
            script.next("table")
            out.delete(script.next(), script.next())
            continue
        if verb != "table":
            raise Unusable(f"`{verb}` is not understood")
        family, table = script.next(), script.next()
        out.table(family, table)
        script.next("{")
        while script.skip() or script.peek() != "}":
            what, name = script.next(), script.next()
            if name.startswith('"'):
                raise Unusable(f"`{name[1:]}` is a name, and names are not quoted")
            script.next("{")
            if what == "chain":
                script.chain(out, table, name)
            elif what in ("set", "map"):
                script.set(out, table, name, what)
            elif what != "counter" or (script.skip() or script.peek() != "}"):
                raise Unusable(f"`{what}` is not understood")
            script.next("}")
        script.next("}")
    return out
