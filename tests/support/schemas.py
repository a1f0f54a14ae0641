#!/usr/bin/python3
"""What agp prints and writes as JSON, against the schemas in docs/reference/schemas; SARIF against the standard's own
schema, where the folder `shared/data` beside the checkout has it; JUnit, which has no schema, by another reader's eyes."""
import json
import pathlib
import re
import sys
import tempfile

import jsonschema
import junitparser

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from golden import DAY, TESTS, run  # noqa: E402

ROOT = TESTS.parent
SCHEMAS = ROOT / "docs/reference/schemas"
SARIF = ROOT.parent / "shared/data/sarif/sarif-schema-2.1.0.json"


def validator(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def main():
    agp = sys.argv[1]
    checks = {name: validator(SCHEMAS / f"agp-{name}-1.json") for name in ("diagnostics", "query", "diff", "manifest", "report", "inspect", "logs")}
    sarif = validator(SARIF) if SARIF.exists() else None
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def expect(check, text, what):
        try:
            errors = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in check.iter_errors(json.loads(text))]
        except ValueError as error:
            errors = [f"no JSON: {error}"]
        counts["failed" if errors else "passed"] += 1
        if errors:
            print(f"FAILED {what}\n  " + "\n  ".join(errors[:5]))

    def expect_junit(text, findings, what):
        """The same findings as the JSON form, and counts that add up; a file without any is one case."""
        try:
            report = junitparser.JUnitXml.fromstring(text)
            cases = [(suite, case) for suite in report for case in suite]
            names = sorted(case.name.split(" ")[0] for _, case in cases if case.name != "no findings")
            failed = sum(1 for _, case in cases if any(isinstance(one, junitparser.Failure) for one in case.result))
            errors = sum(one["severity"] == "error" for one in findings)
            good = names == sorted(one["code"] for one in findings) and failed == errors == report.failures \
                and report.tests == len(cases) and all(s.tests == len(list(s)) for s in report)
        except Exception as error:  # whatever a reader of XML says
            good, names = False, error
        counts["passed" if good else "failed"] += 1
        if not good:
            print(f"FAILED {what}: {names}")

    told = json.loads(run(agp, ["version", "--format", "json"], ROOT)[1])["schemas"]
    written = sorted(set(re.findall(r"`(agp-[a-z]+/\d+)`", (ROOT / "docs/reference/schemas.md").read_text(encoding="utf-8"))))
    counts["passed" if sorted(told) == written else "failed"] += 1
    if sorted(told) != written:
        print(f"FAILED `agp version` has {told}, schemas.md {written}")

    for path in sorted((TESTS / "language").rglob("*.agp")):
        words = [str(path), "--no-config", "--at", DAY]
        found = run(agp, ["check", *words, "--format", "json"], ROOT)[1]
        expect(checks["diagnostics"], found, f"check {path.name}")
        expect_junit(run(agp, ["check", *words, "--format", "junit"], ROOT)[1], json.loads(found)["diagnostics"], f"check --format junit {path.name}")
        if sarif:
            expect(sarif, run(agp, ["check", *words, "--format", "sarif"], ROOT)[1], f"check --format sarif {path.name}")
    example = str(ROOT / "docs/examples/code-execution.agp")
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "out"
        expect(checks["diagnostics"], run(agp, ["build", "-q", example, "-o", str(out), "--format", "json"], ROOT)[2], "build")
        expect(checks["manifest"], (out / "manifest.json").read_text(encoding="utf-8"), "manifest.json")
        expect(checks["report"], (out / "report.json").read_text(encoding="utf-8"), "report.json")
        inspect = ["inspect", str(out / "seccomp/filter.x86_64.bpf"), "--format", "json"]
        expect(checks["inspect"], run(agp, inspect, ROOT)[1], "inspect")
        for command in (["verify", example, str(out)], ["test", example]):
            expect(checks["diagnostics"], run(agp, [*command, "--format", "json"], ROOT)[1], command[0])
    for action in ('write "/workspace/x"', "connect tcp registry.internal:443", "syscall socket(AF_INET6)", 'tool "payments.transfer"'):
        expect(checks["query"], run(agp, ["query", example, action, "--format", "json"], ROOT)[1], f"query {action}")
    parts = ROOT / "tests/cli/diff/input"
    for case in ("logs", "logs-hostile"):
        words = ["logs", "agent.agp", "kern.log", "--format", "json"]
        expect(checks["logs"], run(agp, words, TESTS / "cli" / case / "input")[1], case)
    expect(checks["diff"], run(agp, ["diff", "old", "new", "--format", "json"], parts)[1], "diff")
    if not sarif:
        counts["skipped"] = 1
        print("skipped: the SARIF schema is not here")
    print(f"schemas: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
