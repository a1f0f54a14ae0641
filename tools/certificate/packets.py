"""Packets: what an nftables ruleset lets pass at the hooks of a network namespace, and what it reports, against what the
policy says about it. The table judges all that is in a namespace of the agent's own, or the agent's packets among those
of the host: by the socket's cgroup, by its user, or by the interface that a microVM is behind."""
import functools
import ipaddress
import operator
import re

from .formulas import Refuted, Unusable, bits, both, either, no, within
from .nft import NO_USER, TCP, V4, V6, WORDS

PACKET = {"output": 0, "state": 4, "v6": 0, "user": 36, "in": 8, "out": 8, "protocol": 8, "kind": 4, "hops": 8, "icmp_type": 8,
          "icmp_code": 8, "tcp_flags": 8, "daddr4": 32, "daddr6": 128, "dport": 16, "saddr4": 32, "saddr6": 128, "sport": 16}
DNS_USER = 2 ** 32 + 1  # the user that the target calls by its name
INTERFACE = 2           # the agent's; 0 is any that nobody mentions, 1 is `lo`
PERMITS, REPORTS, QUIET = "audit: permits all", "audit: reports every refusal", "audit: reports nothing else"
CONTROLS = {PERMITS: "NO_REPORT", "no excess": "NOTHING"}  # what a control demands where no rule decides


def inputs(policy):
    """Beside the packet: is it one that is passed on; is its socket in the agent's cgroup, or beneath it; the filled sets."""
    form = policy["attach"]["form"]
    return {**PACKET, **({} if form == "namespace" else {"forward": 0}), **({"cgroup": 0} if form == "cgroup" else {}),
            **{f"in.{name}": 0 for name in set_names(policy)}}


def constant(kind, word, policy):
    """A value, prefix or range of a type, as its first and its last number."""
    if kind in ("ipv4_addr", "ipv6_addr"):
        form = ipaddress.IPv4Address if kind == "ipv4_addr" else ipaddress.IPv6Address
        if "/" in word:
            if not re.search("/(0|[1-9][0-9]*)$", word, re.A):
                raise Unusable(f"`{word}` is no prefix")
            net = (ipaddress.IPv4Network if kind == "ipv4_addr" else ipaddress.IPv6Network)(word)
            return int(net[0]), int(net[-1])
        first, _, last = word.partition("-")
        return int(form(first)), int(form(last or first))
    if kind == "uid" and word == policy["target"]["dns_user"]:
        return DNS_USER, DNS_USER
    if kind == "ifname" and word == policy["attach"].get("interface"):
        return INTERFACE, INTERFACE
    if word in WORDS.get(kind, {}):
        return WORDS[kind][word], WORDS[kind][word]
    first, _, last = word.partition("-")
    if not re.fullmatch("(0|[1-9][0-9]*)(-(0|[1-9][0-9]*))?", word, re.A) or kind in ("ct_state", "pkt_type", "nf_proto", "ifname", "flags"):
        raise Unusable(f"`{word}` is no constant of the type {kind or 'integer'}")  # a zero in front makes it octal to nft
    return int(first), int(last or first)


# ---- what passes -----------------------------------------------------------------------------------------------------

class Passing:
    """What passes a hook: every base chain there has to accept. With `counts`, a test of prefixes, what leaves a line in
    the log: in one of them is enough, and what accepts or refuses has not reported. Right for what passes."""

    def __init__(self, s, ruleset, policy, sets, demanded, counts=None):
        self.s, self.rules, self.policy, self.sets, self.demanded = s, ruleset, policy, sets, demanded
        self.known, self.counts = {}, counts
        self.accepted = "true" if counts is None else "false"

    def hook(self, name):
        return (both if self.counts is None else either)(*(
            self.chain(table, chain, self.accepted if accepts else "false", 0) for table, chain, hook, accepts in self.rules.bases if hook == name))

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
            return {"accept": self.accepted, "drop": "false", "return": end}[word] if word != "continue" else go_on()

        def choose(when, then, otherwise):
            return either(both(when, then), both(no(when), otherwise)) if then != otherwise else then

        if form == "verdict":
            return verdict(*rest)
        if form == "log":
            return "true" if self.counts is not None and self.counts(rest[0]) else go_on()
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
            if rest[2] and any(k[0] == "cgroup" for k in keys):
                raise Unusable("`!=` of a cgroup is not understood")
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
            if name == "cgroup":                                                 # at another level than its own no cgroup has this name
                if f"/{word}" != self.policy["attach"].get("cgroup"):
                    raise Unusable(f"the cgroup `{word}` is not the agent's")
                parts.append("cgroup" if kind == 1 + word.count("/") else "false")
                continue
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


def hooks(policy):
    """Where packets of somebody's can be, and how the formulas say so."""
    if policy["attach"]["form"] == "namespace":
        return {"output": "output", "input": "(not output)"}
    return {"output": "output", "input": both("(not output)", "(not forward)"), "forward": both("(not output)", "forward")}


def mine(policy, sends, hook):
    """The agent's packets at a hook, those that it sends and those that come to it. What comes in shows no user."""
    form, usual = policy["attach"]["form"], hook == ("output" if sends else "input")
    if form == "interface":                                                      # what a microVM sends to itself, it sends
        return "false" if usual else at("in", INTERFACE) if sends else both(at("out", INTERFACE), no(at("in", INTERFACE)))
    return "false" if not usual or (form == "user" and not sends) else {"user": at("user", policy["user"]), "cgroup": "cgroup"}.get(form, "true")


def exists(policy, hook):
    """Packets that can be at the hook: none to `::` or 0.0.0.0, which is loopback; none with a mapped address."""
    loop = either(to("127.0.0.0/8", "::1"), coming("127.0.0.0/8", "::1") if hook == "input" else "false")
    most = INTERFACE if policy["attach"]["form"] == "interface" else 1
    mapped = lambda side: both(V6, within(f"{side}6", 0xffff << 32, (0xffff << 32) + 2 ** 32 - 1, 128))
    by = both(no(loop), no(at("in", 1)), no(at("out", 1))) if hook == "forward" else either(no(loop), at("out" if hook == "output" else "in", 1))
    return both(within("state", 0, 4, 4), within("user", 0, DNS_USER, 36), within("kind", 0, 3, 4),
                within("in", 0, 0 if hook == "output" else most, 8), within("out", 0, 0 if hook == "input" else most, 8),
                no(to("0.0.0.0", "::")), no(mapped("daddr")), no(mapped("saddr")), by)


def may_pass(s, policy, where):
    """What the policy permits, and what comes with a connection that it permitted."""
    form, needs, asked = policy["attach"]["form"], policy["packet_needs"], dns("127.0.0.53")
    errors = either(icmp(False, 3, 11, 12), icmp(True, 1, 2, 3, 4))
    neighbours = both(icmp(True, 135, 136), at("hops", 255))
    connects = [permitted(s, policy, "connect"), gaps(policy, "connect", "exceed")]
    listens = [permitted(s, policy, "listen"), gaps(policy, "listen", "exceed")]
    if form == "namespace" and not policy["run"]["network"]:                     # no NetworkPolicy decides it, and the plan says so
        connects.append(at("out", 1))
        listens += [at("in", 1), no(either(transport(6), transport(17), transport(132)))]
    if needs["resolver"] and policy["run"]["network"]:
        listens.append(asked)
        connects += [asked, both(no(at("user", policy["user"])), no(at("user", NO_USER)), dns(*policy["resolvers"]))]
    reset = both(transport(6), "(= (bvand tcp_flags (_ bv6 8)) (_ bv4 8))")
    out = [state_is("established"), both(state_is("related"), either(errors, reset))]
    if form in ("namespace", "interface"):                                       # else the kernel's, and not the agent's
        out.append(both(state_is("untracked"), neighbours))
    for hook, here in where.items():
        out += [both(here, mine(policy, True, hook), either(*connects)), both(here, mine(policy, False, hook), either(*listens))]
    return either(*out)


def has_to_pass(s, policy, where, real):
    """Ordinary packets of what the policy permits, what they need, and everybody else's."""
    form, needs = policy["attach"]["form"], policy["packet_needs"]
    agent = at("user", policy["user"]) if form == "namespace" else "true"
    echo = both(either(icmp(False, 8), icmp(True, 128)), at("icmp_code", 0), at("dport", 0))
    usual = both(at("kind", 0), within("hops", 63, 64, 8), within("sport", 1024, 65535, 16),
                 either(both(transport(6), at("tcp_flags", 2)), transport(17), echo),
                 no(coming("0.0.0.0", "::", "224.0.0.0/3", "ff00::/8")))
    lo, local = at("out", 1), to("127.0.0.0/8", "::1")
    answer = both(at("kind", 0), state_is("established"), within("dport", 1024, 65535, 16), no(at("user", NO_USER)))
    opens = either(state_is("new"), state_is("established"))
    listens, connects = (both(permitted(s, policy, d), no(gaps(policy, d, "lack"))) for d in ("listen", "connect"))
    back = {sends: permitted(s, policy, "connect" if sends else "listen", True) for sends in (True, False)}
    out = []
    for hook, here in where.items():
        for sends in (True, False):
            if form == "user" and not sends:                                     # left open, and named in the plan
                continue
            ways = either(both(local, lo), both(no(local), no(lo))) if sends and hook == "output" else "true"
            out.append(both(here, real[hook], mine(policy, sends, hook), usual, ways, agent if sends else "true", opens, connects if sends else listens))
            if form != "cgroup" or not sends:                                    # which socket takes an answer is not in it
                out.append(both(here, real[hook], mine(policy, not sends, hook), answer, "true" if sends else agent, back[sends]))
        if form != "namespace":
            out.append(both(here, real[hook], no(either(mine(policy, True, hook), mine(policy, False, hook)))))
        if needs["any"] and hook != "forward":
            ours = either(mine(policy, True, hook), mine(policy, False, hook))
            if needs["ipv6"] and form in ("namespace", "interface"):
                groups = either(to("ff02::1", "ff02::1:ff00:0/104"), both(V6, no(to("ff00::/8", "::", "::1"))))
                out.append(both(here, real[hook], ours, state_is("untracked"), icmp(True, 135, 136), at("hops", 255), groups, at("icmp_code", 0)))
            path = either(icmp(False, 3), icmp(True, 1, 2) if needs["ipv6"] else "false")
            out.append(both(here, real[hook], mine(policy, False, hook), state_is("related"), at("kind", 0), path))
    if needs["any"] and needs["resolver"] and policy["run"]["network"]:
        first = both(state_is("new"), at("tcp_flags", 2), within("sport", 1024, 65535, 16))
        asked = both(dns("127.0.0.53"), first, at("kind", 0))
        out += [both("output", real["output"], asked, agent, lo),
                both("(not output)", real["input"], asked, coming("127.0.0.0/8", "::1"), at("in", 1)),
                both("output", real["output"], dns(*policy["resolvers"]), first, at("user", policy["asks"]), no(lo), no(coming("127.0.0.0/8", "::1")))]
    return either(*out)


def sides(s, ruleset, policy, direction, demanded_instead):
    """What the rules let pass, or let pass without a report, and what may or has to."""
    demanded, users = direction not in ("no excess", REPORTS), set()
    for (table, _), rules in ruleset.chains.items():
        for form, *rest in (statement for rule in rules for statement in rule):
            for n, one in enumerate(rest[0] if form in ("match", "map") else ()):
                if one[1] == "uid":
                    elements = ruleset.sets[table, rest[1]][1] if isinstance(rest[1], str) else rest[1]
                    users |= {constant("uid", words[n], policy)[0] for words, _ in elements}
    others = sorted(users - {policy["user"]})
    if len(others) > 1:
        raise Unusable("the rules name several users")
    sets = set_names(policy)
    passing, reporting = Passing(s, ruleset, policy, sets, demanded), None
    if direction in (REPORTS, QUIET) or demanded_instead == CONTROLS[PERMITS]:
        reporting = Passing(s, ruleset, policy, sets, demanded, (lambda prefix: prefix in policy["reports"]) if direction == REPORTS else (lambda _: True))
    return compared(s, {**policy, "asks": others[0] if others else NO_USER}, direction, demanded_instead, passing, reporting)


def compared(s, policy, direction, demanded_instead, passing, reporting=None):
    """Whoever says what passes a hook, and what is reported there: with what may pass, or has to."""
    if demanded_instead not in (None, CONTROLS.get(direction)):
        raise Refuted(f"{demanded_instead} is no control of this statement")
    demanded, where = direction not in ("no excess", REPORTS), hooks(policy)
    real = {hook: s.define(f"exists.{hook}", exists(policy, hook)) for hook in where}
    passes = {hook: both(passing.hook(hook), no(reporting.hook(hook)) if reporting else "true") for hook in where}
    ours = {hook: either(mine(policy, True, hook), mine(policy, False, hook)) for hook in where}
    if demanded:
        artifact = either(*(both(here, passes[hook]) for hook, here in where.items()))
        if direction == PERMITS:
            return artifact, either(*(both(here, real[hook]) for hook, here in where.items()))
        return artifact, has_to_pass(s, policy, where, real)
    return either(*(both(here, passes[hook], real[hook], ours[hook]) for hook, here in where.items())), \
        "false" if demanded_instead else may_pass(s, policy, where)
