"""JSON that has to be understood whole: what a reader skips could be the part that matters."""
import json

from .formulas import Unusable


def strict_json(content, what):
    """UTF-8 (RFC 8259, section 8.1), numbers only, and no name twice in one object: readers differ in which one counts."""
    def once(pairs):
        if len(dict(pairs)) < len(pairs):
            raise Unusable(f"{what} has a key twice in one object")
        return dict(pairs)

    def constant(word):
        raise Unusable(f"{what} is not JSON: {word}")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=once, parse_constant=constant)
    except ValueError as error:
        raise Unusable(f"{what} is not JSON: {error}") from None
    except RecursionError:
        raise Unusable(f"{what} is nested too deep") from None


def known(thing, keys, what):
    if not isinstance(thing, dict):
        raise Unusable(f"{what} is no object")
    if set(thing) - set(keys):
        raise Unusable(f"{what} has members that are not understood: {', '.join(sorted(set(thing) - set(keys)))}")
    return thing


def only(thing, what):
    """Name and content of an object with one member."""
    if not isinstance(thing, dict) or len(thing) != 1:
        raise Unusable(f"{what} is no object with one member")
    return next(iter(thing.items()))


def folded(name):
    """As Go's encoding/json compares a key with a field's name, which is ASCII (fold.go): by simple case folding, which
    outside of ASCII has two letters that fold into it, the long s and the sign of the unit kelvin."""
    return "".join({"\u017f": "s", "\u212a": "k"}.get(c, c.lower() if c.isascii() else c) for c in name)


def field(thing, name, what):
    """A field that a container engine reads by Go's encoding/json, which takes any spelling: only the written one here."""
    if not isinstance(thing, dict) or name not in thing:
        raise Unusable(f"{what} has no field `{name}`")
    other = next((key for key in thing if key != name and folded(key) == name), None)
    if other:
        raise Unusable(f"{what} has the field `{name}` in another spelling: {other!r}")
    return thing[name]
