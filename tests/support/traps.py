#!/usr/bin/python3
"""Every row of docs/explanation/known-traps.md names tests that are there: `Suite.Name` of GoogleTest, `file.py:function`.

Each row says by which test the trap is refuted and by which it is tried, or `not here:` and why."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/explanation/known-traps.md"
LEAST = 22  # as many as were known when the table was made; it may only grow


def tests():
    found = set()
    for path in (ROOT / "tests").rglob("*"):
        if path.suffix == ".cpp":
            found |= {f"{s}.{n}" for s, n in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(), re.M)}
        elif path.suffix == ".py":
            found |= {f"{path.name}:{name}" for name in re.findall(r"^ *def (\w+)\(", path.read_text(), re.M)}
    return found


def main():
    have, faults, rows = tests(), [], []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 3 or cells[0] in ("trap", "---"):
            continue
        rows.append(cells[0])
        for cell in cells[1:]:
            names = re.findall(r"`([\w.:]+)`", cell)
            faults += [f"{cells[0]}: there is no test {name}" for name in names if name not in have]
            if not names and not re.match(r"not here: .{20}", cell):
                faults.append(f"{cells[0]}: no test, and no reason")
    if len(set(rows)) < LEAST or len(set(rows)) != len(rows):
        faults.append(f"{len(set(rows))} different traps in {len(rows)} rows; {LEAST} are the least")
    print("\n".join(faults) if faults else f"{len(rows)} traps, each with its tests")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
