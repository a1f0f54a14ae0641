#!/usr/bin/python3
"""Runs the golden cases of the command line.

  golden.py --agp BINARY [--update] SUITE [NAME...]

SUITE is one of
  language   tests/language/**/*.agp: a policy, and what `agp check` finds in it, in `//~` lines below the lines
             concerned; a line `// args: …` adds options; AGP3xxx are
             looked for in the folder `lints` alone; what a folder `parts` holds is there to be used by others
  cli        tests/cli/NAME/: args (one command line a line; `!rm FILE` and
             `!append FILE TEXT` change a file between them, `!replace FILE OLD NEW` the first place of a text in one, `!count FILE TIMES TEXT` adds a line for each number from 1,
             in the place of `{}`, and `!patch` applies what the command before printed; `!cpu SECONDS` before a
             command ends each of its processes that computes for longer), input/ (the working directory), made.json (files of it whose
             names not every system can hold, or that are large: a text, or a list of texts and [TEXT, TIMES]), stdin, env; expected: exit, out, err, and, where the folder exists, after/
             (exactly the files that must be there afterwards)
  artifacts  tests/artifacts/NAME/: policy.agp, or its path from the root of the checkout in `source`; perhaps args; beside
             them the artifacts that `agp build` must write

With --update the expectations are written instead of compared: read the difference before you commit it.
"""
import argparse
import difflib
import functools
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
DAY = "2025-06-01"  # what `until` is compared with where a case says nothing else
LIMIT = 120         # seconds for one run of agp: a hang is a failure, not a wait


def run(agp, words, cwd, stdin=b"", env=None, cpu=None):
    """Exit code (as a shell gives it), standard output and error. With `cpu`, the kernel kills each process of the run
    that has used so many seconds of processor time."""
    base = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1748736000"}
    try:
        done = subprocess.run([agp, *words], cwd=cwd, input=stdin, env={**base, **(env or {})}, capture_output=True,
                              timeout=LIMIT, preexec_fn=cpu and (lambda: resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))))
    except subprocess.TimeoutExpired:
        return 124, b"", b"golden.py: the run took too long\n"
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return code, done.stdout, done.stderr


# ---- language -------------------------------------------------------------------------------------------------------

def place(location, home):
    """`14-22`, `14-+2:3` where it ends two lines further; with the line, or the file and the line, where `home` differs."""
    start, end = location["start"], location["end"]
    stop = str(end["column"]) if end["line"] == start["line"] else f"+{end['line'] - start['line']}:{end['column']}"
    text = f"{start['column']}-{stop}"
    if home == (location["path"], start["line"]):
        return text
    where = "" if home and home[0] == location["path"] else location["path"] + ":"
    return f"{where}{start['line']}:{text}"


def visible(text):
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)


def expectation(finding, name):
    """The `//~` lines of one finding of the JSON report. They stand below its line; one without a line in the file
    `name` stands at the top, with its own."""
    location = finding["location"]
    home = (location["path"], location["start"]["line"]) if location and location["path"] == name else None
    head = place(location, home) + " " if location else ""
    lines = [f"//~ {head}{finding['severity']}[{finding['code']}]: {visible(finding['message'])}"]

    def more(word, text):
        lines.append(f"//~   {word}: {visible(text)}")

    if finding["label"]:
        more("label", finding["label"])
    for related in finding["related"]:
        more(f"related {place(related['location'], home)}" if related["location"] else "related", related["message"])
    if finding["witness"]:
        more("witness", finding["witness"])
    for note in finding["notes"]:
        more("note", note)
    if finding["help"]:
        more("help", finding["help"])
    for edit in finding["edits"]:
        more(f"edit {place(edit['location'], home)}", edit["replacement"])
    return lines


def language_case(agp, path, update):
    text = path.read_text(encoding="utf-8")
    bare = [line for line in text.split("\n") if not line.lstrip().startswith("//~")]
    words = []
    for line in bare:
        if line.startswith("// args:"):
            words = shlex.split(line[len("// args:"):])
    lints = path.parent.name == "lints"
    config = ["--no-config"] if lints else ["--config", str(TESTS / "support/without-lints.toml")]
    command = ["check", "-", "--stdin-name", path.name, "--project-root", ".", *config, "--at", DAY, "--format", "json", *words]
    code, out, err = run(agp, command, path.parent, "\n".join(bare).encode())
    if code not in (0, 1, 2, 3):
        return f"exit status {code}\n{err.decode(errors='replace')}"
    try:
        findings = json.loads(out)["diagnostics"]
    except (ValueError, KeyError):
        return f"no report on standard output\n{err.decode(errors='replace')}"
    below = {}
    if lints:  # whether a stack can hold the rules is what tests/language/plan is about
        findings = [f for f in findings if f["code"] < "AGP4000"]
    for finding in findings:
        location = finding["location"]
        line = location["start"]["line"] if location and location["path"] == path.name else 0
        below.setdefault(line, []).extend(expectation(finding, path.name))
    wanted = list(below.get(0, []))
    for number, line in enumerate(bare, 1):
        wanted.append(line)
        wanted.extend(below.get(number, []))
    made = "\n".join(wanted)
    if below.get(len(bare)) and not made.endswith("\n"):
        made += "\n"  # what was found at the very end stands behind it; the bare text has no line end there
        if bare[-1] == "":
            made = "\n".join(wanted)
    return compare(path, made.encode(), update)


# ---- cli ------------------------------------------------------------------------------------------------------------

def compare(path, made, update):
    have = path.read_bytes() if path.exists() else b""
    if have == made and path.exists():
        return ""
    if update:
        path.write_bytes(made)
        return ""
    lines = [text.decode("utf-8", errors="backslashreplace").splitlines(keepends=True) for text in (have, made)]
    return "".join(line if line.endswith("\n") else line + "\n"
                   for line in difflib.unified_diff(*lines, f"{path.name} (expected)", f"{path.name} (observed)"))


def made_text(text):
    """A file of made.json: `"text"`, or `["text", ["again", 1000], …]`; a byte that is no UTF-8 is its surrogate escape."""
    parts = [text] if isinstance(text, str) else text
    return "".join(p if isinstance(p, str) else p[0] * p[1] for p in parts).encode("utf-8", "surrogateescape")


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@functools.cache
def version_of(agp):
    return json.loads(run(agp, ["version", "--format", "json"], TESTS)[1])["version"].encode()


def cli_case(agp, folder, update):
    version = version_of(agp)
    with tempfile.TemporaryDirectory() as scratch:
        home = pathlib.Path(scratch).resolve() / "home"
        if (folder / "input").is_dir():
            shutil.copytree(folder / "input", home, symlinks=True)
        else:
            home.mkdir()
        if (folder / "made.json").exists():  # files whose names a checkout could not hold everywhere
            for name, text in json.loads((folder / "made.json").read_text()).items():
                (home / os.fsdecode(name.encode("utf-8", "surrogateescape"))).write_bytes(made_text(text))
        stdin = (folder / "stdin").read_bytes() if (folder / "stdin").exists() else b""
        env = dict(line.split("=", 1) for line in (folder / "env").read_text().splitlines()) if (folder / "env").exists() else {}
        codes, outs, errs = [], b"", b""
        for line in (folder / "args").read_text(encoding="utf-8").splitlines():
            words = shlex.split(line)
            if words[:1] == ["!rm"]:
                (home / words[1]).unlink()
                continue
            if words[:1] == ["!append"]:
                with open(home / words[1], "ab") as file:
                    file.write(words[2].encode())
                continue
            if words[:1] == ["!replace"]:
                text = (home / words[1]).read_text()
                if words[2] not in text:
                    raise SystemExit(f"{folder}: {words[1]} has no {words[2]!r}")
                (home / words[1]).write_text(text.replace(words[2], words[3], 1))
                continue
            if words[:1] == ["!count"]:
                with open(home / words[1], "a") as file:
                    file.writelines(words[3].replace("{}", str(i)) + "\n" for i in range(1, int(words[2]) + 1))
                continue
            if words[:1] == ["!patch"]:
                subprocess.run(["patch", "-s", "-p0"], cwd=home, input=out, check=True)
                continue
            cpu = None
            if words[:1] == ["!cpu"]:
                cpu, words = int(words[1]), words[2:]
            code, out, err = run(agp, words, home, stdin, env, cpu)
            codes.append(str(code))
            outs, errs = outs + out, errs + err

        def steady(text):
            return text.replace(bytes(home), b"{home}").replace(b'"' + version + b'"', b'"{version}"')

        faults = [compare(folder / "exit", ("\n".join(codes) + "\n").encode(), update)]
        for name, text in (("out", steady(outs)), ("err", steady(errs))):
            if text or (folder / name).exists():
                faults.append(compare(folder / name, text, update))
        if (folder / "after").is_dir():
            names = sorted(set(tree(home)) | set(tree(folder / "after")))
            for name in names:
                here, there = home / name, folder / "after" / name
                if not here.exists():
                    faults.append(f"after/{name}: expected, and not there\n")
                elif not there.exists() and not update:
                    faults.append(f"after/{name}: there, and not expected\n")
                else:
                    there.parent.mkdir(parents=True, exist_ok=True)
                    faults.append(compare(there, here.read_bytes(), update))
        return "".join(faults)


# ---- artifacts ------------------------------------------------------------------------------------------------------

def artifacts_case(agp, folder, update):
    words = shlex.split((folder / "args").read_text()) if (folder / "args").exists() else []
    source = folder / "source"
    policy = TESTS.parent / source.read_text().strip() if source.exists() else folder / "policy.agp"
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "out"
        code, _, err = run(agp, ["build", str(policy), "-o", str(out), "--project-root", str(policy.parent), "--no-config", "--at", DAY, *words], folder)
        if code != 0:
            return f"exit status {code}\n{err.decode(errors='replace')}"
        faults = []
        kept = [n for n in tree(folder) if n not in ("policy.agp", "source", "args")]
        # A raw filter is compared by its listing; manifest and report have tests of their own.
        made = [n for n in tree(out) if not n.endswith(".bpf") and n not in ("manifest.json", "report.json")]
        for name in sorted(set(kept) | set(made)):
            if name not in made:
                faults.append(f"{name}: expected, and not written\n")
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            faults.append(compare(folder / name, (out / name).read_bytes(), update))
        return "".join(faults)


SUITES = {
    "language": (language_case, lambda: sorted(p for p in (TESTS / "language").rglob("*.agp") if p.parent.name != "parts")),
    "cli": (cli_case, lambda: sorted(p.parent for p in (TESTS / "cli").glob("*/args"))),
    "artifacts": (artifacts_case, lambda: sorted({p.parent for name in ("policy.agp", "source") for p in (TESTS / "artifacts").glob(f"*/{name}")})),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agp", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    case, find = SUITES[options.suite]
    cases = [p for p in find() if not options.names or p.stem in options.names]
    if not cases:
        sys.exit(f"golden.py: no case of the suite `{options.suite}` was found")
    agp = os.path.abspath(options.agp)
    failed = 0
    for path in cases:
        fault = case(agp, path, options.update)
        if fault:
            failed += 1
            print(f"FAILED {path.relative_to(TESTS.parent)}\n{fault}", flush=True)
    print(f"{options.suite}: {len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
