"""Tool calls: what `approvals.json` answers for each name on each day, and what the policy says about it.

As of paths, a certificate lists the states of an automaton over the patterns of both sides; here it reads a name's bytes.
"""
import datetime
import re

from .documents import known
from .formulas import Refuted, Unusable
from .paths import closed

ANY, RUN = object(), object()  # `?` and `*`
ANSWERS = ("denied", "asked about, at high risk", "asked about, at medium risk", "asked about, at low risk", "asked about", "allowed")
RISKS = (None, "low", "medium", "high")
EFFECTS = ("deny", "ask", "allow")                                               # the first of these that a rule has decides


def tokens(text):
    """Of bytes, each as the character of that number."""
    out, at, text = [], 0, text.encode().decode("latin-1")
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
            out.append(text[at])
        else:
            out.append({"*": RUN, "?": ANY}.get(text[at], text[at]))
        at += 1
    return out


def day(text):
    if text is not None and not (isinstance(text, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text)):
        raise Unusable(f"{text!r} is no date")
    return text and datetime.date.fromisoformat(text)


def rule(effect, risk, until, patterns, excepted):
    if effect not in EFFECTS or risk not in RISKS or not all(isinstance(p, str) and p for p in [*patterns, *excepted]):
        raise Unusable("a rule on tools is not understood")
    return {"effect": effect, "risk": risk, "until": day(until), "patterns": [tokens(p) for p in patterns], "except": [tokens(p) for p in excepted]}


def of_policy(policy):
    return [rule(r["effect"], r.get("risk"), r.get("until"), r["patterns"], r["except"]) for r in policy["rules"] if r["block"] == "tool"]


def of_file(document):
    """docs/reference/network.md describes the format."""
    known(document, ("schema", "policy", "default", "precedence", "rules"), "the file")
    if (document["schema"], document["default"], document["precedence"]) != ("agp-approvals/1", "deny", [*EFFECTS]):
        raise Unusable("the file is not one of `agp-approvals/1`, whose default is `deny`")
    out = []
    for one in document["rules"]:
        known(one, ("rule", "effect", "tools", "except", "risk", "because", "until"), "a rule")
        if not all(isinstance(one.get(key, ""), str) for key in ("rule", "because", "risk", "until")):
            raise Unusable("a rule on tools is not understood")
        out.append(rule(one["effect"], one.get("risk"), one.get("until"), one["tools"], one.get("except", [])))
    return out


class Check:
    """A state: whether anything was read, for a name is not empty; and for each pattern the tokens that may come next."""

    def __init__(self, document, policy, demanded):
        self.sides, self.demanded = (of_policy(policy), document), demanded
        self.globs = [(side, i, part, glob) for side, rules in enumerate(self.sides) for i, r in enumerate(rules)
                      for part in ("patterns", "except") for glob in r[part]]
        self.start = (False, self.close((g, 0) for g in range(len(self.globs))))
        letters = {t for *_, glob in self.globs for t in glob if isinstance(t, str)}
        self.other = next(c for c in map(chr, range(0x78, 0x2000)) if c not in letters)  # of no pattern
        today = day(policy["day"])
        ends = {r["until"] for rules in self.sides for r in rules if r["until"] and today <= r["until"] < datetime.date.max}
        self.days = [today, *sorted(end + datetime.timedelta(1) for end in ends)]  # on others nothing changes
        self.known = {}

    def close(self, places):
        out, work = set(), list(places)
        while work:
            g, k = place = work.pop()
            out.add(place)
            if self.globs[g][3][k:k + 1] == [RUN] and (g, k + 1) not in out:
                work.append((g, k + 1))
        return frozenset(out)

    def step(self, state, c):
        following = set()
        for g, k in state[1]:
            token = self.globs[g][3][k] if k < len(self.globs[g][3]) else None
            if token in (RUN, ANY, c):
                following.add((g, k if token is RUN else k + 1))
        return (True, self.close(following)) if following else None              # else nothing that begins like this is matched

    def telling(self, state):
        """Characters that stand for all: what is none of them leads where `other` does."""
        tokens = {self.globs[g][3][k] for g, k in state[1] if k < len(self.globs[g][3])}
        return sorted({self.other} | {t for t in tokens if isinstance(t, str)})

    def after(self, text):
        state = self.start
        for c in text.encode().decode("latin-1"):
            state = state and self.step(state, c)
        if state is None:
            raise Refuted(f"{text!r} is nothing that a pattern begins with")
        return state

    def answer(self, side, hits, on):
        """The number of what is done with a call, by how much it permits."""
        matching = [r for i, r in enumerate(self.sides[side]) if (side, i, "patterns") in hits and (side, i, "except") not in hits
                    and (r["until"] is None or on <= r["until"])]
        for effect in EFFECTS:
            risks = [RISKS.index(r["risk"]) for r in matching if r["effect"] == effect]
            if risks:
                return {"deny": 0, "ask": 4 - max(risks), "allow": 5}[effect]
        return 0

    def differs(self, state):
        """Where a name can end: how the two sides differ the wrong way, or None."""
        if not state[0]:
            return None
        hits = frozenset(self.globs[g][:3] for g, k in state[1] if k == len(self.globs[g][3]))
        if hits not in self.known:
            self.known[hits] = None
            for on in self.days:
                policy, layer = self.answer(0, hits, on), self.answer(1, hits, on)
                if (layer < policy) if self.demanded else (layer > policy):
                    self.known[hits] = f"on {on} it is {ANSWERS[layer]}"
        return self.known[hits]


def inductive(document, policy, demanded, texts):
    check = Check(of_file(document), policy, demanded)

    def differ(state, text):
        wrong = check.differs(state)
        return wrong and f"the tool `{text}`: {wrong}"

    closed(check, texts, lambda text, c: text + c, differ)


def violated(document, policy, demanded, texts, control):
    """With the policy of a control, or with the file that it demands, there is a name on which the two differ."""
    if control.get("demanded") not in (None, "EVERYTHING"):
        raise Refuted("the control demands what no file could say")
    rules = [rule("allow", None, None, ["*"], [])] if "demanded" in control else of_file(document)
    check = Check(rules, policy, demanded)
    for text in [*texts, *control.get("added", {}).get("patterns", [])]:
        try:
            if check.differs(check.after(text)):
                return
        except Refuted:                                                          # nothing that begins like this is matched any more
            continue
    raise Refuted("the control is not violated: the obligation may be empty")
