"""Every edit that any golden policy's findings carry, at most one for each policy at a time and without the check that
`--fix` makes: the text still resolves, and `agp diff` proves that no policy permits more. Then `--fix` on the whole file:
the same, and a second run changes nothing. The short tier takes every second file."""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

AGP = str(pathlib.Path(sys.argv[1]).resolve())
LANGUAGE = pathlib.Path(__file__).resolve().parent.parent / "language"
DAY = "2025-06-01"


def agp(*words, cwd):
    return subprocess.run([AGP, *map(str, words), "--at", DAY], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def project(folder, path, text):
    """A project with this text in the place of the golden file, and what it uses beside it."""
    folder.mkdir()
    (folder / "agp.toml").write_text("")
    if (path.parent / "parts").is_dir():
        shutil.copytree(path.parent / "parts", folder / "parts")
    (folder / path.name).write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder


def offset(starts, place):
    return starts[place["line"] - 1] + place["column"] - 1


def edited(text, edits):
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    places = {(offset(starts, e["location"]["start"]), offset(starts, e["location"]["end"]), e["replacement"]) for e in edits}
    for begin, end, replacement in sorted(places, reverse=True):
        text = text[:begin] + replacement + text[end:]
    return text


class Faults(list):
    def expect(self, good, text):
        if not good:
            self.append(text)
            print(f"FAILED {text}", flush=True)


def no_wider(faults, before, after, what):
    done = agp("diff", before, after, cwd=before.parent)
    faults.expect(done.returncode == 0, f"{what}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def main():
    faults, edits, fixed = Faults(), collections.Counter(), 0
    for path in sorted(LANGUAGE.rglob("*.agp"))[::1 if os.environ.get("AGP_LONG") else 2]:
        if path.parent.name == "parts":
            continue
        raw = path.read_bytes().decode("utf-8", "surrogateescape")
        text = "\n".join(line for line in raw.split("\n") if not line.lstrip().startswith("//~"))
        with tempfile.TemporaryDirectory() as scratch:
            top = pathlib.Path(scratch)
            before = project(top / "before", path, text)
            report = json.loads(agp("check", "--format", "json", path.name, cwd=before).stdout)
            carried = [f for f in report["diagnostics"] if f["edits"]]
            if not carried:
                continue
            if agp("diff", before, before, cwd=top).returncode != 0:
                continue  # what mends a text that does not resolve is no matter of what it permits
            rounds = []  # of findings of different policies
            for finding in carried:
                if any(e["location"]["path"] != path.name for e in finding["edits"]):
                    continue
                edits[finding["code"]] += 1
                free = next((r for r in rounds if all(f["policy"] != finding["policy"] for f in r)), None)
                if free is None:
                    rounds.append(free := [])
                free.append(finding)
            for number, findings in enumerate(rounds):
                after = project(top / f"after-{number}", path, edited(text, [e for f in findings for e in f["edits"]]))
                no_wider(faults, before, after, f"{path.name}: " + ", ".join(f"{f['code']} of {f['policy']}" for f in findings))
            if len(carried) > 20:  # `--fix` tries each by itself
                continue
            after = project(top / "fixed", path, text)
            agp("check", "--fix", path.name, cwd=after)
            once = (after / path.name).read_bytes()
            fixed += once != (before / path.name).read_bytes()
            no_wider(faults, before, after, f"{path.name}: --fix")
            agp("check", "--fix", path.name, cwd=after)
            faults.expect((after / path.name).read_bytes() == once, f"{path.name}: a second --fix changes something")
    faults.expect(sum(edits.values()) > 50 and fixed > 5, "hardly anything was tried")
    print(f"{sum(edits.values())} edits tried: " + ", ".join(f"{n} of {c}" for c, n in sorted(edits.items())))
    print(f"{fixed} files changed by --fix; {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
