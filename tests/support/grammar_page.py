#!/usr/bin/python3
"""docs/reference/grammar.md from grammar/*.g4: the page is the grammar with its keywords and signs written out.

  grammar_page.py            exits with 1 when the page is not what the grammar gives
  grammar_page.py --update   writes it
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/reference/grammar.md"

INTRODUCTION = """# The grammar

The syntax of version 1, made from `grammar/AgpParser.g4` and `grammar/AgpLexer.g4`, which the compiler is generated
from; a test keeps this page in step. What the parts mean is in [language.md](language.md).

`x?` is x or nothing, `x*` any number of x, `x | y` one of the two, `( )` a group. Words and signs of the language are in
quotes; [tokens](#tokens) that have many texts are in capitals. White space and comments may stand between tokens. There
are no separators: a statement ends where the next begins. A word in quotes is a keyword only where the grammar expects
it; only `allow`, `ask`, `deny` and `any` are never names.
"""

# The tokens a reader meets, in this order, and what is said of each beside its definition.
TOKENS = {
    "IDENT": "a name; a word that ends in `-` is none",
    "NUMBER": "decimal or hexadecimal",
    "DECIMAL": "a number of cores",
    "UNIT": "of a size or a duration",
    "QUANTITY": "a number with its unit: `4GiB`",
    "RANGE": "of ports",
    "DATE": "a day",
    "V4": "an address",
    "V4_PREFIX": "",
    "V4_RANGE": "",
    "V6": "an address or a prefix, in brackets",
    "V6_RANGE": "",
    "DOTTED": "a module or a host",
    "STRING": "on one line",
}


def rules(text):
    """(name, body, heading) of each rule, in order; `heading` is that of the section the rule begins."""
    text = re.sub(r"^.*?(?=^\w+ +grammar|^parser grammar|^lexer grammar)", "", text, flags=re.S | re.M)
    out, heading = [], None
    for part in re.finditer(r"^// ---- (?P<head>.*)$|^(?P<fragment>fragment )?(?P<name>[A-Za-z_0-9]+)\s*:(?P<body>(?:'[^']*'|\[(?:\\.|[^\]])*\]|[^;'\[])*);",
                            text, re.M):
        if part["head"]:
            heading = part["head"]
            continue
        body = re.sub(r"//.*$", "", part["body"], flags=re.M)
        body = re.sub(r"->.*$", "", body, flags=re.S)
        out.append((part["name"], " ".join(body.split()), heading))
        heading = None
    return out


def wrapped(name, body):
    """A rule on lines of at most 110 columns, alternatives of the outermost level on lines of their own when it is long."""
    line = f"{name} : {body}"
    if len(line) <= 110:
        return line
    parts, depth, start, quoted = [], 0, 0, False
    for i, c in enumerate(body):
        if c == "'":
            quoted = not quoted
        elif not quoted:
            depth += (c == "(") - (c == ")")
            if c == "|" and depth == 0:
                parts.append(body[start:i].strip())
                start = i + 1
    parts.append(body[start:].strip())
    lines, begin = [], f"{name} : "
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= 110 and all(" " not in p for p in (part,)):
            lines[-1] += f" | {part}"
        else:
            lines.append((begin if not lines else "    | ") + part)
    return "\n".join(lines)


def page():
    lexer = rules((ROOT / "grammar/AgpLexer.g4").read_text())
    parser = rules((ROOT / "grammar/AgpParser.g4").read_text())
    texts = {name: body for name, body, _ in lexer if re.fullmatch(r"'(?:\\.|[^'\\])+'", body)}
    definitions = {name: body for name, body, _ in lexer}
    out = [INTRODUCTION]
    out.append("## Files\n\n```ebnf")
    for name, body, heading in parser:
        if heading:
            out.append(f"```\n\n## {heading[0].upper() + heading[1:]}\n\n```ebnf")
        written = re.sub(r"\b[A-Z][A-Z0-9_]*\b", lambda m: texts.get(m[0], m[0]), body)
        written = written.replace("'<EOF>'", "EOF")
        out.append(wrapped(name, written))
    out.append("```\n\n## Tokens\n\nThe longest token is taken.\n\n```ebnf")
    used = set()
    for name, note in TOKENS.items():
        out.append(wrapped(name, definitions[name]) + (f"   // {note}" if note else ""))
        used |= set(re.findall(r"\b[A-Z][A-Za-z]+\b", definitions[name]))
    order = [name for name, _, _ in lexer]
    more = sorted({u for u in closure(used, definitions) if u in definitions and u not in TOKENS}, key=order.index)
    out += [wrapped(name, definitions[name]) for name in more]
    out.append("```\n")
    unknown = {t for _, body, _ in parser for t in re.findall(r"\b[A-Z][A-Z0-9_]*\b", body)} - set(texts) - set(TOKENS) - {"EOF"}
    if unknown:
        sys.exit(f"grammar_page.py: say what {', '.join(sorted(unknown))} are")
    return "\n".join(out)


def closure(names, definitions):
    known, work = set(), list(names)
    while work:
        name = work.pop()
        if name in known or name not in definitions:
            continue
        known.add(name)
        work += re.findall(r"\b[A-Z][A-Za-z]+\b", definitions[name])
    return known


def main():
    text = page()
    if "--update" in sys.argv[1:]:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit("docs/reference/grammar.md is not what the grammar gives: tests/support/grammar_page.py --update")


main()
