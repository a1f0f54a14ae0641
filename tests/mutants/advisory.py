"""Oracles of what no kernel loads: approvals.json and alerts.json, read a second time, one name and one day, or one alert
at a time; written from docs/reference/network.md, not from agp."""
import datetime
import itertools
import json
import re

from filters import Refused

EPOCH = datetime.date(1970, 1, 1)
RISKS = [None, "low", "medium", "high"]


def matches(glob, name):
    """`*` is any run of characters, `?` one, a backslash makes the next character literal."""
    pattern, i = "", 0
    while i < len(glob):
        c = glob[i]
        if c == "\\" and i + 1 < len(glob):
            i += 1
            pattern += re.escape(glob[i])
        else:
            pattern += ".*" if c == "*" else "." if c == "?" else re.escape(c)
        i += 1
    return re.fullmatch(pattern, name, re.S) is not None


class Tools:
    def __init__(self, data):
        try:
            self.rules = [(r["effect"], r["tools"], r.get("except", []), r.get("risk"),
                           datetime.date.fromisoformat(r["until"]) if "until" in r else None) for r in json.loads(data)["rules"]]
            for effect, _, _, risk, _ in self.rules:
                if effect not in ("deny", "ask", "allow") or risk not in RISKS:
                    raise Refused(effect)
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise Refused(repr(e)) from e

    def answer(self, name, day):
        hit = [(effect, risk) for effect, tools, excepts, risk, until in self.rules
               if (until is None or day <= until) and any(matches(t, name) for t in tools)
               and not any(matches(t, name) for t in excepts)]
        for effect in ("deny", "ask", "allow"):
            risks = [risk for one, risk in hit if one == effect]
            if risks:
                return effect, max(risks, key=RISKS.index) if effect == "ask" else None
        return "deny", None

    def differs(self, other, witness):
        name, day = re.fullmatch(r'tool ("(?:[^"\\]|\\.)*")(?: on (.*))?', witness["action"]).groups()
        day = datetime.date.fromisoformat(day) if day else EPOCH
        return self.answer(json.loads(name), day) != other.answer(json.loads(name), day)

    def days(self):
        ends = {until for *_, until in self.rules if until and until >= EPOCH}
        return {EPOCH} | ends | {e + datetime.timedelta(1) for e in ends}

    def equal(self, other):
        globs = {t for one in (self, other) for _, tools, excepts, *_ in one.rules for t in tools + excepts}
        names = {""}
        for glob in globs:
            parts = re.findall(r"\\.|.", glob, re.S)
            holes = [p for p in parts if p in ("*", "?")]
            # what other patterns ask for beside this one's own words
            texts = ["", "x", ".", *sorted({w for g in globs for w in re.split(r"[*?\\]", g) if w})[:12]]
            for fill in itertools.islice(itertools.product(*[texts if h == "*" else ["x", "."] for h in holes]), 400):
                values = iter(fill)
                name = "".join(next(values) if p in ("*", "?") else p[-1] for p in parts)
                names |= {name, name[:-1], name[1:], name + "x", "x" + name, name[:-1] + "x"}
        for name in sorted(names):
            for day in self.days() | other.days():
                if self.answer(name, day) != other.answer(name, day):
                    return f"{name!r} on {day}: {self.answer(name, day)} {other.answer(name, day)}"
        return None


class Alerts:
    """What raises what: of each severity (none: `log`) and verb or block, the lines, and how much is not reported. Names of
    rules, reasons and the policy's name are words for people."""

    def __init__(self, data):
        try:
            whole = json.loads(data)
            self.log = "log" in whole
            self.lines, self.gaps, self.stated = {}, {}, set()
            for entry in whole["alerts"] + ([whole["log"]] if self.log else []):
                severity = entry.get("severity")
                self.stated |= {(severity, word) for word in entry.get("on", [])}
                for m in entry["matches"]:
                    line = {"kernel": lambda m=m: (m["prefix"], m["direction"]), "dnsmasq": lambda m=m: (m["regex"],),
                            "audit": lambda m=m: (m["type"],)}[m["log"]]()
                    self.lines.setdefault((severity, m["on"]), set()).add((m["log"], *line))
                for gap in entry["unreported"]:
                    at = severity, gap["on"]
                    self.gaps[at] = max(self.gaps.get(at, 0), 2 if gap["all"] else 1)
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise Refused(repr(e)) from e

    def subject(self, at):
        return at in self.stated, self.lines.get(at, set()), self.gaps.get(at, 0)

    def differs(self, other, witness):
        found = re.fullmatch(r"alert (P\d) for (.*)|log of a refused (.*)", witness["action"], re.S)
        if not found:
            return self.log != other.log
        at = found[1], found[2] or found[3]
        return self.subject(at) != other.subject(at)

    def equal(self, other):
        if self.log != other.log:
            return "log"
        # what it says beyond that about attempts which nobody asked to hear of is about nothing
        for at in sorted({*self.lines, *self.gaps, *self.stated, *other.lines, *other.stated}, key=str):
            mine, its = self.subject(at), other.subject(at)
            if mine[1:] != its[1:] or mine[0] != its[0] and mine[1]:   # what no line raises need not be named
                return f"{at}: {self.subject(at)} {other.subject(at)}"
        return None
