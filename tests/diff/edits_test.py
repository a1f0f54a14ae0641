#!/usr/bin/python3
"""One source edit of one pattern is one region: fifty edits of base.agp, and what `agp diff` must say of each.

  edits_test.py AGP [--update]      with --update the regions are written into edits.txt: read the difference

edits.txt: an edit is a line `< OLD` whose text stands once in base.agp, a line `> NEW`, and the regions: `+` what became
permitted, `-` what stopped. Where a pattern moves there is one of each, else one alone. refactorings.txt has none.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASE = (HERE / "base.agp").read_text()


def edits(name):
    """The comment at the top, and (old, new, regions) of each edit."""
    head, *blocks = (HERE / name).read_text().rstrip("\n").split("\n\n")
    for block in blocks:
        old, new, *regions = block.split("\n")
        assert old.startswith("< ") and new.startswith("> "), block
        yield old[2:], new[2:], regions


def regions(agp, old, new):
    assert BASE.count(old) == 1, f"`{old}` does not stand once in base.agp"
    with tempfile.TemporaryDirectory() as scratch:
        for side, text in (("old", BASE), ("new", BASE.replace(old, new))):
            folder = pathlib.Path(scratch, side)
            folder.mkdir()
            (folder / "base.agp").write_text(text)
        done = subprocess.run([agp, "diff", "--no-config", "--allow-widening", "--format", "json", "old", "new"],
                              cwd=scratch, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    [policy] = json.loads(done.stdout)["policies"]
    out = []
    for sign, side in (("+", "permitted"), ("-", "no_longer_permitted")):
        out += [f"{sign} {region['region']}" for region in policy[side]]
    return out, policy["status"]


def main():
    agp, update = str(pathlib.Path(sys.argv[1]).resolve()), "--update" in sys.argv[2:]
    written, wrong, count = [], 0, 0
    for old, new, expected in edits("edits.txt"):
        found, _ = regions(agp, old, new)
        count += 1
        written.append("\n".join([f"< {old}", f"> {new}", *found]))
        signs = [line[0] for line in found]
        if len(signs) != len(set(signs)) or not signs or (found != expected and not update):
            wrong += 1
            print(f"< {old}\n> {new}\nexpected {expected}\nfound    {found}")
    if update:
        head = (HERE / "edits.txt").read_text().split("\n\n")[0]
        (HERE / "edits.txt").write_text(head + "\n\n" + "\n\n".join(written) + "\n")
    same = 0
    for old, new, _ in edits("refactorings.txt"):
        found, status = regions(agp, old, new)
        if found or status != "same":
            wrong += 1
            print(f"< {old}\n> {new}\nis no refactoring: {status} {found}")
        same += 1
    print(f"{count} edits, each of one region a direction; {same} refactorings proved; {wrong} wrong")
    sys.exit(1 if wrong or count < 50 or same < 10 else 0)


if __name__ == "__main__":
    main()
