"""`agp check --fix`, `--baseline` and `--write-baseline`: what is mended and what is not, that a dry run changes nothing, that
a second run changes nothing, and that a baseline hides what it has and nothing else."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP = os.path.abspath(sys.argv[1])

# A wide grant of calls, which a guard mends; a tree, whose guard no layer of the stack holds without an `accept`; an idle
# suppression; and what a guard would contradict.
POLICY = """agp 1

policy {name} {{
  file {{
    // agp-allow log-writable until 2027-03-01: idle
    allow read "/root/.ssh/id_rsa"
    allow read, write "/workspace/**"
  }}
  syscall {{
    allow @default
    allow ioctl
  }}
  run {{
    command "/usr/bin/true"
    user 1000:1000
    mount "/home/bob/work" at "/workspace" writable
  }}
}}
"""


class Fix(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="agp-fix-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.root = self.dir / "project"
        self.root.mkdir()
        (self.root / "agp.toml").write_text("")

    def write(self, name, extra="", **replaced):
        text = POLICY.format(name=name) + extra
        for old, new in replaced.items():
            text = text.replace(old, new)
        (self.root / f"{name}.agp").write_text(text)
        return text

    def agp(self, *words, status=None):
        run = subprocess.run([AGP, *map(str, words), "--at", "2026-01-01"], capture_output=True, text=True, cwd=self.root,
                             timeout=120, check=False)
        if status is not None:
            self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run

    def codes(self, *words):
        return [f["code"] for f in json.loads(self.agp("check", "--format", "json", *words).stdout)["diagnostics"]]

    def test_mends_what_the_check_agrees_to(self):
        self.write("one")
        os.chmod(self.root / "one.agp", 0o640)
        before = self.codes()
        self.assertIn("AGP3192", before)
        run = self.agp("check", "--fix")
        text = (self.root / "one.agp").read_text()
        self.assertIn("use std.guard.calls\n", text)
        self.assertIn("include std.guard.calls.terminal\n", text)
        self.assertNotIn("log-writable", text)
        self.assertNotIn("std.guard.git", text, "no layer holds it")
        self.assertNotIn("std.guard.credentials.keys", text, "the rule says so")
        self.assertIn("2 findings in 1 file mended", run.stderr)
        self.assertEqual((self.root / "one.agp").stat().st_mode & 0o777, 0o640)
        after = self.codes()
        self.assertEqual(sorted(before), sorted(after + ["AGP3003", "AGP3192"]))
        self.agp("check", "--fix")
        self.assertEqual(text, (self.root / "one.agp").read_text(), "a second run changes nothing")
        self.assertEqual([p.name for p in sorted(self.root.iterdir())], ["agp.toml", "one.agp"])

    def test_a_dry_run_is_a_patch(self):
        text = self.write("one")
        run = self.agp("check", "--fix", "--dry-run")
        self.assertEqual(text, (self.root / "one.agp").read_text())
        self.assertNotIn("AGP3192", run.stderr)
        self.assertIn("AGP3011", run.stderr)
        subprocess.run(["patch", "-s", "-p0"], input=run.stdout, text=True, cwd=self.root, check=True)
        patched = (self.root / "one.agp").read_text()
        self.write("one")
        self.agp("check", "--fix")
        self.assertEqual(patched, (self.root / "one.agp").read_text())

    def test_a_line_of_a_test_forbids_an_edit(self):
        text = self.write("one", "\ntest one { allow syscall ioctl(0, 0x5412) }\n")
        self.agp("check", "--fix")
        after = (self.root / "one.agp").read_text()
        self.assertNotEqual(text, after)
        self.assertNotIn("std.guard.calls", after)

    def test_every_file_by_itself_and_none_outside(self):
        self.write("one")
        self.write("two")
        outside = self.dir / "outside.agp"
        outside.write_text(POLICY.format(name="outside"))
        (self.root / "link.agp").symlink_to(outside)
        self.agp("check", "--fix")
        self.assertIn("include", (self.root / "two.agp").read_text())
        self.agp("check", "--fix", "--project-root", self.root, "link.agp", status=2)
        self.assertEqual(outside.read_text(), POLICY.format(name="outside"))
        self.agp("check", "--fix", "-", status=2)
        self.agp("check", "--dry-run", status=2)

    def test_a_broken_file_is_left(self):
        self.write("one", "policy {\n")
        text = (self.root / "one.agp").read_text()
        self.agp("check", "--fix", status=1)
        self.assertEqual(text, (self.root / "one.agp").read_text())

    def test_a_baseline_hides_what_it_has(self):
        self.write("one")
        self.write("two")
        lints = [c for c in self.codes() if c > "AGP3009" and c < "AGP4000"]
        run = self.agp("check", "--write-baseline", "base.json")
        self.assertNotIn("AGP3192", run.stdout)
        self.assertIn("AGP3003", run.stdout, "a suppression is no lint")
        base = json.loads((self.root / "base.json").read_text())
        self.assertEqual(sum(f["count"] for f in base["findings"]), len(lints))
        rest = self.codes("--baseline", "base.json")
        self.assertFalse([c for c in rest if c > "AGP3009" and c < "AGP4000"])
        # a rule that moves is known, one that is new is not, even where an equal one is known
        text = (self.root / "one.agp").read_text()
        (self.root / "one.agp").write_text(text.replace("    allow ioctl\n", "\n\n    allow   ioctl\n"))
        self.assertEqual(self.codes("--baseline", "base.json"), rest)
        (self.root / "two.agp").write_text(text.replace("one", "two").replace("    allow ioctl\n", "    allow ioctl\n    allow bpf\n"))
        self.assertEqual(sorted(self.codes("--baseline", "base.json")), sorted(rest + ["AGP3180"]))
        # what is gone is told once, and only where it was looked for
        (self.root / "two.agp").write_text(text.replace("one", "two").replace("    allow ioctl\n", ""))
        self.assertIn("AGP3004", self.codes("--baseline", "base.json"))
        self.assertNotIn("AGP3004", self.codes("--baseline", "base.json", "one.agp"))
        # with the cache as without it
        for _ in range(2):
            self.assertIn("AGP3004", self.codes("--baseline", "base.json", "--cache", self.dir / "cache"))

    def test_a_baseline_of_a_wide_grant(self):
        text = """agp 1
use std.guard.metadata
policy open {{
  isolation process
{}  net {{
    allow connect tcp 0.0.0.0/0:*
  }}
}}
"""
        deny = "  include std.guard.metadata\n"
        (self.root / "one.agp").write_text(text.format(deny))
        self.assertIn("AGP3090", self.codes())
        self.agp("check", "--write-baseline", "base.json")
        self.assertNotIn("AGP3090", self.codes("--baseline", "base.json"))
        # the grant as wide as before, without the line that took the worst out of it
        (self.root / "one.agp").write_text(text.format(""))
        for _ in range(2):
            self.assertIn("AGP3090", self.codes("--baseline", "base.json", "--cache", self.dir / "cache"))
        self.agp("check", "--write-baseline", "base.json")
        self.assertNotIn("AGP3090", self.codes("--baseline", "base.json"))

    def test_a_baseline_of_many_places_told_together(self):
        text = """agp 1
policy many {{
  isolation process
  file {{
    allow write "/srv/a/**"
    allow write "/srv/b/**"
    allow write "/srv/c/**"
    allow write "/srv/d/**"
{}    allow exec "/opt/**"
    deny exec "/opt/x"
{}    deny exec "/opt/z"
  }}
}}
"""
        (self.root / "one.agp").write_text(text.format("", ""))
        self.assertEqual([self.codes().count(c) for c in ("AGP3011", "AGP3070")], [1, 1])
        self.agp("check", "--write-baseline", "base.json")
        for tree, program, new in (("", "", []), ('    allow write "/srv/e/**"\n', "", ["AGP3011"]),
                                   ("", '    deny exec "/opt/y"\n', ["AGP3070"])):
            (self.root / "one.agp").write_text(text.format(tree, program))
            for _ in range(2):
                found = self.codes("--baseline", "base.json", "--cache", self.dir / "cache")
                self.assertEqual([c for c in found if c in ("AGP3011", "AGP3070")], new)

    def test_a_baseline_knows_each_rule_of_a_chain(self):
        text = """agp 1
{}
policy one {{
  isolation process
  file {{
    allow exec "/srv/**"
    allow create "${{drop}}/*"
    allow read "/root/${{key}}"
{}  }}
  net {{
    allow connect tcp 1.0.0.0-223.255.255.255:443
{}  }}
  env {{
    set "PATH" = "/usr/bin:${{path}}"
  }}
}}
"""
        lets = 'let drop = "/srv/a"\nlet key = ".ssh/id_rsa"\nlet path = "/srv/a"'
        more = '    allow create "/srv/c/*"\n'
        chains = ("AGP3017", "AGP3119", "AGP3295")

        def told(*args, lets=lets, file="", net=""):
            (self.root / "one.agp").write_text(text.format(lets, file, net))
            found = [self.codes("--baseline", "base.json", "--cache", self.dir / "cache") for _ in range(2)]
            self.assertEqual(*found)
            return [c for c in chains if c in found[0]]

        (self.root / "one.agp").write_text(text.format(lets, "", ""))
        self.assertEqual([c for c in chains if c in self.codes()], list(chains))
        self.agp("check", "--write-baseline", "base.json")
        self.assertEqual(told(), [])
        # what a rule behind the first stands for
        self.assertEqual(told(lets=lets.replace("/srv/a", "/srv/b")), ["AGP3017", "AGP3295"])
        self.assertEqual(told(lets=lets.replace('drop = "/srv/a"', 'drop = "/srv/b"')), ["AGP3017"])
        self.assertEqual(told(lets=lets.replace(".ssh/id_rsa", ".aws/credentials")), ["AGP3119"])
        # one more of a kind, and one less
        self.assertEqual(told(file=more), ["AGP3017"])
        self.assertEqual(told(file='    allow read "/root/.aws/credentials"\n'), ["AGP3119"])
        self.assertEqual(told(net="    allow connect tcp 8.0.0.0/5:80, 1.0.0.0-223.255.255.255:80\n"), ["AGP3119"])
        (self.root / "one.agp").write_text(text.format(lets, more, ""))
        self.agp("check", "--write-baseline", "base.json")
        self.assertEqual(told(file=more), [])
        self.assertEqual(told(), [])
        self.assertIn("AGP3004", self.codes("--baseline", "base.json"))

    def test_a_baseline_knows_what_stands_in_each_of_many_places(self):
        text = """agp 1
let fourth = "{}"
policy many {{
  isolation process
  file {{
    allow write "/srv/a/**"
    allow write "/srv/b/**"
    allow write "/srv/c/**"
    allow write "${{fourth}}/**"
  }}
}}
"""
        (self.root / "one.agp").write_text(text.format("/srv/d"))
        self.assertIn("AGP3011", self.codes())
        self.agp("check", "--write-baseline", "base.json")
        self.assertNotIn("AGP3011", self.codes("--baseline", "base.json"))
        (self.root / "one.agp").write_text(text.format("/srv/e"))
        self.assertIn("AGP3011", self.codes("--baseline", "base.json"))

    def test_a_wide_grant_stands_for_its_own_place_only(self):
        text = """agp 1
policy wide {{
  file {{
{}    allow write "/w1/**"
    allow write "/w2/**"
    allow write "/w3/**"
{}  }}
}}
"""
        home, wanted = '    allow write "/root/**"\n', ("AGP3011", "AGP3013", "AGP3014")
        (self.root / "one.agp").write_text(text.format(home, ""))
        self.assertEqual([c for c in wanted if c not in self.codes()], [])
        self.agp("check", "--write-baseline", "base.json")
        self.assertEqual([c for c in wanted if c in self.codes("--baseline", "base.json")], [])
        (self.root / "one.agp").write_text(text.format(home, '    allow write "/w4/**"\n'))
        self.assertEqual([c for c in wanted if c not in self.codes("--baseline", "base.json")], [])

    def test_a_deletion_waits_for_what_narrows_its_reason(self):
        text = """agp 1
policy one {
  file {
    allow read "/data*/**"
    allow read "/data-x/**"
  }
  run {
    command "/usr/bin/true"
    user 1000:1000
    mount "/srv/data" at "/data" readonly
  }
}
"""
        (self.root / "one.agp").write_text(text)
        self.assertIn("AGP2015", self.codes())
        self.agp("check", "--fix")
        self.assertIn('"/data-x/**"', (self.root / "one.agp").read_text())
        # with nothing to narrow its reason stays, and it goes
        (self.root / "one.agp").write_text(text.replace("data*/**", "**").replace("data-x", "data/x"))
        self.agp("check", "--fix")
        self.assertNotIn('"/data/x/**"', (self.root / "one.agp").read_text())

    def test_a_parameter_is_one_however_it_is_written(self):
        for begin in ("param w", "param/**/w", "param // the root\n w"):
            with self.subTest(begin):
                text = begin + """ : path = "/a"
policy p {
  isolation container
  file { allow read "/a/**" except "/a/s"   deny read "${w}/s/**"   deny read "/a/s/x" }
}
"""
                (self.root / "p.agp").write_text("agp 1\n" + text)
                self.agp("check", "--fix", "p.agp")
                self.assertEqual((self.root / "p.agp").read_text(), "agp 1\n" + text)

    def test_a_second_run_changes_nothing(self):
        text = """agp 1
policy one {
  isolation container ephemeral
  file {
    allow read, write "/data/**"
    allow read "/data/x"
    allow write "/data/x"
    allow read "/srv*/**"
    allow exec "/srv"
  }
  syscall {
    allow @default
    allow clone, ioctl
  }
  capability { allow CAP_SYS_MODULE }
  net { allow connect any 8.8.8.8:* }
  run {
    command "/usr/bin/true"
    user 1000:1000
    mount "/srv/data" at "/data" writable
  }
}
"""
        (self.root / "one.agp").write_text(text)
        self.agp("check", "--fix")
        once = (self.root / "one.agp").read_text()
        self.assertNotIn('"/data/x"', once)
        self.agp("check", "--fix")
        self.assertEqual(once, (self.root / "one.agp").read_text())

    def test_an_unusable_baseline_changes_no_file(self):
        self.write("one")
        text = (self.root / "one.agp").read_text()
        (self.root / "base.json").write_text('{"schema": "agp-baseline/2", "schema": "agp-baseline/2", "findings": []}')
        self.agp("check", "--fix", "--baseline", "base.json", status=2)
        self.assertEqual(text, (self.root / "one.agp").read_text())

    def test_a_baseline_is_written_whole_or_not(self):
        self.write("one")
        self.agp("check", "--write-baseline", "base.json")
        before = (self.root / "base.json").read_text()
        policy = (self.root / "one.agp").read_text()
        self.agp("check", "--write-baseline", "one.agp", status=2)
        self.assertEqual(policy, (self.root / "one.agp").read_text())
        self.write("broken", "policy {\n")
        self.agp("check", "--write-baseline", "base.json", status=1)
        self.assertEqual(before, (self.root / "base.json").read_text())
        self.agp("check", "nowhere.agp", "--write-baseline", "base.json", status=2)
        self.assertEqual(before, (self.root / "base.json").read_text())

    def test_no_file_behind_a_link(self):
        self.write("one")
        (self.root / "one.agp").rename(self.dir / "outside.agp")
        (self.root / "link.agp").symlink_to(self.dir / "outside.agp")
        text = (self.dir / "outside.agp").read_text()
        self.agp("check", "--fix", "link.agp", status=2)
        self.assertEqual(text, (self.dir / "outside.agp").read_text())

    def test_a_baseline_that_is_none(self):
        self.write("one")
        for text in ("", "[]", '{"schema": "agp-baseline/3", "findings": []}', '{"schema": "agp-baseline/2", "findings": [1]}',
                     '{"schema": "agp-baseline/2", "findings": [{"path": "x", "policy": "x", "code": "AGP2010", "rule": ""}]}',
                     '{"schema": "agp-baseline/2", "findings": [{"path": "x", "policy": "x", "code": "AGP3260", "rule": "", "count": -1}]}',
                     '{"schema": "agp-baseline/2", "findings": [{"path": "x", "policy": "x", "code": "AGP3017", "rule": "", "with": 1}]}'):
            (self.root / "base.json").write_text(text)
            self.assertIn("AGP3005", self.agp("check", "--baseline", "base.json", status=2).stdout)
        self.assertIn("AGP3005", self.agp("check", "--baseline", "nothing.json", status=2).stdout)
        # the first form knew one rule alone of a chain: it is not read as if it knew the others
        (self.root / "base.json").write_text('{"schema": "agp-baseline/1", "findings": []}')
        self.assertIn("write it anew", self.agp("check", "--baseline", "base.json", status=2).stdout)

    def test_a_build_knows_the_baseline(self):
        self.write("one", **{'    allow read, write "/workspace/**"\n': "", '    mount "/home/bob/work" at "/workspace" writable\n': "", '    allow read "/root/.ssh/id_rsa"\n': ""})
        (self.root / "one.agp").write_text((self.root / "one.agp").read_text().replace("allow ioctl", "allow bpf"))
        self.assertIn("AGP3180", self.agp("build", "one.agp", "-o", self.dir / "out", "--no-verify", status=1).stderr)
        self.agp("check", "--write-baseline", "base.json")
        self.agp("build", "one.agp", "-o", self.dir / "out", "--no-verify", "--baseline", "base.json", status=0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
