"""Each kind of `agp new`, with what it needs and with everything that it takes: no finding that the examples do not have
either, canonical layout, its tests pass, it is built and proved for debian-12; and a file that exists is not touched."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
# As for the examples: mounts refuse without a report; and questions that only the author can answer: who reads a
# checkout before tools outside run what stands in it, whether a job runs what it built, and which addresses a forge or an interface may resolve to.
EXPECTED = {"AGP4005", "AGP3012", "AGP3013", "AGP3014", "AGP3017", "AGP3093", "AGP3109"}
VALUES = {"runtime": "node", "model": "mistral", "forge": "codeberg", "resolver": "fd00::53", "proxy": "fd00::10",
          "mirror": "packages.example.com", "within": "10.0.0.0/8", "server": "fd00::20", "workspace": "/srv/work"}


def agp(*arguments, cwd):
    return subprocess.run([AGP, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


class New(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="agp-new-"))
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "agp.toml").write_text("")

    def kinds(self):
        names = re.search(r"kinds are (.*)", agp("new", cwd=self.dir).stderr).group(1).split(", ")
        self.assertEqual(len(names), 12)
        page = " ".join(agp("help", "new", cwd=self.dir).stdout.split())
        self.assertIn("KIND: " + ", ".join(names) + ".", page)
        return names

    def needed(self, kind):
        """The options that the help of a refused command line gives, until there is none to give."""
        run = agp("new", kind, "-", cwd=self.dir)
        if run.returncode == 0:
            return []
        self.assertEqual(run.returncode, 2, run.stderr)
        return re.search(rf"`agp new {kind} (.*)`", run.stderr).group(1).split()

    def everything(self, kind):
        """All options that the kind does not refuse one by one."""
        given = []
        for name, value in VALUES.items():
            if "has no use for" not in agp("new", kind, "-", f"--{name}", value, cwd=self.dir).stderr:
                given += [f"--{name}", value]
        return given + ["--name", "my_agent-2", "--owner", "platform security (EU)"]

    def clean(self, file):
        run = agp("check", "--format", "json", file, cwd=self.dir)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        codes = {d["code"] for d in json.loads(run.stdout)["diagnostics"]}
        self.assertLessEqual(codes, EXPECTED, run.stdout)
        for command in (["fmt", "--check", file], ["test", file], ["build", file, "--target", "debian-12", "-o", file + ".out"]):
            run = agp(*command, cwd=self.dir)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_each_kind_is_clean(self):
        for kind in self.kinds():
            for options in (self.needed(kind), self.everything(kind)):
                with self.subTest(kind, options=options):
                    file = f"{kind}-{len(options)}.agp"
                    run = agp("new", kind, file, *options, cwd=self.dir)
                    self.assertEqual(run.returncode, 0, run.stderr)
                    self.assertEqual(run.stdout, file + "\n")
                    self.clean(file)

    def test_what_was_said_is_in_it(self):
        text = agp("new", "coding", "-", *self.everything("coding"), cwd=self.dir).stdout
        for wanted in ('policy my_agent-2 {', 'owner "platform security (EU)"', "std.egress.models.mistral", "/usr/bin/node",
                       "std.egress.forges.codeberg", "resolver [fd00::53]", "10.0.0.0/8", 'mount "/srv/work"'):
            self.assertIn(wanted, text)

    def test_a_value_that_is_none(self):
        good = {"--resolver": "10.0.0.53", "--mirror": "packages.example.com", "--within": "10.0.0.0/8"}
        for option, value in (("--mirror", "a.1"), ("--mirror", "Packages.Example.COM"), ("--mirror", "a" * 70 + ".com"),
                              ("--mirror", "*.example.com"), ("--mirror", "10.0.0.1"), ("--within", "10.1.2.3/8"),
                              ("--within", "::ffff:1.2.3.4/100"), ("--within", "10.0.0.1"), ("--within", "[fd00::]/8"),
                              ("--resolver", "10.0.0.0/8"), ("--resolver", "x")):
            with self.subTest(option, value=value):
                words = [w for pair in {**good, option: value}.items() for w in pair]
                run = agp("new", "ci-runner", "bad.agp", *words, cwd=self.dir)
                self.assertEqual((run.returncode, run.stdout), (2, ""), run.stderr)
                self.assertFalse((self.dir / "bad.agp").exists())

    def test_nothing_is_overwritten(self):
        kept, link = self.dir / "coding.agp", self.dir / "link.agp"
        kept.write_text("kept")
        link.symlink_to(self.dir / "elsewhere.agp")
        for arguments in (["coding"], ["coding", "link.agp"], ["coding", "missing/x.agp"]):
            run = agp("new", *arguments, cwd=self.dir)
            self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertEqual(kept.read_text(), "kept")
        self.assertFalse((self.dir / "elsewhere.agp").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
