"""What must not be taken for a success: a second solver that contradicts one of the answers, whichever it is; a root file
system whose directories refuse, or can't be looked into."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP = sys.argv[1]
CLONE = """agp 1
policy p {
  isolation container
  syscall { allow @default except clone   allow clone(flags & 1 == 0)   allow clone(flags & 1 == 1) }
  run { command "/usr/bin/true"   user 1000:1000 }
}
"""
CONTRARY = """#!/usr/bin/python3 -IB
import subprocess
answers = subprocess.run(["/usr/bin/cvc5", "--lang=smt2", "--incremental"], stdin=0, capture_output=True, text=True).stdout.splitlines()
turned = int(open("{}/turned").read())
open("{}/answers", "a").write(str(len(answers)) + "\\n")
for n, answer in enumerate(answers):
    print({{"sat": "unsat", "unsat": "sat"}}.get(answer, answer) if n == turned else answer)
"""
ROOTED = """agp 1
policy p {
  isolation container ephemeral
  file { allow read, exec "/task/main"   allow read, write "/space/**" }
  run { command "/task/main"   user 54321:54321   mount "/srv/space" at "/space" writable }
}
"""


class Doubts(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="agp-doubts-"))
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)
        (self.dir / "agp.toml").write_text("")

    def agp(self, *words, before=()):
        return subprocess.run([*before, AGP, *map(str, words)], capture_output=True, text=True, cwd=self.dir, timeout=120, check=False)

    @unittest.skipUnless(os.access("/usr/bin/cvc5", os.X_OK), "cvc5 is not installed")
    def test_every_answer_may_be_contradicted(self):
        (self.dir / "p.agp").write_text(CLONE)
        program = self.dir / "contrary"
        program.write_text(CONTRARY.format(self.dir, self.dir))
        program.chmod(0o755)
        built = self.agp("build", "p.agp", "-o", "out", "-q")
        self.assertEqual(built.returncode, 0, built.stderr)
        verify = ["verify", "p.agp", "--seccomp", "out/seccomp/filter.x86_64.bpf", "--second-solver", program]
        (self.dir / "turned").write_text("-1")
        run = self.agp(*verify)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        counts = [int(n) for n in (self.dir / "answers").read_text().split()]
        self.assertGreaterEqual(max(counts), 4)
        for turned in range(max(counts)):
            (self.dir / "turned").write_text(str(turned))
            self.assertEqual(self.agp(*verify).returncode, 70, f"answer {turned}")

    def root(self, mode, owner=0):
        (self.dir / "p.agp").write_text(ROOTED)
        for name in ("root/task", "root/srv/space/d"):
            (self.dir / name).mkdir(parents=True)
        (self.dir / "root/task/main").write_text("")
        (self.dir / "root/task/main").chmod(0o755)
        (self.dir / "root/srv/space/d/f").write_text("")
        (self.dir / "root/srv/space/d/f").chmod(0o666)
        (self.dir / "root/srv/space/d").chmod(mode)
        (self.dir / "root/srv/space").chmod(0o777)
        if owner:
            os.chown(self.dir / "root/srv/space/d", owner, owner)
        self.assertEqual(self.agp("build", "p.agp", "-o", "out", "-q").returncode, 0)
        return ["verify", "p.agp", "out", "--rootfs", "root"]

    def test_a_directory_in_which_nothing_can_be_made(self):
        run = self.agp(*self.root(0o755))
        self.assertIn("AGP5067", run.stdout)
        self.assertNotIn("holds A6", run.stdout + run.stderr)
        self.assertIn('create "/space/d/agp-other"', run.stdout)

    def test_directories_for_everybody(self):
        run = self.agp(*self.root(0o777))
        self.assertNotIn("AGP5067", run.stdout)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to look as somebody else")
    def test_what_can_not_be_seen(self):
        words = self.root(0o700, 54321)
        run = self.agp(*words, before=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        self.assertNotEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertNotIn("holds A6", run.stdout + run.stderr)


if __name__ == "__main__":
    outcome = unittest.main(argv=sys.argv[:1], exit=False).result
    for _, reason in outcome.skipped:
        print(f"skipped: {reason}")
    sys.exit(0 if outcome.wasSuccessful() else 1)
