#!/usr/bin/python3
"""The pages made from the tables of commands and options: docs/reference/cli.md is what they say now, and the man pages
are free of faults.

  reference.py SHARE [--update]     SHARE is where the build wrote its pages
"""
import difflib
import pathlib
import shutil
import subprocess
import sys

SHARE = pathlib.Path(sys.argv[1])
PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/reference/cli.md"


def page():
    made = (SHARE / "doc/agp/cli.md").read_text(encoding="utf-8")
    if "--update" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    have = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    lines = list(difflib.unified_diff(have.splitlines(), made.splitlines(), "docs/reference/cli.md", "made from the tables", lineterm=""))
    return lines and [*lines, "to write it: tests/support/reference.py BUILD/share --update"]


def man_pages():
    faults, pages = [], sorted((SHARE / "man/man1").glob("*.1"))
    if len(pages) < 10:
        faults.append(f"there are {len(pages)} man pages")
    for checker in (["groff", "-man", "-Tutf8", "-ww", "-z"], ["mandoc", "-T", "lint", "-W", "warning"]):
        if not shutil.which(checker[0]):
            print(f"skipped {checker[0]}: it is not installed")
            continue
        for one in pages:
            done = subprocess.run([*checker, str(one)], capture_output=True, text=True, timeout=60)
            # A page without a date is the same whenever it is made.
            said = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]
            faults += [f"{one.name}: {line}" for line in said]
    return faults


faults = [*page(), *man_pages()]
print("\n".join(faults) if faults else "reference: nothing to report")
sys.exit(1 if faults else 0)
