"""Paths: what a Landlock ruleset grants, and what the policy says about it, by an automaton over all patterns of both.

A certificate lists the automaton's states, each by a text that leads to it. This module builds the automata anew and
checks that the set has the initial state, that every state's successors are in it, and that no state at which a path can
end is one where the two differ. So nothing is searched for: a set with these three properties holds all paths.
"""
import re

from .formulas import Refuted, Unusable

ANY, RUN = object(), object()  # `?` and `*`
RIGHTS = {"read": {"read_file"}, "list": {"read_dir"}, "exec": {"execute"}, "modify": {"write_file", "truncate"},
          "create": {"make_reg", "make_dir", "make_sock", "make_fifo", "make_sym"}, "delete": {"remove_file", "remove_dir"}}
OF_FILES = {"execute", "write_file", "read_file", "truncate", "ioctl_dev", "resolve_unix"}
OF_ENTRIES = {"make_char", "make_dir", "make_reg", "make_sock", "make_fifo", "make_block", "make_sym", "remove_dir", "remove_file", "refer"}
KNOWN = OF_FILES | OF_ENTRIES | {"read_dir"}


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


class Pattern:
    """Positions: ("before", i): components before i are read; ("in", i, a, k): before token k of alternative a of
    component i; ("deep", i): within a component that the `**` at i stands for."""

    def __init__(self, text, as_list=False):
        self.parts, self.as_list, self.known = components(text), as_list, {}
        self.start = self.close({("before", 0)})

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

    def step(self, state, c):
        if (state, c) not in self.known:
            out = set()
            for p in state:
                if p[0] == "before" and p[1] < len(self.parts) and c == "/":
                    part = self.parts[p[1]]
                    out |= {("deep", p[1])} if part is None else {("in", p[1], a, 0) for a in range(len(part))}
                elif p[0] == "deep" and c != "/":
                    out.add(p)
                elif p[0] == "in" and c != "/" and p[3] < len(self.parts[p[1]][p[2]]):
                    token = self.parts[p[1]][p[2]][p[3]]
                    if token is RUN:
                        out.add(p)
                    elif token is ANY or token == c:
                        out.add(p[:3] + (p[3] + 1,))
            self.known[state, c] = self.close(out)
        return self.known[state, c]

    def accepts(self, state):
        return ("before", len(self.parts)) in state

    def letters(self):
        return {t for part in self.parts if part for a in part for t in a if isinstance(t, str)}


def canonical(state, c):
    """No component is empty, `.` or `..`. Nothing: no path begins like this."""
    if c == "/":
        return "slash" if state in ("root", "name") else None
    if state == "root":
        return None
    return {"slash": "dot", "dot": "dots"}.get(state, "name") if c == "." else "name"


class Ruleset:
    """What a file of landlockconfig grants: a right holds on a node if a rule on it or above it has the right."""

    def __init__(self, config):
        if set(config) - {"abi", "ruleset", "pathBeneath", "netPort"}:
            raise Unusable("the ruleset has keys that are not understood")
        self.handled, self.rules, self.directory = set(), {}, {"/": True}
        for one in config["ruleset"]:
            self.handled |= set(one.get("handledAccessFs", []))
        for rule in config.get("pathBeneath", []):
            rights = set(rule["allowedAccess"])
            for parent in rule["parent"]:
                path = parent.rstrip("/") or "/"
                if not path.startswith("/") or "$" in path or any(n in ("", ".", "..") for n in path.split("/")[1:] if path != "/"):
                    raise Unusable(f"the rule on {parent!r} is not understood")
                self.rules.setdefault(path, set()).update(rights)
                directory = parent.endswith("/") or bool(rights - OF_FILES)
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

    def patterns(self):
        literal = lambda path: re.sub(r"([\\*?{}$])", r"\\\1", path)
        return [(literal(p), literal(p if p != "/" else "") + "/**") for p in self.nodes]

    def answer(self, own, above):
        """The rights granted where the node `own` (or none) stands beneath the nodes `above`; and those to what can't
        be there: a directory is not opened as a file, a file is not listed, and nothing lies beneath it."""
        around = KNOWN - self.handled
        for p in above:
            around = around | (self.rules.get(p, set()) if self.directory[p] else set())
        here = around | self.rules.get(own, set())
        granted = (here - OF_ENTRIES) | (around & OF_ENTRIES)
        if "read_file" not in granted:
            granted = granted - {"execute"}                                      # execve opens for reading too
        deepest = own or max(above, key=len, default="/")
        if own:
            absent = {"read_file", "execute", "write_file", "truncate"} if self.directory[own] else {"read_dir"}
        else:
            absent = set() if self.directory[deepest] else KNOWN
        return granted, absent


class Check:
    def __init__(self, config, policy, demanded):
        self.ruleset, self.policy, self.demanded = Ruleset(config), policy, demanded
        self.abi = policy["target"]["landlock_abi"]
        self.rules = [(i, rule) for i, rule in enumerate(policy["rules"]) if rule["block"] == "file"]
        self.automata, self.places = [], {}
        for i, rule in enumerate(policy["rules"]):
            for where in ("patterns", "except") if rule.get("verbs") else ():
                for n, text in enumerate(rule[where]):
                    for as_list in (False, True):
                        self.add((i, where, n, as_list), text, as_list)
        for path, (node, beneath) in zip(self.ruleset.nodes, self.ruleset.patterns()):
            self.add((path, "node"), node)
            self.add((path, "beneath"), beneath)
        self.letters = sorted({"/", "."}.union(*(a.letters() for a in self.automata)))
        self.letters.append(next(c for c in map(chr, range(0x78, 0x2000)) if c not in self.letters))  # any other one

    def add(self, place, text, as_list=False):
        self.places[place] = len(self.automata)
        self.automata.append(Pattern(text, as_list))

    def start(self):
        return ("root", *(a.start for a in self.automata))

    def step(self, state, c):
        canon = canonical(state[0], c)
        return canon and (canon, *(a.step(s, c) for a, s in zip(self.automata, state[1:])))

    def after(self, text):
        state = self.start()
        for c in text:
            state = self.step(state, c)
            if state is None:
                raise Refuted(f"{text!r} is nothing that a path begins with")
        return state

    def hit(self, state, *place):
        at = self.places[place]
        return self.automata[at].accepts(state[1 + at])

    def allowed(self, state, verb):
        as_list, allowed = verb == "list", False
        for i, rule in self.rules:
            if verb not in rule["verbs"] or any(self.hit(state, i, "except", n, as_list) for n in range(len(rule["except"]))):
                continue
            if any(self.hit(state, i, "patterns", n, as_list) for n in range(len(rule["patterns"]))):
                if rule["effect"] != "allow":
                    return False
                allowed = True
        return allowed

    def accepted(self, state, text, verb):
        """Is it within a gap that the policy accepts?"""
        for gap in self.policy["gaps"]:
            if gap["block"] != "file" or not gap["lack" if self.demanded else "exceed"]:
                continue
            rule, n = self.policy["rules"][gap["rule"]], gap["pattern"]
            if verb not in rule["verbs"]:
                continue
            parts = components(rule["patterns"][n])
            plain = [bool(p) and len(p) == 1 and all(isinstance(t, str) for t in p[0]) for p in parts]
            stop = (plain + [False]).index(False)
            base = "".join("/" + "".join(p[0]) for p in parts[:stop])
            beneath = text.startswith(base + "/") and len(text) > 1
            allows = rule.get("was", rule["effect"]) == "allow"
            if not self.demanded and allows and (beneath or text == (base or "/")):
                return True
            if self.demanded and not allows and stop == len(parts) and beneath:
                return True
            if self.hit(state, gap["rule"], "patterns", n, verb == "list"):
                return True
        return False

    def differs(self, state, text):
        """Where a path ends: the verb on which ruleset and policy differ the wrong way, or None."""
        if state[0] not in ("root", "name"):
            return None
        own = next((p for p in self.ruleset.nodes if self.hit(state, p, "node")), None)
        granted, absent = self.ruleset.answer(own, [p for p in self.ruleset.nodes if self.hit(state, p, "beneath")])
        attributes = any(g.get("attributes") for g in self.policy["gaps"])
        for verb, rights in RIGHTS.items():
            if self.demanded:
                needed = rights | ({"refer"} if verb == "create" and self.abi >= 2 else set())
                wrong = self.allowed(state, verb) and needed - granted - absent and (text not in ("", "/") or verb not in ("create", "delete"))
            else:
                devices = {"make_char", "make_block"} & granted - absent if verb == "create" else set()
                over = (rights & granted - absent) - ({"truncate"} if attributes and self.abi < 3 else set())
                wrong = devices or (over and not self.allowed(state, verb))
            if wrong and not self.accepted(state, text or "/", verb):
                return verb
        return None


def inductive(config, policy, demanded, texts):
    """The set given by `texts` has the initial state, is closed, and has no state where the two differ."""
    check = Check(config, policy, demanded)
    states = {}
    for text in texts:
        states.setdefault(check.after(text), text)
    if check.start() not in states:
        raise Refuted("the set of states lacks the initial one")
    for state, text in states.items():
        verb = check.differs(state, text)
        if verb:
            raise Refuted(f"they differ about `{verb} \"{text or '/'}\"`")
        for c in check.letters:
            following = check.step(state, c)
            if following and following not in states:
                raise Refuted(f"the set of states is not closed: {text + c!r} leads out of it")


def violated(config, policy, demanded, texts, added):
    """With the policy of a control there is a path on which the two differ."""
    check = Check(config, policy, demanded)
    paths = list(texts) + (added["patterns"] if added else [])
    if not any(check.differs(check.after(text), text) for text in paths):
        raise Refuted("the control is not violated: the obligation may be empty")
