"""The example's promises: its plan has no error; each `accept` is needed; its bytes depend on nothing but the input."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLE = ROOT / "docs/examples/code-execution.agp"


def agp(*arguments, **options):
    return subprocess.run([AGP, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, **options)


def digests(directory):
    """Every file but report.json, which holds times."""
    return {str(p.relative_to(directory)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mode)
            for p in sorted(directory.rglob("*")) if p.is_file() and p.name != "report.json"}


class Example(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="agp-example-"))
        self.dir.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.dir)
        # a copy with its own root, which an unprivileged user can read too
        self.project = self.dir / "project"
        (self.project / "docs/examples").mkdir(parents=True)
        (self.project / "agp.toml").write_text("")
        self.policy = self.project / "docs/examples" / EXAMPLE.name
        shutil.copy(EXAMPLE, self.policy)

    def test_plan(self):
        run = agp("check", self.policy)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertNotIn("error[", run.stdout)
        for fact in ('deny write "/workspace/.git/hooks/**"', "allow connect tcp 10.0.1.50:443", "allow @default",
                     "limit time", "user", 'mount "/task"', 'tool "payments.*"'):
            self.assertIn(fact, run.stdout)
        self.assertIn("needed by the stack beyond the policy", run.stdout)

    def test_every_accept_is_needed(self):
        lines = self.policy.read_text().splitlines(keepends=True)
        accepts = [i for i, line in enumerate(lines) if line.lstrip().startswith("accept ")]
        self.assertEqual(len(accepts), 2)
        for i in accepts:
            self.policy.write_text("".join(lines[:i] + lines[i + 1:]))
            run = agp("build", self.policy, "-o", self.dir / "out")
            self.assertEqual(run.returncode, 1, lines[i] + run.stderr)
            self.assertRegex(run.stderr, r"error\[AGP400[123]\]")
            self.assertFalse((self.dir / "out").exists())

    def test_an_accept_too_many(self):
        text = self.policy.read_text().replace("  accept unenforced tool", '  accept wider limit cpu because "no"\n  accept unenforced tool')
        self.policy.write_text(text)
        run = agp("check", self.policy)
        self.assertEqual(run.returncode, 1)
        self.assertIn("AGP4004", run.stdout)

    def test_same_bytes(self):
        """Two directories, two users, two dates, two umasks, another working directory."""
        first, second = self.dir / "first", self.dir / "elsewhere" / "second"
        second.parent.mkdir()
        second.parent.chmod(0o777)
        run = agp("build", self.policy, "-o", first, env={"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": "1700000000"})
        self.assertEqual(run.returncode, 0, run.stderr)
        other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        binary = self.dir / "agp"
        shutil.copy(AGP, binary)
        for plugin in pathlib.Path(AGP).parent.glob("*.so"):
            shutil.copy(plugin, self.dir)
        run = subprocess.run([binary, "build", self.policy, "-o", second], capture_output=True, text=True, timeout=60, check=False,
                             cwd="/", umask=0o077, env={"SOURCE_DATE_EPOCH": "1900000000", "LC_ALL": "C", "HOME": "/"}, **other)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(digests(first), digests(second))
        self.assertGreater(len(digests(first)), 8)
        for path in first.rglob("*"):
            if path.is_file() and path.name != "report.json":
                self.assertNotIn(str(self.dir).encode(), path.read_bytes(), path)

    def test_a_changed_rule_changes_the_artifact(self):
        agp("build", self.policy, "-o", self.dir / "old")
        self.policy.write_text(self.policy.read_text().replace("api_gateway:443", "api_gateway:[443, 8443]"))
        agp("build", self.policy, "-o", self.dir / "new")
        changed = {p for p in digests(self.dir / "old") if digests(self.dir / "old")[p] != digests(self.dir / "new")[p]}
        self.assertIn("nftables/egress.nft", changed)
        self.assertNotIn("seccomp/filter.x86_64.bpf", changed)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
