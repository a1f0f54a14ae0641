#!/usr/bin/python3
"""Writes what the long tier found into docs/results.md: results.py REPORT SEED COMMAND. In: ctest's report, of tests named
`long.SUITE`. Out: each suite's section anew, the others as they were; a section says commit, command, seed, machine, and
the lines `result: …` of the suite's output."""
import pathlib
import platform
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/results.md"
HEAD = """# Results of the long tier

The last run of each suite of `scripts/test --long`. The command gives the same numbers again; times depend on the machine.
"""


def commit():
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!docs/results.md")
    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    cores = len(re.findall(r"^processor\s*:", info, re.M))
    return f"{model.group(1).strip() if model else platform.machine()}, {cores} cores, Linux {platform.release().split('-')[0]}"


def section(case, seed, command):
    name = case.get("name").removeprefix("long.")
    output = case.findtext("system-out") or ""
    found = re.findall(r"^result: (.*)$", output, re.M)
    state = {"run": "passed", "fail": "failed"}.get(case.get("status"), "not run")
    lines = [f"## {name}", "", f"`{command} {name}` at {commit()}, seed {seed}: {state} in {float(case.get('time')):.0f} s.",
             f"{machine()}.", ""]
    return name, "\n".join(lines + [f"- {line}" for line in found]) + "\n"


def main():
    report, seed, command = sys.argv[1:]
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    sections = {part.splitlines()[0][3:]: part.rstrip() + "\n" for part in re.split(r"^(?=## )", text, flags=re.M)[1:]}
    for case in xml.parse(report).getroot().iter("testcase"):
        name, body = section(case, seed, command)
        sections[name] = body
    PAGE.write_text("\n".join([HEAD, *(sections[name] for name in sorted(sections))]), encoding="utf-8")


if __name__ == "__main__":
    main()
