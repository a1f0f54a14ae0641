"""Every policy of docs/examples: no finding; its tests pass; it is built and proved for debian-12; it says who owns it and what
it satisfies, and bounds time, memory and processes; each `accept` is needed; and with the workloads they use every module of
the library."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLES = sorted((ROOT / "docs/examples").glob("*.agp"))


def agp(*arguments):
    return subprocess.run([AGP, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


class Examples(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="agp-examples-"))
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "agp.toml").write_text("")

    def copy(self, example):
        return pathlib.Path(shutil.copy(example, self.dir))

    def test_there_are_thirteen(self):
        self.assertEqual(len(EXAMPLES), 13)

    def test_findings_tests_and_proofs(self):
        for example in EXAMPLES:
            with self.subTest(example.name):
                policy = self.copy(example)
                run = agp("check", "--format", "json", policy)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                self.assertEqual(json.loads(run.stdout)["diagnostics"], [], run.stdout)
                run = agp("test", policy)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                out = self.dir / example.stem
                run = agp("build", policy, "--target", "debian-12", "-o", out)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                manifest = json.loads((out / "manifest.json").read_text())
                self.assertNotIn("not verified", json.dumps(manifest["artifacts"]))

    def test_what_each_says(self):
        for example in EXAMPLES:
            text = example.read_text()
            for wanted in (r"^  owner \"", r"^  satisfies \"", r"^    memory |std\.(agent|mcp)", r"^    pids |std\.(agent|mcp)", r"^    time ", r"^test \S+ \{"):
                self.assertRegex(text, re.compile(wanted, re.M), example.name)

    def test_each_accept_is_needed(self):
        for example in EXAMPLES:
            lines = example.read_text().splitlines(keepends=True)
            for i in (i for i, line in enumerate(lines) if line.startswith("  accept ")):
                with self.subTest(example.name + lines[i]):
                    policy = self.dir / example.name
                    policy.write_text("".join(lines[:i] + lines[i + 1:]))
                    run = agp("check", "-q", policy)
                    self.assertEqual(run.returncode, 1, run.stdout)
                    self.assertRegex(run.stdout, r"error\[AGP400[123]\]")

    def test_the_library_is_used(self):
        """Groups of system calls (`@debug`) are named without `use`."""
        library = ROOT / "stdlib-policies"
        names = {".".join(p.relative_to(library).with_suffix("").parts): p for p in library.rglob("*.agp")}
        used, todo = set(), [*EXAMPLES, *(ROOT / "tests/workloads").glob("*/policy.agp")]
        while todo:
            for name in set(re.findall(r"^use (std\.\S+)$", todo.pop().read_text(), re.M)) - used:
                used.add(name)
                todo.append(names[name])
        self.assertEqual({name for name in names if not name.startswith("std.syscalls.")} - used, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
