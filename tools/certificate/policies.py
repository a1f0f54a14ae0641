"""NetworkPolicies of networking.k8s.io/v1: what those that select a pod let pass. A connection passes where a rule of any
of them names it, or where none of them isolates the pod in that direction; its answers and errors pass with it. None of
them decides what the pod sends to itself, what comes in by other protocols than TCP, UDP and SCTP, and what goes out by
those for which the pod can open a socket. That a plugin enforces them is an assumption."""
import ipaddress
import re

from .documents import strict_json
from .formulas import Unusable, both, either, no, within
from .packets import V4, V6, addresses, at, icmp, state_is, transport
from .pods import count, has_to_be, items, metadata, part, typed

NUMBERS = {"TCP": 6, "UDP": 17, "SCTP": 132}
MAPPED = both(V6, within("daddr6", 0xffff << 32, (0xffff << 32) + 2 ** 32 - 1, 128)), both(V6, within("saddr6", 0xffff << 32, (0xffff << 32) + 2 ** 32 - 1, 128))


def block(text):
    """In the one spelling that every reader takes alike: no host bits, no IPv4 in IPv6."""
    try:
        if not re.fullmatch(r"[0-9A-Fa-f.:]+/(0|[1-9][0-9]*)", text, re.A):
            raise ValueError
        out = ipaddress.ip_network(text)
    except (ValueError, TypeError):
        raise Unusable(f"{text!r} is no block of addresses") from None
    if out.version == 6 and out[0].ipv4_mapped:
        raise Unusable(f"{text!r} is an IPv4 address in IPv6 spelling")
    return out


def holds(net, out):
    """The packets to, or from, a block; a mapped address is IPv4's."""
    inside = addresses([(str(net[0]), str(net[-1]))], source=not out)
    return both(inside, no(MAPPED[0 if out else 1])) if net.version == 6 else inside


def peer(thing, out):
    """Pods have addresses that are not in the file."""
    one = part(part(thing, ("ipBlock",), "a peer").get("ipBlock"), ("cidr", "except"), "`ipBlock`")
    whole, without = block(one.get("cidr")), [block(text) for text in items(one, "except")]
    if any(net.version != whole.version or net == whole or not net.subnet_of(whole) for net in without):
        raise Unusable("an exception is not within its block, and smaller")
    return both(holds(whole, out), *(no(holds(net, out)) for net in without))


def port(thing):
    """A name is a port of other pods. Without a number it is every one."""
    thing = part(thing, ("protocol", "port", "endPort"), "a port")
    number = NUMBERS.get(typed(thing, "protocol", str, "TCP"))
    first, last = count(thing, "port", 65535), count(thing, "endPort", 65535)
    if number is None or first == 0 or (last is not None and (first is None or last < first)):
        raise Unusable(f"{thing!r} is no port that is understood")
    return transport(number) if first is None else both(transport(number), within("dport", first, last or first, 16))


def rules(spec, name, peers, out):
    """No peers are everybody, no ports everything."""
    made = []
    for rule in items(spec, name):
        rule = part(rule, (peers, "ports"), f"a rule of `{name}`")
        made.append(both(either(*(peer(one, out) for one in items(rule, peers))) if items(rule, peers) else "true",
                         either(*(port(one) for one in items(rule, "ports"))) if items(rule, "ports") else "true"))
    return made


class Policy:
    def __init__(self, thing):
        thing = part(thing, ("apiVersion", "kind", "metadata", "spec", "status"), "the policy")
        has_to_be(thing, "apiVersion", "networking.k8s.io/v1", "it is no NetworkPolicy")
        has_to_be(thing, "kind", "NetworkPolicy", "it is none")
        _, self.namespace, _ = metadata(thing)
        spec = part(thing.get("spec"), ("podSelector", "policyTypes", "ingress", "egress"), "`spec`")
        selector = part(spec.get("podSelector", {}), ("matchLabels", "matchExpressions"), "`podSelector`")
        self.terms = [(key, "In", [value]) for key, value in typed(selector, "matchLabels", dict, {}).items()]
        for one in items(selector, "matchExpressions"):
            one = part(one, ("key", "operator", "values"), "an expression")
            key, word, values = typed(one, "key", str), typed(one, "operator", str), items(one, "values")
            if key is None or word not in ("In", "NotIn", "Exists", "DoesNotExist") or (word in ("In", "NotIn")) != bool(values):
                raise Unusable("an expression has an operator, or values, that are not understood")
            self.terms.append((key, word, values))
        if not all(isinstance(value, str) for _, _, values in self.terms for value in values):
            raise Unusable("a label has a value that is no text")
        types = items(spec, "policyTypes")
        if set(types) - {"Ingress", "Egress"}:
            raise Unusable("there is a type of policies that is not understood")
        self.rules = {"input": rules(spec, "ingress", "from", False), "output": rules(spec, "egress", "to", True)}
        # Without types: what comes in always, what goes out where the list has an entry.
        self.isolates = {"input": not types or "Ingress" in types, "output": "Egress" in types if types else bool(self.rules["output"])}

    def selects(self, pod):
        if bool(self.namespace) != bool(pod.namespace):
            raise Unusable("whether the policy selects the pod is up to whoever creates them: one has a namespace")
        has = pod.labels.get
        tests = {"In": lambda key, values: has(key) in values, "NotIn": lambda key, values: has(key) not in values,
                 "Exists": lambda key, _: has(key) is not None, "DoesNotExist": lambda key, _: has(key) is None}
        return self.namespace == pod.namespace and all(tests[word](key, values) for key, word, values in self.terms)


class Passing:
    """What passes a hook of the pod's, as `packets.Passing` of rules. Nothing is reported."""

    def __init__(self, content, pod):
        thing = strict_json(content, "the policy")
        several = part(thing, ("apiVersion", "kind", "metadata", "items"), "the list")["items"] if isinstance(thing, dict) and thing.get("kind") == "List" else [thing]
        self.pod, self.policies = pod, [one for one in map(Policy, several) if one.selects(pod)]

    def hook(self, name):
        out = name == "output"
        isolated = any(one.isolates[name] for one in self.policies)
        known = either(*map(transport, NUMBERS.values()))
        sockets = "true" if not out or "CAP_NET_RAW" in self.pod.out.capabilities["bounding"] else \
            either(both(V4, transport(1)), both(V6, transport(58))) if self.pod.pings else "false"
        named = either(*(rule for one in self.policies for rule in one.rules[name])) if isolated else "true"
        errors = either(icmp(False, 3, 11, 12), icmp(True, 1, 2, 3, 4), both(transport(6), "(= (bvand tcp_flags (_ bv6 8)) (_ bv4 8))"))
        return either(both(state_is("new"), either(at("out" if out else "in", 1), both(known, named), both(no(known), sockets))),
                      state_is("established"), both(state_is("related"), errors), both(state_is("untracked"), icmp(True, 135, 136), at("hops", 255)))
