#!/usr/bin/python3
"""Runs a fuzz target from its seeds and prints the edges of the front end that they and what it found reach.

  run.py BINARY CORPUS [--seconds N] [--seed N] [--edges BINARY]

BINARY is agp_fuzz_front_end, from a build with -DAGP_FUZZ=ON and clang; --edges names the one of a build with
-DAGP_FUZZ_EDGES=ON too, which has no branches of the sanitizers' own to be counted. CORPUS is a directory that is made if it is
not there and may be kept between runs. Exits with 1 when something was found (the input stays in CORPUS.found) or when
fewer than 80 % of the edges of compiler/syntax or compiler/sema are reached.
"""
import argparse
import hashlib
import itertools
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SEEDS = ROOT / "tests/fuzz/front_end/seeds"
LEAST = 80  # per cent
# Bytes of no character, of too long a one, of half a pair, above the last, and one that ends early.
NOT_UTF8 = (b"\x80", b"\xff", b"\xc3(", b"\xe2\x82", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80")
FOLDERS = ("compiler/syntax", "compiler/sema")


def seeds():
    """Every policy text and every action that the repository has: goldens, examples, library, the pages' examples."""
    for top in ("docs/examples", "stdlib-policies", "tests/language", "tests/artifacts", "tests/cli", "tests/fuzz"):
        for path in sorted((ROOT / top).rglob("*.agp")):
            yield b"!" + path.read_bytes()
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for block in re.findall(r"^```agp\n(.*?)^```$", page.read_text(), re.S | re.M):
            yield b"!" + block.encode()
            if not block.startswith("agp "):
                yield b"!agp 1\npolicy p {\n" + block.encode() + b"}\n"
    for args in sorted((ROOT / "tests/cli").glob("*/args")):
        for line in args.read_text().splitlines():
            words = shlex.split(line, comments=True)
            if len(words) > 2 and words[0] == "query":
                yield b"?" + words[2].encode()
    for text in sorted((ROOT / "tests/unit").glob("s*/*_test.cpp")):
        for raw in re.findall(r'R"\((.*?)\)"', text.read_text(), re.S):
            yield b"!" + raw.encode() if raw.startswith("agp") else b"!agp 1\npolicy p {\n" + raw.encode() + b"\n}\n"
        for short in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text.read_text()):
            plain = short.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
            if len(plain) > 3:
                yield b"?" + plain.encode()
                yield b"!agp 1\npolicy p {\n" + plain.encode() + b"\n}\n"
                if "{" in plain or "=" in plain:
                    yield b"!agp 1\n" + plain.encode()


def mistakes():
    """Each line of seeds/phrases in a text of its own, where its section says; each of seeds/actions; values of
    parameters of each type, as --set gives them; what is not UTF-8."""
    around = {"": "{}", "policy": "policy p {{\n  {}\n}}", "invariant": "invariant i {{\n  {}\n}}", "test": "test p {{\n  {}\n}}"}
    section = ""
    for line in (SEEDS / "phrases").read_text().splitlines():
        if head := re.fullmatch(r"\[(.*)\]", line):
            section = head[1]
            continue
        text = around.get(section, f"policy p {{{{\n  {section} {{{{\n    {{}}\n  }}}}\n}}}}").format(line)
        yield b"!agp 1\n" + text.encode() + b"\n"
    for line in (SEEDS / "actions").read_bytes().split(b"\n"):
        yield b"?" + line
    for line in (SEEDS / "values").read_text().splitlines():
        kind, _, value = line.partition("=")
        yield f"={value}\nagp 1\nparam workspace : {kind}\n".encode()
    for bad in NOT_UTF8:
        yield b'!agp 1\nlet x = "' + bad + b'"\n'


def damaged():
    """The golden texts with a token away, doubled, or in another's place: what recovery is for. One token in eleven."""
    count = 0
    for top in ("docs/examples", "tests/artifacts", "tests/language/syntax", "tests/language/valid"):
        for path in sorted((ROOT / top).rglob("*.agp")):
            text = path.read_text(errors="replace")
            if len(text) > 3000:
                continue
            pieces = list(re.finditer(r'"(?:[^"\\\n]|\\.)*"|[\w.-]+|[^\w\s]', text))
            for one, other in zip(pieces, pieces[1:] + pieces[:1]):
                count += 1
                if count % 11 == 0:
                    before, after = text[:one.start()], text[one.end():]
                    way = count // 11 % 3
                    yield b"!" + (before + ("", one[0] + " " + one[0], other[0])[way] + after).encode()


def dictionary(path):
    lexer = (ROOT / "grammar/AgpLexer.g4").read_text()
    words = set(re.findall(r"^[A-Z_]+\s*:\s*'([^']+)'", lexer, re.M))
    words |= {"tcp", "udp", "icmp", "unix", "connect any", "P1", "AF_INET", "CLONE_NEWUSER", "arg0", "CAP_KILL", "/**",
              "${x}", "10.0.0.0/8", "[fd00::7]", "a.b", "2030-01-01", "0x10", "4 GiB", "low", "path", "int", "size"}
    path.write_text("".join('"%s"\n' % w.replace("\\", "\\\\").replace('"', '\\"') for w in sorted(words)))


def coverage(binary, corpus):
    """Edges reached and edges there are, by folder."""
    done = subprocess.run([binary, "-runs=0", "-print_coverage=1", corpus], capture_output=True, text=True, errors="replace")
    out = {folder: [0, 0] for folder in FOLDERS}
    pattern = re.compile(r"^(?:UN)?COVERED_FUNC: hits: \d+ edges: (\d+)/(\d+) .*?(\S+)$", re.M)
    for reached, edges, where in pattern.findall(done.stderr):
        for folder in FOLDERS:
            if os.path.normpath(where).startswith(f"{ROOT}/{folder}/"):
                out[folder][0] += int(reached)
                out[folder][1] += int(edges)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edges", type=os.path.abspath)
    args = parser.parse_args()
    args.corpus.mkdir(parents=True, exist_ok=True)
    found = args.corpus.with_name(args.corpus.name + ".found")
    found.mkdir(exist_ok=True)
    for text in itertools.chain(seeds(), mistakes(), damaged()):
        (args.corpus / hashlib.sha1(text).hexdigest()).write_bytes(text)
    words = args.corpus.with_name(args.corpus.name + ".words")
    dictionary(words)
    status = 0
    if args.seconds > 0:
        run = subprocess.run([args.binary, f"-max_total_time={args.seconds}", f"-seed={args.seed}", f"-dict={words}",
                              "-max_len=2048", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1",
                              f"-artifact_prefix={found}/", args.corpus], capture_output=True, text=True, errors="replace")
        stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)", run.stderr, re.M))
        print(f"seed: {args.seed}")
        print(f"inputs: {stats.get('number_of_executed_units', '?')}")
        if run.returncode:
            print(run.stderr[-6000:])
            status = 1
    for folder, (reached, edges) in coverage(args.edges or args.binary, args.corpus).items():
        per_cent = 100 * reached / max(edges, 1)
        print(f"result: {folder}: {reached} of {edges} edges, {per_cent:.1f} %")
        status = status if edges and per_cent >= LEAST else 1
    return status


sys.exit(main())
