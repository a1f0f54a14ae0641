"""Names: for which of them the resolver asks whom, and what the addresses in its answers open, from `dnsmasq.conf`
(dnsmasq(8); src/option.c, src/domain-match.c and domain_find_sets of 2.90), against the policy's rules on names.

Both sides decide a name by how it ends, without regard to case. So a name is read from its end, and a certificate lists
the states of that reading, each by an ending that leads to it; what has to be checked of such a set: see `paths.py`. In
a state in which a name can be complete the two sides are compared at every place where one of their ranges of addresses
or ports begins or is over.
"""
import ipaddress
import re

from .formulas import Refuted, Unusable
from .paths import closed

GENERATED = "127.0.0.53"
PLAIN = {"bind-interfaces", "no-resolv", "no-hosts", "no-ident", "log-queries", "strip-mac", "strip-subnet"}
ONCE = {"port", "cache-size", "user"}
TYPES = {t for first, last in ((2, 4), (7, 27), (29, 40), (42, 264), (32768, 32769)) for t in range(first, last + 1)}  # IANA: all but
ADDRESSES = {1, 28}                                                              # A, AAAA; CNAME, SOA, OPT carry no content of their own
FIRST_FILTERING, LONGEST_LINE = [2, 90], 1023                                    # version with `filter-rr`; MAXDNAME


def domain(text):
    lower = text.lower()
    if len(text) > 253 or not text.isascii() or not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", lower):
        raise Unusable(f"`{text}` is no domain")
    return lower


def number(text, most):
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > most:
        raise Unusable(f"`{text}` is no number up to {most}")
    return int(text)


def address(text):
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Unusable(f"`{text}` is no address") from None


class Resolver:
    """`self.rules`: pattern -> (what, upstreams); a pattern is a domain for it and all beneath, "*.d" for what lies
    beneath alone, "#" for everything. `self.fills`: domain -> [(family, table, set)]."""

    def __init__(self, content):
        self.rules, self.fills, self.options, self.types, self.listens, self.rest = {}, {}, {}, set(), [], []
        for n, line in enumerate(content.decode("utf-8").split("\n"), 1):
            try:
                self.line(line)
            except Unusable as error:
                raise Unusable(f"line {n}: {error}") from None
        if "#" in self.rules and (self.rest or "no-resolv" not in self.options):
            raise Unusable("one line is about every name, and dnsmasq asks the other servers all the same")

    def line(self, line):
        if len(line.encode()) > LONGEST_LINE:
            raise Unusable(f"dnsmasq cuts lines after {LONGEST_LINE} bytes")
        text = line.strip(" \t\r")
        if not text or text[0] == "#":
            return
        text = text.partition(" #")[0].rstrip(" \t\r")
        if re.search(r'[^ -~]|["\\]', text):
            raise Unusable("quotes, backslashes and what is not printable are not understood")
        name, equals, value = (part.strip(" \t\r") for part in text.partition("="))
        if name in PLAIN and not equals:
            self.options[name] = ""
        elif name in ONCE and equals:
            if name in self.options:
                raise Unusable(f"`{name}` stands there twice, and dnsmasq does not start")
            self.options[name] = value if name == "user" else number(value, 65535 if name == "port" else 10 ** 6)
        elif name == "listen-address":
            self.listens += [address(one.strip()) for one in value.split(",")]
        elif name == "filter-rr":
            self.types |= {number(one.strip(), 65535) for one in value.split(",")}
        elif name in ("server", "local"):
            self.server(value)
        elif name == "address":
            domains, to = self.domains(value)
            if not domains:
                raise Unusable("`address` without domains")
            self.add(domains, "stated" if to else "nothing", [])
        elif name == "nftset":
            domains, to = self.domains(value)
            sets = [re.fullmatch(r"([46])#inet#([a-zA-Z0-9_]+)#([a-zA-Z0-9_]+)", one) for one in to.split(",")]
            if not domains or not all(sets):
                raise Unusable(f"`{value}` is not understood: sets are written `4#inet#TABLE#SET`")
            for one in domains:
                if domain(one) in self.fills:
                    raise Unusable(f"`{one}` has sets already")
                self.fills[domain(one)] = [(int(s[1]), s[2], s[3]) for s in sets]
        else:
            raise Unusable(f"the option `{text}` is not understood")

    @staticmethod
    def domains(value):
        """`/a/b/rest` -> [a, b], rest"""
        if not value.startswith("/"):
            return [], value
        *domains, rest = value[1:].split("/")
        if not domains:
            raise Unusable("a list of domains does not end with a `/`")
        return domains, rest

    def server(self, value):
        domains, to = self.domains(value)
        host, hash_sign, port = to.partition("#")
        if hash_sign and port != "53":
            raise Unusable("a server at another port than 53 is not understood")
        if not domains:
            self.rest.append(address(host))
        else:
            self.add(domains, "asked" if host else "nothing", [address(host)] if host else [])

    def add(self, domains, what, upstreams):
        for one in domains:
            pattern = one if one == "#" else "*." + domain(one[2:]) if one.startswith("*.") else domain(one)
            known = self.rules.setdefault(pattern, (what, []))
            if known[0] != what:
                raise Unusable(f"`{one}` is answered in two ways")
            known[1].extend(upstreams)

    def rule(self, own, above):
        """The longest one decides: what happens to a name, and who is asked."""
        fits = [p for p in self.rules if p == "#" or (p[2:] in above if p.startswith("*.") else p == own or p in above)]
        if fits:
            return self.rules[max(fits, key=lambda p: 0 if p == "#" else len(p.removeprefix("*")))]
        return ("nothing" if "no-resolv" in self.options and not self.rest else "asked",
                self.rest + ([] if "no-resolv" in self.options else ["the host's own resolv.conf"]))

    def filled(self, own, above):
        fits = [d for d in self.fills if d == own or d in above]
        return self.fills[max(fits, key=len)] if fits else []


class Names:
    """The policy's side."""

    def __init__(self, policy):
        self.policy, self.grants, self.refusals, self.sets = policy, [], [], {}
        for i, rule in enumerate(policy["rules"]):
            if rule["block"] != "net" or rule["direction"] != "connect":
                continue
            for n, e in enumerate(rule["endpoints"]):
                if "name" not in e:
                    continue
                (self.grants if rule["effect"] == "allow" else self.refusals).append((i, n, rule, e))
                if rule["effect"] == "allow":
                    self.sets.update({name: (rule, e, int(family)) for family, name in e["sets"].items()})
        self.lacking = {(g["rule"], g["endpoint"]) for g in policy["gaps"] if g["block"] == "net" and g["lack"]}

    def domains(self):
        named = [e for *_, rule, e in self.grants + self.refusals] + [x for *_, rule, _ in self.grants for x in rule["except"]]
        return {e["name"].removeprefix("*.") for e in named if "name" in e}

    def places(self):
        """Where ranges begin, and where they are over: between two of these nothing changes."""
        named = [e for *_, rule, e in self.grants + self.refusals for e in [e, *rule["except"]]]
        ports = {0} | {edge for e in named for first, last in e["ports"] for edge in (first, last + 1)}
        addresses = {ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")}
        for e in named:
            for first, last in e.get("addresses", ()):
                addresses.add(ipaddress.ip_address(first))
                if int(ipaddress.ip_address(last)) + 1 < 2 ** ipaddress.ip_address(last).max_prefixlen:
                    addresses.add(ipaddress.ip_address(last) + 1)
        return [("icmp", 0, a) for a in addresses] + [(p, n, a) for p in ("tcp", "udp") for n in ports for a in addresses if n < 65536]

    def resolves(self, own, above):
        """Is anything left to connect to?"""
        for *_, rule, e in self.grants:
            if matches(e, own, above):
                gone = [x for x in rule["except"] if "name" in x and matches(x, own, above)]
                edges = {first for x in [e] for first, _ in x["ports"]} | {last + 1 for x in gone for _, last in x["ports"]}
                if any(reaches(rule, e, p, n) and not any(reaches(rule, x, p, n) for x in gone)
                       for p in rule["protocols"] for n in (edges if p != "icmp" else {0})):
                    return True
        return False

    def permits(self, own, above, place, demanded):
        protocol, port, at = place
        if any(matches(e, own, above) and reaches(rule, e, protocol, port) for *_, rule, e in self.refusals):
            return False
        for i, n, rule, e in self.grants:
            if matches(e, own, above) and not (demanded and (i, n) in self.lacking) and opens(rule, e, place):
                if not any("name" in x and matches(x, own, above) and reaches(rule, x, protocol, port) for x in rule["except"]):
                    return True
        return False


def matches(e, own, above):
    return e["name"][2:] in above if e["name"].startswith("*.") else e["name"] == own


def reaches(rule, e, protocol, port):
    return protocol in rule["protocols"] and (e["icmp"] if protocol == "icmp" else any(first <= port <= last for first, last in e["ports"]))


def inside(e, at):
    return any(ipaddress.ip_address(first).version == at.version and ipaddress.ip_address(first) <= at <= ipaddress.ip_address(last)
               for first, last in e["addresses"])


def opens(rule, e, place):
    """What an address in the sets of an endpoint opens: that its rules in the table say no more is shown of the table."""
    protocol, port, at = place
    return reaches(rule, e, protocol, port) and inside(e, at) and not any(
        "name" not in x and reaches(rule, x, protocol, port) and inside(x, at) for x in rule["except"])


class Check:
    def __init__(self, resolver, policy, demanded):
        self.resolver, self.policy, self.demanded, self.names = resolver, policy, demanded, Names(policy)
        patterns = [p.removeprefix("*.") for p in resolver.rules if p != "#"]
        self.domains = {*patterns, *resolver.fills, *self.names.domains()}
        self.endings = {d[n:] for d in self.domains for n in range(len(d) + 1)}
        self.before = {}
        for ending in self.endings - {""}:
            self.before.setdefault(ending[1:], set()).add(ending[0])
        self.places, self.known = self.names.places(), {}
        self.start = ("", True, frozenset())

    def step(self, state, c):
        """The text that is read, while a domain ends with it; is a label complete; the domains above what is read now."""
        text, complete, above = state
        if c == ".":
            if complete:
                return None                                                      # no label is empty
            above |= {text} & self.domains
        text = c + text if text is not None and c + text in self.endings else None
        return text, c == ".", above

    def telling(self, state):
        """Characters that stand for all: what is none of them leads where `!`, which no domain has, does."""
        return sorted({".", "!"} | self.before.get(state[0], set()))

    def after(self, text):
        state = self.start
        for c in reversed(text):
            state = self.step(state, c)
            if state is None:
                raise Refuted(f"no name ends with {text!r}")
        return state

    def differs(self, state):
        """In a state where a name can be complete: how the two sides differ the wrong way, or None."""
        if state[1]:
            return None
        own, above = {state[0]} & self.domains, state[2]
        own = own.pop() if own else None
        (what, upstreams), fills = self.resolver.rule(own, above), self.resolver.filled(own, above)
        key = (what, tuple(upstreams), tuple(fills), *(matches(e, own, above) for e in self.all_named()))
        if key not in self.known:
            self.known[key] = self.compared(own, above, what, upstreams, fills if what == "asked" else [])
        return self.known[key]

    def all_named(self):
        for *_, rule, e in self.names.grants + self.names.refusals:
            yield e
            yield from (x for x in rule["except"] if "name" in x)

    def compared(self, own, above, what, upstreams, fills):
        resolves, servers = self.names.resolves(own, above), {address(a) for a in self.policy["resolvers"]}
        unknown = [name for _, table, name in fills if table != self.policy["table"] or name not in self.names.sets]
        if self.demanded and what == "stated" and resolves:
            return "it is answered with another address"
        if not self.demanded and what != "nothing":
            if not resolves:
                return "it is not to be resolved"
            if set(upstreams) - servers:
                return f"{', '.join(sorted(set(upstreams) - servers))} is asked"
            if unknown:
                return f"its addresses are put into the set {unknown[0]}, which is of no rule"
        into = [(*self.names.sets[name][:2], family) for family, table, name in fills
                if name not in unknown and self.names.sets[name][2] == family]
        for place in self.places:
            opened = any(place[2].version == family and opens(rule, e, place) for rule, e, family in into)
            if opened != self.demanded and self.names.permits(own, above, place, self.demanded) == self.demanded:
                return f"{place[0]} {place[1]} at {place[2]} is {'not ' if self.demanded else ''}opened"
        return None

    def whole(self):
        """What is so of every name, or of none."""
        options, resolver = self.resolver.options, self.resolver
        asks = bool(resolver.rest) or "no-resolv" not in options or any(what == "asked" for what, _ in resolver.rules.values())
        if not self.demanded and "no-hosts" not in options:
            return "the names of /etc/hosts are answered"
        if not asks:
            return None
        if not self.demanded:
            if options.get("cache-size") != 0:
                return "answers are kept, so that a name resolves which another one is an alias of"
            if self.policy["target"]["dnsmasq"] >= FIRST_FILTERING and TYPES - resolver.types:
                return f"records of the type {min(TYPES - resolver.types)} are answered"
            return None
        if ADDRESSES & resolver.types:
            return "answers with addresses are emptied"
        if options.get("port", 53) != 53 or (resolver.listens and GENERATED not in resolver.listens):
            return f"nobody listens at {GENERATED}, port 53"
        if options.get("user") != self.policy["target"]["dns_user"]:
            return "it asks as another user than the packet rules let ask"
        return None


def inductive(resolver, policy, demanded, texts):
    check = Check(resolver, policy, demanded)
    wrong = check.whole()
    if wrong:
        raise Refuted(wrong)

    def differ(state, text):
        wrong = check.differs(state)
        return wrong and f"the name `{text}`: {wrong}"

    closed(check, texts, lambda text, c: c + text, differ)


def violated(resolver, policy, demanded, texts, added):
    check = Check(resolver, policy, demanded)
    more = [e["name"].replace("*.", "x.") for e in added["endpoints"] if "name" in e] if added else []
    if not any(check.differs(check.after(text)) for text in [*texts, *more]):
        raise Refuted("the control is not violated: the obligation may be empty")
