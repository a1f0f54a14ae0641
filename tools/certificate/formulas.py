"""Formulas of SMT-LIB 2 as text, and what can go wrong."""


class Unusable(Exception):
    """The input can't be read, or is outside of what this script understands."""


class Refuted(Exception):
    """The certificate does not hold, or is not what was written."""


class Unknown(Exception):
    """The solver does not decide."""


# ---- formulas --------------------------------------------------------------------------------------------------------
# Boolean formulas are strings; "true" and "false" are folded away, so that a statement stays readable.

def both(*parts):
    kept = list(dict.fromkeys(p for p in parts if p != "true"))
    return "false" if "false" in kept else "true" if not kept else kept[0] if len(kept) == 1 else f"(and {' '.join(kept)})"


def either(*parts):
    kept = list(dict.fromkeys(p for p in parts if p != "false"))
    return "true" if "true" in kept else "false" if not kept else kept[0] if len(kept) == 1 else f"(or {' '.join(kept)})"


def no(part):
    return {"true": "false", "false": "true"}.get(part) or f"(not {part})"


def bits(value, width):
    if not 0 <= value < 2 ** width:                                              # a solver would take what is left of it
        raise Unusable(f"{value} is no number of {width} bits")
    return f"(_ bv{value} {width})"


def within(term, first, last, width):
    return f"(= {term} {bits(first, width)})" if first == last else \
        both("true" if first == 0 else f"(bvuge {term} {bits(first, width)})",
             "true" if last == 2 ** width - 1 else f"(bvule {term} {bits(last, width)})")


class Statement:
    """Declarations and definitions; the names of the latter begin with `s.`, which agp's files don't use."""

    def __init__(self, inputs):
        self.inputs, self.lines = inputs, []

    def define(self, name, formula, width=0):
        if " " not in formula:
            return formula
        self.lines.append(f"(define-fun s.{name} () {sort(width)} {formula})")
        return f"s.{name}"

    def sides(self, artifact, policy):
        self.lines += [f"(define-fun s.artifact () Bool {artifact})", f"(define-fun s.policy () Bool {policy})"]

    def text(self, assertion, more=()):
        declarations = [f"(declare-const {name} {sort(width)})" for name, width in self.inputs.items()]
        return "\n".join(["(set-logic QF_BV)", *declarations, *more, *self.lines, f"(assert {assertion})", "(check-sat)", ""])


def sort(width):
    return f"(_ BitVec {width})" if width else "Bool"
