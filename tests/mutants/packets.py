"""Oracle of packet rules: what `nft -j list ruleset` prints after nft itself loaded the artifact into a namespace, walked
rule by rule for one packet. Written from libnftables-json(5) and nft(8), not from agp."""
import ipaddress
import json
import pwd
import subprocess

from filters import Refused

STATES = ["new", "established", "related", "invalid", "untracked"]
PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58, "dccp": 33, "sctp": 132, "udplite": 136,
             "esp": 50, "ah": 51, "comp": 108}
ICMP = {"echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
        "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
        "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16, "address-mask-request": 17,
        "address-mask-reply": 18}
ICMPV6 = {"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128,
          "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
          "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134, "nd-neighbor-solicit": 135,
          "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138, "ind-neighbor-solicit": 141,
          "ind-neighbor-advert": 142, "mld2-listener-report": 143}
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
KINDS = {"unicast": 0, "host": 0, "broadcast": 1, "multicast": 2, "other": 3}


class Rules:
    def __init__(self, listing):
        self.base, self.chains, self.sets, self.forgets, self.constant = [], {}, {}, set(), set()
        for one in listing["nftables"]:
            (what, body), = one.items()
            if what == "chain":
                self.chains[body["table"], body["name"]] = []
                if "hook" in body:
                    if body["type"] != "filter":
                        raise Refused("nat")
                    self.base.append((body["hook"], body["prio"], body["family"], body["table"], body["name"],
                                      body["policy"]))
            elif what in ("set", "map"):
                self.sets[body["table"], body["name"]] = body.get("elem", [])
                if "timeout" in body or "timeout" in body.get("flags", []):
                    self.forgets.add(body["name"])
                if "constant" in body.get("flags", []):
                    self.constant.add(body["name"])
        for one in listing["nftables"]:
            if "rule" in one:
                self.chains[one["rule"]["table"], one["rule"]["chain"]].append(one["rule"].get("expr", []))
        self.base.sort(key=lambda b: b[1])

    def accepts(self, p):
        for hook, _, family, table, name, policy in self.base:
            if hook != p["hook"] or (family == "ip") > p["v4"] or (family == "ip6" and p["v4"]):
                continue
            verdict = self.walk(table, name, p, 0)
            if (verdict if verdict in ("accept", "drop") else policy) != "accept":
                return False
        return True

    def walk(self, table, name, p, depth):
        """accept, drop, or None at the end of the chain or after return."""
        if depth > 16:
            raise Refused("too deep")
        for rule in self.chains[table, name]:
            verdict = None
            for statement in rule:
                (what, body), = statement.items()
                if what == "match":
                    if not self.match(table, body, p):
                        break
                elif what == "vmap":
                    verdict = self.look_up(table, body, p)
                    if verdict is None:
                        break
                elif what in ("accept", "drop", "return", "continue", "jump", "goto"):
                    verdict = statement
                elif what == "reject":
                    verdict = {"drop": None}
                elif what not in ("counter", "log", "comment"):
                    raise Refused(what)
                if verdict:
                    (word, to), = verdict.items()
                    if word in ("accept", "drop"):
                        return word
                    if word == "return":
                        return None
                    if word in ("jump", "goto"):
                        inner = self.walk(table, to["target"], p, depth + 1)
                        if inner or word == "goto":
                            return inner
                    break
        return None

    def value(self, e, p):
        """The packet's value of an expression: a number, a tuple, or None if it has none."""
        if "payload" in e:
            return payload(e["payload"], p)
        if "meta" in e:
            return meta(e["meta"]["key"], p)
        if "ct" in e:
            return p["state"]
        if "concat" in e:
            parts = tuple(self.value(one, p) for one in e["concat"])
            return None if None in parts else parts
        if "&" in e:
            left = self.value(e["&"][0], p)
            return None if left is None else left & constant(e["&"][1], e["&"][0], p)
        raise Refused(json.dumps(e))

    def match(self, table, m, p):
        left = self.value(m["left"], p)
        if left is None:
            return False
        if m["op"] == "in":
            mask = constant(m["right"], m["left"], p)
            state = 1 << left if "ct" in m["left"] else left
            return bool(state & mask)
        return self.equal(table, left, m["right"], m["left"], p) == (m["op"] == "==")

    def equal(self, table, left, right, kind, p):
        if isinstance(right, str) and right.startswith("@"):
            return self.within(table, left, self.sets[table, right[1:]], kind, p, right[1:])
        if isinstance(right, dict) and "set" in right:
            return self.within(table, left, right["set"], kind, p, None)
        return holds(left, right, kind, p)

    def within(self, table, left, elements, kind, p, name):
        if name in p["sets"] and name not in self.constant and kind.get("payload", {}).get("field") == "daddr":
            return True   # the addresses of a name: whom the packet goes to
        return any(holds(left, e["elem"]["val"] if isinstance(e, dict) and "elem" in e else e, kind, p) for e in elements)

    def look_up(self, table, body, p):
        left = self.value(body["key"], p)
        if left is None:
            return None
        data = body["data"]
        elements = self.sets[table, data[1:]] if isinstance(data, str) else data["set"]
        for key, verdict in elements:
            if holds(left, key["elem"]["val"] if isinstance(key, dict) and "elem" in key else key, body["key"], p):
                return verdict
        return None


def payload(e, p):
    protocol, field = e["protocol"], e["field"]
    if protocol == "ip":
        return {"saddr": p["source"], "daddr": p["destination"], "protocol": p["protocol"], "ttl": p["hops"]}[field] \
            if p["v4"] else None
    if protocol == "ip6":
        return None if p["v4"] else {"saddr": p["source"], "daddr": p["destination"], "hoplimit": p["hops"]}[field]
    if protocol == "th" or PROTOCOLS.get(protocol) == p["protocol"] and field in ("dport", "sport"):
        return p["port"] if field == "dport" else p["source_port"]
    if protocol == "tcp" and field == "flags":
        return p["tcp_flags"] if p["protocol"] == 6 else None
    if protocol in ("icmp", "icmpv6"):
        # nft adds the match of the protocol and, for these two, of the family
        if p["protocol"] != (1 if protocol == "icmp" else 58) or p["v4"] != (protocol == "icmp"):
            return None
        return p["icmp_type"] if field == "type" else p["icmp_code"]
    if protocol in PROTOCOLS:
        return None
    raise Refused(json.dumps(e))


def meta(key, p):
    if key == "skuid":
        return p["user"]   # at input too, where the packet is of a socket that there is (early demux)
    return {"l4proto": p["protocol"], "nfproto": 2 if p["v4"] else 10, "protocol": 0x800 if p["v4"] else 0x86dd,
            "pkttype": p["kind"], "iifname": p["in"] or "?", "oifname": p["out"] or "?",
            "iif": p["in"] or "?", "oif": p["out"] or "?"}[key]


def address(text):
    return int(ipaddress.ip_address(text))


def constant(c, kind, p):
    """A constant of a listing as a number, by what it is compared with."""
    if "&" in kind:
        return constant(c, kind["&"][0], p)
    if isinstance(c, bool):
        return int(c)
    if isinstance(c, list):
        out = 0
        for one in c:
            out |= (1 << STATES.index(one) if "ct" in kind else constant(one, kind, p))
        return out
    if isinstance(c, dict) and "|" in c:
        return constant(c["|"], kind, p)
    if isinstance(c, int):
        return c
    if "ct" in kind:
        return STATES.index(c)
    field = kind.get("payload", {}).get("field", "")
    if "meta" in kind:
        key = kind["meta"]["key"]
        if key in ("iifname", "oifname", "iif", "oif"):
            return c
        if key == "skuid":
            return pwd.getpwnam(c).pw_uid
        table = {"l4proto": PROTOCOLS, "nfproto": {"ipv4": 2, "ipv6": 10}, "protocol": {"ip": 0x800, "ip6": 0x86dd},
                 "pkttype": KINDS}[key]
        return table[c]
    if field in ("saddr", "daddr"):
        return address(c)
    if field == "protocol":
        return PROTOCOLS[c]
    if field == "flags":
        return FLAGS[c]
    return (ICMP if kind["payload"]["protocol"] == "icmp" else ICMPV6)[c]


def holds(left, right, kind, p):
    if isinstance(right, dict) and "concat" in right:
        return all(holds(v, one, k, p) for v, one, k in zip(left, right["concat"], kind["concat"]))
    if isinstance(right, dict) and "prefix" in right:
        network = ipaddress.ip_network((right["prefix"]["addr"], right["prefix"]["len"]), strict=False)
        return int(network.network_address) <= left <= int(network.broadcast_address)
    if isinstance(right, dict) and "range" in right:
        first, last = (constant(c, kind, p) for c in right["range"])
        return first <= left <= last
    if isinstance(right, list) and "ct" in kind:
        return left in [STATES.index(one) for one in right]
    return left == constant(right, kind, p)


class Unusable(Exception):
    """The oracle itself does not work here."""


class Namespace:
    """One network namespace of this run's own, where nft reads one artifact after the other."""

    def __init__(self):
        self.child = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo ready; exec cat"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        said = self.child.stdout.readline()
        if said != "ready\n":   # nft would read the artifacts into the machine's own namespace
            self.close()
            raise Unusable(f"no network namespace: {said!r}")

    def close(self):
        self.child.kill()
        self.child.wait()

    def nft(self, *words, text=None):
        return subprocess.run(["nsenter", f"--net=/proc/{self.child.pid}/ns/net", "nft", *words], input=text, timeout=60,
                              capture_output=True, check=False)

    def must(self, *words):
        """What nft prints where only an artifact could be at fault, and none is."""
        done = self.nft(*words)
        if done.returncode:
            raise Unusable(f"nft {' '.join(words)}: exit {done.returncode}: {done.stderr.decode(errors='replace')[:200]}")
        return done.stdout

    def listing(self, data, form):
        """The artifact as the kernel has it. Refused: nft or the kernel does not take it. Raises Unusable."""
        self.must("flush", "ruleset")
        done = self.nft(*(["-j"] if form == "json" else []), "-f", "-", text=data)
        if done.returncode:
            raise Refused(done.stderr.decode(errors="replace")[:200])
        return Rules(json.loads(self.must("-j", "list", "ruleset")))


def packet_of(witness):
    p = dict(witness["packet"])
    p["destination"], p["source"] = address(p["destination"]), address(p["source"])
    if isinstance(p["user"], str):
        p["user"] = pwd.getpwnam(p["user"]).pw_uid
    return p


def texts(tree):
    if isinstance(tree, dict):
        for key, one in tree.items():
            yield from texts(one) if key != "comment" else ()
    elif isinstance(tree, (list, tuple)):
        for one in tree:
            yield from texts(one)
    else:
        yield tree


def mentioned(rules):
    """Addresses of either family and other numbers at the borders of what the rules mention."""
    v4, v6, numbers = set(), set(), set()
    for one in texts([list(rules.chains.values()), list(rules.sets.values())]):
        if isinstance(one, int):
            numbers.update((one - 1, one, one + 1))
        elif isinstance(one, str):
            try:
                v = address(one)
                (v6 if ":" in one else v4).update((v - 1, v, v + 1))
            except ValueError:
                pass
    for prefix in prefixes([list(rules.chains.values()), list(rules.sets.values())]):
        first, last = int(prefix.network_address), int(prefix.broadcast_address)
        (v6 if prefix.version == 6 else v4).update((first - 1, first, last, last + 1))
    return v4, v6, numbers


def universe(listings, r, count):
    """New packets that can be: at the borders of everything that the rules mention, all addresses with what one of them alone
    mentions, and others drawn, `count` in all."""
    one, two = map(mentioned, listings)
    users = sorted({0, 65534} | {v for v in one[2] | two[2] if 999 < v < 70000})
    fills = sorted({name for rules in listings for _, name in rules.sets if name.startswith("n_")})

    def packet(is_v4, far, near, port, hook, protocol):
        return {"hook": hook, "v4": is_v4, "state": 0, "user": r.choice(users) if hook == "output" else None,
                "in": r.choice(["eth0", "eth1"]) if hook == "input" else "",
                "out": r.choice(["eth0", "eth1"]) if hook == "output" else "", "kind": 0, "protocol": protocol,
                "destination": far, "source": near, "port": port, "source_port": r.choice([1024, 40000]), "hops": 64,
                "icmp_type": 8 if is_v4 else 128, "icmp_code": 0, "tcp_flags": 2,
                "sets": r.choice([[], fills[:1], fills[1:2], fills])}

    families = []
    for family, base in ((0, {0x0a000001}), (1, {0xfd00 << 112})):
        far = sorted(v for v in one[family] | two[family] | base if usable(v, family == 0))
        families.append((family == 0, far, one[family] ^ two[family]))
    every = sorted(v for v in one[2] | two[2] | {53, 80} if 0 < v < 65536)
    swept = [(is_v4, far, port) for is_v4, fars, new in families for far in fars for port in every
             if far in new or port in one[2] ^ two[2]]
    for is_v4, far, port in swept if len(swept) * 4 <= count else r.choices(swept, k=count // 4):
        for hook in ("output", "input"):
            for protocol in (6, 17):
                yield packet(is_v4, far, r.choice(families[not is_v4][1]), port, hook, protocol)
    for _ in range(max(count // 4, count - 4 * len(swept))):
        is_v4, far, _ = r.choice(families)
        protocol = r.choice([6, 6, 17, 17, 1 if is_v4 else 58])
        yield packet(is_v4, r.choice(far), r.choice(far), r.choice(every), r.choice(["output", "input"]), protocol)


def usable(v, is_v4):
    """An address of another machine: not of this one, and no mapped one."""
    if is_v4:
        return 0 < v < 1 << 32 and v >> 24 != 127
    return 1 < v < 1 << 128 and not 0xffff00000000 <= v < 0x1000000000000


def prefixes(tree):
    if isinstance(tree, dict):
        if "prefix" in tree:
            yield ipaddress.ip_network((tree["prefix"]["addr"], tree["prefix"]["len"]), strict=False)
        for one in tree.values():
            yield from prefixes(one)
    elif isinstance(tree, (list, tuple)):
        for one in tree:
            yield from prefixes(one)
