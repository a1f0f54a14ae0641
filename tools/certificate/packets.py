"""Packets: what an nftables ruleset lets pass at the hooks of a network namespace, and what the policy says about it."""
import functools
import ipaddress
import operator
import re

from .documents import known, only
from .formulas import Unusable, bits, both, either, no, within

PACKET = {"output": 0, "state": 4, "v6": 0, "user": 36, "in": 8, "out": 8, "protocol": 8, "kind": 4, "hops": 8, "icmp_type": 8,
          "icmp_code": 8, "tcp_flags": 8, "daddr4": 32, "daddr6": 128, "dport": 16, "saddr4": 32, "saddr6": 128, "sport": 16}
NO_USER, DNS_USER = 2 ** 32, 2 ** 32 + 1  # packets of the kernel; the user that the target calls by its name

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
        "meta pkttype": ("kind", "pkt_type"), "meta nfproto": ("v6", "nf_proto"), "meta iifname": ("in", "ifname"), "meta oifname": ("out", "ifname")}
WORDS = {"inet_proto": {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132, "udplite": 136},
         "ct_state": {"new": 0, "established": 1, "related": 2, "invalid": 3, "untracked": 4},
         "pkt_type": {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3},
         "nf_proto": {"ipv4": 0, "ipv6": 1}, "ifname": {"lo": 1}, "flags": {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128},
         "icmp_type": {"echo-reply": 0, "destination-unreachable": 3, "echo-request": 8, "time-exceeded": 11, "parameter-problem": 12},
         "icmpv6_type": {"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128,
                         "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132, "nd-router-solicit": 133,
                         "nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137, "mld2-listener-report": 143}}


def constant(kind, word, policy):
    """A value, prefix or range of a type, as its first and its last number."""
    if kind in ("ipv4_addr", "ipv6_addr"):
        form = ipaddress.IPv4Address if kind == "ipv4_addr" else ipaddress.IPv6Address
        if "/" in word:
            net = (ipaddress.IPv4Network if kind == "ipv4_addr" else ipaddress.IPv6Network)(word)
            return int(net[0]), int(net[-1])
        first, _, last = word.partition("-")
        return int(form(first)), int(form(last or first))
    if kind == "uid" and word == policy["target"]["dns_user"]:
        return DNS_USER, DNS_USER
    if word in WORDS.get(kind, {}):
        return WORDS[kind][word], WORDS[kind][word]
    first, _, last = word.partition("-")
    if not re.fullmatch(r"\d+(-\d+)?", word) or kind in ("ct_state", "pkt_type", "nf_proto", "ifname", "flags"):
        raise Unusable(f"`{word}` is no constant of the type {kind or 'integer'}")
    return int(first), int(last or first)


class Ruleset:
    """Chains as lists of rules, rules as lists of statements: ("match", keys, elements or a set's name, negated),
    ("mask", key, mask, value), ("map", keys, elements or a map's name), ("verdict", word, chain). An element is a list of
    words, one for each key, and a verdict or None."""

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

    def base(self, table, chain, form, hook, policy):
        if form != "filter" or hook not in ("input", "forward", "output") or policy not in ("accept", "drop"):
            raise Unusable(f"the chain {chain} is not a filter of packets in, out or through")
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
        known(body or {}, ("prefix", "level", "flags", "group", "snaplen", "queue-threshold"), "a log")
        return None
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
           "set": ("table", "name", "type", "flags", "elem", "timeout", "size")}
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
                out.base(table, body["name"], body["type"], body["hook"], body.get("policy", "accept"))
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

    def statement(self):
        word = self.next()
        if word == "counter":
            if self.peek() == "name":
                self.next(), self.next()
            return None
        if word == "log":
            while self.peek() in ("prefix", "level"):
                self.next(), self.next()
            return None
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
        keys = [key(word, self.next())]
        while self.peek() == ".":
            self.next()
            keys.append(key(self.next(), self.next()))
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
                out.base(table, name, words[1], words[3], self.next())
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
            elif word not in ("comment", "size"):
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


# ---- what passes -----------------------------------------------------------------------------------------------------

class Passing:
    def __init__(self, s, ruleset, policy, sets, demanded):
        self.s, self.rules, self.policy, self.sets, self.demanded = s, ruleset, policy, sets, demanded
        self.known = {}

    def hook(self, name):
        return both(*(self.chain(table, chain, "true" if accepts else "false", 0)
                      for table, chain, hook, accepts in self.rules.bases if hook == name))

    def chain(self, table, name, end, depth):
        """What passes when the chain is entered and `end` is what passes behind its last rule."""
        if depth >= 16:                                                          # NFT_JUMP_STACK_SIZE
            raise Unusable("chains go to one another more than 16 deep")
        if (table, name, end) not in self.known:
            after = end
            for number, rule in reversed(list(enumerate(self.rules.chains[table, name]))):
                after = self.s.define(f"{re.sub('[^a-z0-9]', '_', name)}.{number}.{len(self.known)}.{len(self.s.lines)}",
                                      self.rule(table, rule, after, end, depth))
            self.known[table, name, end] = after
        return self.known[table, name, end]

    def rule(self, table, rule, after, end, depth):
        if not rule:
            return after
        form, *rest = rule[0]
        go_on = lambda: self.rule(table, rule[1:], after, end, depth)

        def verdict(word, chain):
            if word in ("goto", "jump"):
                if any((table, chain) == base[:2] for base in self.rules.bases):
                    raise Unusable(f"a rule goes to the base chain {chain}")
                return self.chain(table, chain, after if word == "jump" else end, depth + 1)
            return {"accept": "true", "drop": "false", "return": end}[word] if word != "continue" else go_on()

        def choose(when, then, otherwise):
            return either(both(when, then), both(no(when), otherwise)) if then != otherwise else then

        if form == "verdict":
            return verdict(*rest)
        if form == "reject":
            needs = {"tcp reset": TCP, "icmpx": "true", "icmp": V4, "icmpv6": V6, "": "true"}
            if rest[0] not in needs:
                raise Unusable(f"`reject with {rest[0]}` is not understood")
            return choose(needs[rest[0]], "false", after)
        if form == "mask":
            one, mask, value, negated = rest
            number = lambda words: functools.reduce(operator.or_, (constant(one[1], w, self.policy)[0] for w in words))
            test = f"(= (bvand {one[0]} {bits(number(mask), PACKET[one[0]])}) {bits(number(value), PACKET[one[0]])})"
            return choose(both(*one[2:], no(test) if negated else test), go_on(), after)
        keys, data = rest[:2]
        there = both(*(n for k in keys for n in k[2:]))
        if form == "match":
            inside = self.inside(table, keys, data)
            return choose(both(there, no(inside) if rest[2] else inside), go_on(), after)
        if isinstance(data, str):
            kinds, data, flags = self.rules.sets[table, data]
            if kinds != [k[1] for k in keys] or "map" not in flags:
                raise Unusable("what a rule looks up is not a map of its type")
        ways = {}                                                                # those with one outcome together: nft refuses overlaps
        for words, v in data:
            ways.setdefault(verdict(*v), []).append(self.element(keys, words))
        out = after
        for then, whens in reversed(ways.items()):
            out = choose(both(there, either(*whens)), then, out)
        return out

    def inside(self, table, keys, data):
        if isinstance(data, str):
            kinds, elements, flags = self.rules.sets[table, data]
            if kinds != [k[1] for k in keys]:
                raise Unusable(f"the set {data} is of another type than what is looked up in it")
            fillable = len(keys) == 1 and not {"map", "constant"} & set(flags) and not ("interval" in flags and elements)
            if fillable and data in self.sets and keys[0][0].startswith("daddr"):    # the resolver fills it
                return "false" if self.demanded and "timeout" in flags else f"in.{data}"
            if "map" in flags:
                raise Unusable(f"{data} is a map, not a set")
            data = elements
        if any(v for _, v in data):
            raise Unusable("an element of a set has a verdict")
        return either(*(self.element(keys, words) for words, _ in data))

    def element(self, keys, words):
        if len(words) != len(keys):
            raise Unusable("an element has more or fewer parts than what is looked up")
        parts = []
        for (name, kind, *_), word in zip(keys, words):
            first, last = constant(kind, word, self.policy)
            parts.append(within(name, first, last, PACKET[name]) if name != "v6" else {0: V4, 1: V6}[first])
        return both(*parts)


# ---- the policy ------------------------------------------------------------------------------------------------------

def addresses(ranges, source=False):
    """`ranges` is a list of first and last addresses; of either family."""
    side, out = "saddr" if source else "daddr", []
    for first, last in ranges:
        first, last = ipaddress.ip_address(first), ipaddress.ip_address(last)
        out.append(both(V4 if first.version == 4 else V6,
                        within(f"{side}{first.version}", int(first), int(last), 32 if first.version == 4 else 128)))
    return either(*out)


def to(*texts):
    return addresses([(str(n[0]), str(n[-1])) for n in map(ipaddress.ip_network, texts)])


def coming(*texts):
    return addresses([(str(n[0]), str(n[-1])) for n in map(ipaddress.ip_network, texts)], source=True)


def transport(number):
    return f"(= protocol {bits(number, 8)})"


def icmp(six, *types):
    return both(V6 if six else V4, transport(58 if six else 1), either(*(f"(= icmp_type {bits(t, 8)})" for t in types)))


def at(name, value):
    return f"(= {name} {bits(value, PACKET[name])})"


def state_is(word):
    return at("state", WORDS["ct_state"][word])


def endpoint(rule, e, back):
    """Packets to an endpoint of a rule; `back`: the answers that come from there."""
    ports = either(*(within("sport" if back else "dport", first, last, 16) for first, last in e["ports"]))
    ways = [both(transport({"tcp": 6, "udp": 17}[p]), ports) for p in rule["protocols"] if p != "icmp"]
    if "icmp" in rule["protocols"] and e["icmp"]:
        ways += [both(V4, transport(1)), both(V6, transport(58))]
    return both(addresses(e["addresses"], back), either(*ways))


def region(rule, e, back):
    out = both(endpoint(rule, e, back), *(no(endpoint(rule, x, back)) for x in rule["except"] if "name" not in x))
    if "sets" in e and not back:
        out = both(out, f"(ite v6 in.{e['sets']['6']} in.{e['sets']['4']})")
    if rule["direction"] == "listen" and "from" in rule:
        out = both(out, addresses(rule["from"], not back))
    return out


def permitted(s, policy, direction, back=False):
    sides = {True: [], False: []}
    for i, rule in enumerate(policy["rules"]):
        if rule["block"] != "net" or rule["direction"] != direction:
            continue
        allows = rule["effect"] == "allow"
        for n, e in enumerate(rule["endpoints"]):
            if "name" not in e or (allows and direction == "connect"):               # a packet bears no name
                sides[allows].append(s.define(f"rule{i}.{n}.{direction}{'.back' if back else ''}", region(rule, e, back)))
    return both(either(*sides[True]), no(either(*sides[False])))


def gaps(policy, direction, may):
    return either(*(region(policy["rules"][g["rule"]], policy["rules"][g["rule"]]["endpoints"][g["endpoint"]], False)
                    for g in policy["gaps"] if g["block"] == "net" and g[may] and policy["rules"][g["rule"]]["direction"] == direction))


def set_names(policy):
    """The sets that the answers for a name fill: what they hold is arbitrary."""
    return sorted({name for rule in policy["rules"] if "endpoints" in rule and rule.get("was", rule["effect"]) == "allow"
                   for e in rule["endpoints"] for name in e.get("sets", {}).values()})


def dns(*servers):
    return both(to(*servers) if servers else "false", either(transport(6), transport(17)), at("dport", 53))


def exists(output):
    """Packets that can be at the hook: none to `::` or 0.0.0.0, which is loopback; none with a mapped address."""
    loop = either(to("127.0.0.0/8", "::1"), "false" if output else coming("127.0.0.0/8", "::1"))
    lo = at("out" if output else "in", 1)
    mapped = lambda side: both(V6, within(f"{side}6", 0xffff << 32, (0xffff << 32) + 2 ** 32 - 1, 128))
    return both(within("state", 0, 4, 4), within("user", 0, DNS_USER, 36), within("kind", 0, 3, 4),
                within("in", 0, 0 if output else 1, 8), within("out", 0, 1 if output else 0, 8),
                no(to("0.0.0.0", "::")), no(mapped("daddr")), no(mapped("saddr")), either(no(loop), lo))


def policy_side(s, policy, demanded, sent, received):
    agent, needs = at("user", policy["user"]), policy["packet_needs"]
    errors = either(icmp(False, 3, 11, 12), icmp(True, 1, 2, 3, 4))
    neighbours = both(icmp(True, 135, 136), at("hops", 255))
    if not demanded:
        may_send = [permitted(s, policy, "connect"), gaps(policy, "connect", "exceed")]
        may_come = [permitted(s, policy, "listen"), gaps(policy, "listen", "exceed")]
        if needs["resolver"]:
            asked = dns("127.0.0.53")
            may_come.append(asked)
            may_send += [asked, both(no(agent), no(at("user", NO_USER)), dns(*policy["resolvers"]))]
        reset = both(transport(6), "(= (bvand tcp_flags (_ bv6 8)) (_ bv4 8))")
        return either(both("output", either(*may_send)), both("(not output)", either(*may_come)), state_is("established"),
                      both(state_is("related"), either(errors, reset)), both(state_is("untracked"), neighbours))
    echo = both(either(icmp(False, 8), icmp(True, 128)), at("icmp_code", 0), at("dport", 0))
    usual = both(at("kind", 0), within("hops", 63, 64, 8), within("sport", 1024, 65535, 16),
                 either(both(transport(6), at("tcp_flags", 2)), transport(17), echo),
                 no(coming("0.0.0.0", "::", "224.0.0.0/3", "ff00::/8")))
    lo, local = at("out", 1), to("127.0.0.0/8", "::1")
    answer = both(at("kind", 0), state_is("established"), within("dport", 1024, 65535, 16), no(at("user", NO_USER)))
    opens = either(state_is("new"), state_is("established"))
    listens, connects = (both(permitted(s, policy, d), no(gaps(policy, d, "lack"))) for d in ("listen", "connect"))
    out = [both("output", sent, usual, agent, either(both(local, lo), both(no(local), no(lo))), opens, connects),
           both("(not output)", received, usual, opens, listens),
           both("(not output)", received, answer, permitted(s, policy, "connect", True)),
           both("output", sent, answer, agent, permitted(s, policy, "listen", True))]
    if needs["any"]:
        here = either(both("output", sent), both("(not output)", received))
        if needs["ipv6"]:
            groups = either(to("ff02::1", "ff02::1:ff00:0/104"), both(V6, no(to("ff00::/8", "::", "::1"))))
            out.append(both(here, state_is("untracked"), neighbours, groups, at("icmp_code", 0)))
        path = either(icmp(False, 3), icmp(True, 1, 2) if needs["ipv6"] else "false")
        out.append(both("(not output)", received, state_is("related"), at("kind", 0), path))
        if needs["resolver"]:
            first = both(state_is("new"), at("tcp_flags", 2), within("sport", 1024, 65535, 16))
            asked = both(dns("127.0.0.53"), first, at("kind", 0))
            out += [both("output", sent, asked, agent, lo),
                    both("(not output)", received, asked, coming("127.0.0.0/8", "::1"), at("in", 1)),
                    both("output", sent, dns(*policy["resolvers"]), first, at("user", policy["asks"]), no(lo),
                         no(coming("127.0.0.0/8", "::1")))]
    return either(*out)


def sides(s, ruleset, policy, demanded):
    """What the rules let pass, and what may pass or has to."""
    users = set()
    for (table, _), rules in ruleset.chains.items():
        for form, *rest in (statement for rule in rules for statement in rule):
            for n, one in enumerate(rest[0] if form in ("match", "map") else ()):
                if one[1] == "uid":
                    elements = ruleset.sets[table, rest[1]][1] if isinstance(rest[1], str) else rest[1]
                    users |= {constant("uid", words[n], policy)[0] for words, _ in elements}
    others = sorted(users - {policy["user"]})
    if len(others) > 1:
        raise Unusable("the rules name several users")
    policy = {**policy, "asks": others[0] if others else NO_USER}
    passing = Passing(s, ruleset, policy, set_names(policy), demanded)
    sent, received = s.define("exists.output", exists(True)), s.define("exists.input", exists(False))
    passes = [both("output", passing.hook("output")), both("(not output)", passing.hook("input"))]
    if not demanded:
        passes = [both(passes[0], sent), both(passes[1], received)]
    return either(*passes), policy_side(s, policy, demanded, sent, received)
