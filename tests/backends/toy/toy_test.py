#!/usr/bin/python3
"""toy_test.py AGP AGP_TOY: a backend outside the product, linked in by its line of registration, takes part in everything
that knows backends: `agp backends`, the plan, the manifest, the build's proof and `agp verify`, in both directions; and
one without a decoder is *not verified* there, never proved. AGP is the same program without them."""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
AGP, TOY = sys.argv[1:3]
faults = []


def run(program, *words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=120,
                          env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1748736000"})
    return done.returncode, done.stdout, done.stderr


def must(holds, what, *seen):
    if not holds:
        faults.append("\n".join([what, *map(str, seen)]))


def findings(report):
    return [(d["code"], d["message"], d["witness"]) for d in json.loads(report)["diagnostics"]]


with tempfile.TemporaryDirectory() as scratch:
    out = pathlib.Path(scratch) / "out"
    policy = HERE / "policy.agp"

    # the product alone knows neither
    code, text, _ = run(AGP, "backends", "--format", "json")
    product = [b["name"] for b in json.loads(text)]
    must(code == 0 and product and not any(n.startswith("toy") for n in product), "the product has a toy", text)
    code, text, _ = run(TOY, "backends", "--format", "json")
    rows = {b["name"]: b for b in json.loads(text)}
    must(list(rows) == product + ["toy", "toy-note"], "`agp backends` with the toys", text)
    must(rows.get("toy", {}).get("stacks") == ["oci"], "the toy's stacks", text)

    # build: the golden artifact, and its place in plan and manifest
    code, text, err = run(TOY, "build", policy, "-o", out)
    must(code == 0, f"build exits with {code}", text, err)
    must("toy/note.txt" in text + err and "not verified" in text + err, "the build does not say what it can't verify", text, err)
    made = (out / "toy/paths.txt").read_text()
    must(made == (HERE / "paths.txt").read_text(), "toy/paths.txt differs from the golden file", made)
    manifest = json.loads((out / "manifest.json").read_text())
    artifacts = {a["path"]: a for a in manifest["artifacts"]}
    must("toy/paths.txt" in artifacts and "sha256" in artifacts["toy/paths.txt"], "the manifest's artifacts", artifacts)
    answers = [(row["fact"], a["layer"]) for row in manifest["plan"] for a in row["answers"]]
    must(any(layer == "toy" for _, layer in answers), "the toy answers for no fact of the plan", manifest["plan"])
    must(any(layer == "toy-note" and "pids" in fact for fact, layer in answers), "the note answers for no bound", answers)
    must("toy/paths.txt" in json.dumps(manifest["rules"]), "no rule has its place in the toy", manifest["rules"])
    must("toy-note" in json.dumps(manifest), "the note's derived grant is not in the manifest")
    report = json.loads((out / "report.json").read_text())
    must("toy/paths.txt" in json.dumps(report), "the report has no proof of the toy", report)

    # verify: proved as it is; the note keeps the whole from being so
    code, text, err = run(TOY, "verify", policy, out)
    must(code == 3 and "toy/note.txt" in text + err, f"verify exits with {code}", text, err)
    (out / "toy/note.txt").unlink()
    code, text, err = run(TOY, "verify", policy, out)
    must(code == 0, f"verify without the note exits with {code}", text, err)
    # the product finds a file of nobody there, and all that it knows proved
    code, text, err = run(AGP, "verify", policy, out)
    must(code == 0, f"the product exits with {code}", text, err)

    # a loss is the toy's own; an excess is one only where no other layer closes it
    def changed(old, new):
        must(old in made, f"no {old!r} in the artifact", made)
        (out / "toy/paths.txt").write_text(made.replace(old, new))
        return run(TOY, "verify", policy, out, "--format", "json")

    code, text, err = changed("/workspace l rlmcd", "/workspace l rlmc")
    must(code == 1 and any(c == "AGP5002" and "toy/paths.txt" in m and "file access" in m and w and w.startswith("delete")
                           for c, m, w in findings(text)), f"a verb is lost: exit {code}", text, err)
    code, text, err = changed("/ - -", "/ - rlxmcd")
    must(code == 0 and not any(c == "AGP5001" for c, _, _ in findings(text)),
         f"the mounts close what the toy permits: exit {code}", text, err)
    (out / "oci").rename(out / "mounts")  # now nothing does
    code, text, err = changed("/ - -", "/ - rlxmcd")
    must(code == 1 and any(c == "AGP5001" and "toy/paths.txt" in m for c, m, _ in findings(text)),
         f"the toy alone permits more: exit {code}", text, err)
    (out / "mounts").rename(out / "oci")
    for broken in ("toy 2\n", made[:-1], made.replace("/workspace", "workspace"), made + "/a q -\n", made + made, "toy 1\n"):
        (out / "toy/paths.txt").write_text(broken)
        code, text, err = run(TOY, "verify", policy, out, "--format", "json")
        must(code == 1 and any(c == "AGP5004" for c, _, _ in findings(text)), f"{broken!r} is not refused: exit {code}", text, err)

for fault in faults:
    print(fault, "\n")
print(f"{len(faults)} faults")
sys.exit(1 if faults else 0)
