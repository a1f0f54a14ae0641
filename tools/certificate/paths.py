"""Paths: what a layer of files grants, and what the policy says about it, by an automaton over all patterns of both.

A certificate lists the automaton's states, each by a text that leads to it. This module builds the automaton anew and
checks that the set has the initial state, that every state's successors are in it, and that no state at which a path can
end is one where the two differ. So nothing is searched for: a set with these three properties holds all paths.
"""
import functools
import re

from .formulas import Refuted

ANY, RUN = object(), object()  # `?` and `*`
CREATE, DELETE = {"make_reg", "make_dir", "make_sock", "make_fifo", "make_sym"}, {"remove_file", "remove_dir"}
RIGHTS = {"read": {"read_file"}, "list": {"read_dir"}, "exec": {"execute"}, "modify": {"write_file", "truncate"},
          "create": CREATE, "delete": DELETE}
DEVICES = {"make_char", "make_block"}
OF_FILES = {"read_file", "execute", "write_file", "truncate"}  # what can't be done to a directory


def components(text):
    """A pattern as a list of components; each is None for `**`, or a list of alternatives: characters, ANY and RUN."""
    out = []
    for part in text.split("/")[1:] if text != "/" else []:
        if part == "**":
            out.append(None)
            continue
        alternatives, at = [[]], 0
        while at < len(part):
            c = part[at]
            at += 1
            if c == "{":
                end = part.index("}", at)
                choices = [tokens(choice) for choice in re.split(r"(?<!\\),", part[at:end])]
                alternatives = [a + choice for a in alternatives for choice in choices]
                at = end + 1
                continue
            if c == "\\":
                c, at = part[at], at + 1
            else:
                c = {"*": RUN, "?": ANY}.get(c, c)
            alternatives = [a + [c] for a in alternatives]
        out.append(alternatives)
    return out


def tokens(text):
    return [m[-1] if len(m) > 1 else {"*": RUN, "?": ANY}.get(m, m) for m in re.findall(r"\\.|.", text)]


@functools.lru_cache(maxsize=None)
def literal(text):
    """The directory before a pattern's first wildcard, and whether there is none: then the node itself."""
    parts = components(text)
    plain = [bool(p) and len(p) == 1 and all(isinstance(t, str) for t in p[0]) for p in parts]
    stop = (plain + [False]).index(False)
    return "".join("/" + "".join(p[0]) for p in parts[:stop]) or "/", stop == len(parts)


def is_beneath(path, base):
    return path != base and path.startswith(base.rstrip("/") + "/")


class Pattern:
    """Positions: ("before", i): components before i are read; ("in", i, a, k): before token k of alternative a of
    component i; ("deep", i): within a component that the `**` at i stands for."""

    def __init__(self, text, as_list=False):
        self.parts, self.as_list, self.known = components(text), as_list, {}
        self.start, self.end = self.close({("before", 0)}), ("before", len(self.parts))

    def close(self, positions):
        out, work = set(), list(positions)
        while work:
            p = work.pop()
            if p in out:
                continue
            out.add(p)
            n = len(self.parts)
            if p[0] == "before" and p[1] < n:
                part, last = self.parts[p[1]], p[1] == n - 1
                if part is None and not last:
                    work.append(("before", p[1] + 1))
                if self.as_list and last and (part is None or part == [[RUN]]):        # `D/**` and `D/*` list D
                    work.append(("before", n))
            elif p[0] == "deep":
                work += [("before", p[1])] + ([("before", n)] if p[1] == n - 1 else [])
            elif p[0] == "in":
                alternative = self.parts[p[1]][p[2]]
                if p[3] == len(alternative):
                    work.append(("before", p[1] + 1))
                elif alternative[p[3]] is RUN:
                    work.append(("in", p[1], p[2], p[3] + 1))
        return frozenset(out)

    def step(self, p, c):
        """The positions behind one, after a character."""
        if (p, c) not in self.known:
            out = set()
            if p[0] == "before" and p[1] < len(self.parts) and c == "/":
                part = self.parts[p[1]]
                out = {("deep", p[1])} if part is None else {("in", p[1], a, 0) for a in range(len(part))}
            elif p[0] == "deep" and c != "/":
                out = {p}
            elif p[0] == "in" and c != "/" and p[3] < len(self.parts[p[1]][p[2]]):
                token = self.parts[p[1]][p[2]][p[3]]
                if token is RUN:
                    out = {p}
                elif token is ANY or token == c:
                    out = {p[:3] + (p[3] + 1,)}
            self.known[p, c] = self.close(out)
        return self.known[p, c]

    def letters(self):
        return {t for part in self.parts if part for a in part for t in a if isinstance(t, str)}

    def waits_for(self, p):
        """The character that a position reads as no other one but "/", if there is one: see `step`."""
        token = self.parts[p[1]][p[2]][p[3]] if p[0] == "in" and p[3] < len(self.parts[p[1]][p[2]]) else None
        return {token} if isinstance(token, str) else set()


def canonical(state, c):
    """No component is empty, `.` or `..`. Nothing: no path begins like this."""
    if c == "/":
        return "slash" if state in ("root", "name") else None
    if state == "root":
        return None
    return {"slash": "dot", "dot": "dots"}.get(state, "name") if c == "." else "name"


class Rules:
    """The policy's rules on files, as patterns side by side. A state has the positions that are left in any of them."""

    def __init__(self, policy):
        self.policy, self.patterns, self.numbers, self.decided = policy, [], {}, {}
        for i, rule in enumerate(policy["rules"]):
            for where in ("patterns", "except") if rule.get("verbs") else ():
                for n, text in enumerate(rule[where]):
                    for as_list in (False, True):
                        self.numbers[i, where, n, as_list] = len(self.patterns)
                        self.patterns.append(Pattern(text, as_list))
        self.start = frozenset((n, p) for n, pattern in enumerate(self.patterns) for p in pattern.start)

    def step(self, state, c):
        return frozenset((n, q) for n, p in state for q in self.patterns[n].step(p, c))

    def telling(self, state):
        return set().union(*(self.patterns[n].waits_for(p) for n, p in state))

    def hits(self, state):
        return frozenset(n for n, p in state if p == self.patterns[n].end)

    def hit(self, hits, *place):
        return self.numbers[place] in hits

    def allowed(self, hits, verb):
        if (hits, verb) not in self.decided:
            self.decided[hits, verb] = self.decide(hits, verb)
        return self.decided[hits, verb]

    def decide(self, hits, verb):
        as_list, allowed = verb == "list", False
        for i, rule in enumerate(self.policy["rules"]):
            if rule["block"] != "file" or verb not in rule["verbs"]:
                continue
            if any(self.hit(hits, i, "except", n, as_list) for n in range(len(rule["except"]))):
                continue
            if any(self.hit(hits, i, "patterns", n, as_list) for n in range(len(rule["patterns"]))):
                if rule["effect"] != "allow":
                    return False
                allowed = True
        return allowed

    def permit(self, path, verbs):
        """Does the policy allow one of these at the path?"""
        state = self.start
        for c in path if path != "/" else "":
            state = self.step(state, c)
        return any(self.allowed(self.hits(state), verb) for verb in verbs)


class Nodes:
    """The places that the layer names. A state is the text, while one of them begins with it, and the deepest one above."""

    def __init__(self, nodes):
        self.nodes = {"" if node == "/" else node: node for node in nodes}
        self.begin = {node[:n] for node in self.nodes for n in range(len(node) + 1)}
        self.further = {}
        for text in self.begin - {""}:
            self.further.setdefault(text[:-1], set()).add(text[-1])

    def step(self, state, c):
        text, above = state
        if c == "/" and text in self.nodes:
            above = self.nodes[text]
        return (text + c if text is not None and text + c in self.begin else None, above)

    def telling(self, state):
        return self.further.get(state[0], set())

    def own(self, state):
        return self.nodes.get(state[0])


class Everything:
    """A layer that refuses nothing: what a control demands where no rule could make a difference."""
    nodes, moves = ("/",), set()

    @staticmethod
    def answer(_own, _above):
        return set().union(*RIGHTS.values()), set()


class Check:
    """Of several layers: what all of them grant is granted, and what can't be there for one is not there."""

    def __init__(self, layers, policy, demanded):
        self.layers, self.policy, self.demanded = layers, policy, demanded
        self.rules, self.nodes = Rules(policy), [Nodes(layer.nodes) for layer in layers]
        self.start = ("root", tuple(("", None) for _ in layers), self.rules.start)
        self.known = {}
        letters = {"/", "."}.union(*(p.letters() for p in self.rules.patterns), *(c for n in self.nodes for c in n.nodes))
        self.other = next(c for c in map(chr, range(0x78, 0x2000)) if c not in letters)  # of no pattern and no place
        effects = {rule["effect"] for rule in policy["rules"] if rule["block"] == "capability" and "CAP_MKNOD" in rule["patterns"]}
        self.devices = DEVICES if effects == {"allow"} else set()                # else nobody there can make any

    def step(self, state, c):
        if (state, c) not in self.known:
            canon = canonical(state[0], c)
            self.known[state, c] = canon and (canon, tuple(n.step(at, c) for n, at in zip(self.nodes, state[1])), self.rules.step(state[2], c))
        return self.known[state, c]

    def telling(self, state):
        """Characters that stand for all: what is none of them leads where `other` does."""
        return sorted({"/", ".", self.other} | self.rules.telling(state[2]).union(*(n.telling(at) for n, at in zip(self.nodes, state[1]))))

    def after(self, text):
        state = self.start
        for c in text:
            state = self.step(state, c)
            if state is None:
                raise Refuted(f"{text!r} is nothing that a path begins with")
        return state

    def accepted(self, hits, text, verb):
        """Is it within a gap that the policy accepts?"""
        for gap in self.policy["gaps"]:
            if gap["block"] != "file" or not gap["lack" if self.demanded else "exceed"]:
                continue
            rule, n = self.policy["rules"][gap["rule"]], gap["pattern"]
            if verb not in gap["verbs"]:
                continue
            base, is_node = literal(rule["patterns"][n])
            allows = rule.get("was", rule["effect"]) == "allow"
            if not self.demanded and allows and (is_beneath(text, base) or text == base):
                return True
            if self.demanded and not allows and is_node and is_beneath(text, base):
                return True
            if self.rules.hit(hits, gap["rule"], "patterns", n, verb == "list"):
                return True
        return False

    def derived(self, text, verb):
        """Does the layer itself need it?"""
        return any(verb in grant["verbs"] and covers(grant["path"], text, verb) and
                   not any(covers(path, text, verb) for path in grant["except"]) for grant in self.policy["derived"])

    def differs(self, state, text):
        """Where a path ends: the verb on which layer and policy differ the wrong way, or None."""
        if state[0] not in ("root", "name"):
            return None
        path, hits = text or "/", self.rules.hits(state[2])
        nodes = [(n.own(at), at[1]) for n, at in zip(self.nodes, state[1])]
        answers = [layer.answer(*node) for layer, node in zip(self.layers, nodes)]
        absent = set().union(*(gone for _, gone in answers))
        granted = set.intersection(*(rights | gone for rights, gone in answers))
        attributes = any(g.get("attributes") for g in self.policy["gaps"])
        for verb, rights in RIGHTS.items():
            if self.demanded:
                needed = rights.union(*(layer.moves for layer in self.layers if verb == "create"))
                wrong = self.rules.allowed(hits, verb) and needed - granted - absent and (path != "/" or verb not in ("create", "delete"))
                excused = any(own and layer.pinned(own, verb) for layer, (own, _) in zip(self.layers, nodes))
            else:
                devices = self.devices & granted - absent if verb == "create" else set()
                over = (rights & granted - absent) - ({"truncate"} if attributes and self.policy["target"]["landlock_abi"] < 3 else set())
                wrong = devices or (over and not self.rules.allowed(hits, verb))
                excused = self.derived(path, verb)
            if wrong and not excused and not self.accepted(hits, path, verb):
                return verb
        return None


def covers(granted, path, verb):
    """`D/**` is what lies beneath D, and its listing."""
    if not granted.endswith("/**"):
        return path == granted
    return is_beneath(path, granted[:-3]) or (verb == "list" and path == granted[:-3])


def closed(check, texts, longer, differ):
    """The set given by `texts` has the initial state, is closed, and has no state where the two sides `differ`; `longer`
    adds a character to a text where the check reads on."""
    states = {}
    for text in texts:
        states.setdefault(check.after(text), text)
    if check.start not in states:
        raise Refuted("the set of states lacks the initial one")
    for state, text in states.items():
        wrong = differ(state, text)
        if wrong:
            raise Refuted(f"they differ about {wrong}")
        for c in check.telling(state):
            following = check.step(state, c)
            if following and following not in states:
                raise Refuted(f"the set of states is not closed: {longer(text, c)!r} leads out of it")


def inductive(layers, policy, demanded, texts):
    check = Check(layers, policy, demanded)

    def differ(state, text):
        verb = check.differs(state, text)
        return verb and f"`{verb} \"{text or '/'}\"`"

    closed(check, texts, lambda text, c: text + c, differ)


def violated(layers, policy, demanded, texts, control):
    """With the policy of a control, or with the layer that it demands, there is a path on which the two differ."""
    if control.get("demanded") not in (None, "EVERYTHING"):
        raise Refuted("the control demands what no layer of files could be")
    check = Check([Everything] if "demanded" in control else layers, policy, demanded)
    paths = list(texts) + control.get("added", {}).get("patterns", [])
    if not any(check.differs(check.after(text), text) for text in paths):
        raise Refuted("the control is not violated: the obligation may be empty")
