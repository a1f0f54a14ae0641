"""`agp check` over many files: that nothing depends on the number of processes or on the cache, that the cache never
answers for something else, that it survives what happens to caches, and that builds learn what was read."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

AGP = os.path.abspath(sys.argv[1])

POLICY = """agp 1
use "./shared.agp"

policy {name} {{
  include shared.data
  file {{
    allow read "/srv/{name}/**"
    deny  read "/srv/{name}/secret/**"
    deny  read "/nowhere/{name}"
  }}
  net {{ allow connect tcp 10.0.0.{number}:443  {until} }}
  run {{ command "/usr/bin/true"  user 1000:1000 }}
}}
"""
SHARED = 'agp 1\nfragment data { file { allow read "/data/**" allow read, exec "/usr/bin/true" } }\n'
BROKEN = "agp 1\npolicy broken { file { allow raed \"/x\" } }\n"


def children(parent):
    """Process ids and states of the processes that `parent` made."""
    out = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, above = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        if int(above) == parent:
            out.append((int(stat.parent.name), state))
    return out


class Tree(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="agp-tree-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.root, self.cache = self.dir / "project", self.dir / "cache"
        self.root.mkdir()
        (self.root / "agp.toml").write_text("")
        (self.root / "shared.agp").write_text(SHARED)
        for i in range(1, 25):
            self.policy(i)
        (self.root / "broken.agp").write_text(BROKEN)

    def policy(self, i, until=""):
        (self.root / f"p{i:02}.agp").write_text(POLICY.format(name=f"p{i:02}", number=i, until=until))

    def check(self, *words, status=None, **options):
        run = subprocess.run([AGP, "check", *map(str, words)], capture_output=True, text=True, cwd=self.root, timeout=120,
                             check=False, **options)
        if status is not None:
            self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run

    def cached(self, *words, **options):
        """Output with a cache, which must be that without; and how many files it answered for."""
        run = self.check("--at", "2026-01-01", "--cache", self.cache, "-v", *words, **options)
        bare = self.check("--at", "2026-01-01", "-v", *words, **options)
        self.assertEqual((run.returncode, run.stdout), (bare.returncode, bare.stdout))
        line = next(l for l in run.stderr.splitlines() if "from the cache" in l)
        return int(line.split()[2])

    def entries(self):
        return sorted(p for p in self.cache.rglob("*") if p.is_file())

    def test_the_number_of_processes_changes_nothing(self):
        for form in ("text", "json", "sarif"):
            one = self.check("--jobs", 1, "-v", "--format", form, status=1)
            self.assertIn("p07", one.stdout)
            for jobs in (2, 3, 7, 64):
                many = self.check("--jobs", jobs, "-v", "--format", form, status=1)
                self.assertEqual((one.stdout, one.stderr), (many.stdout, many.stderr), f"{jobs} processes, {form}")

    def test_the_cache_changes_nothing_and_answers(self):
        self.assertEqual(self.cached(), 0)
        # what did not resolve is looked at again; shared.agp is a file too
        self.assertEqual(self.cached(), 25)
        self.assertEqual(self.cached("--format", "json"), 25)
        self.assertEqual(self.cached("--jobs", "1"), 25)

    def test_no_answer_for_something_else(self):
        self.cached()
        self.policy(3)
        self.assertEqual(self.cached(), 25, "the same bytes")
        (self.root / "p03.agp").write_text(POLICY.format(name="p03", number=33, until=""))
        self.assertEqual(self.cached(), 24, "another text")
        (self.root / "shared.agp").write_text(SHARED.replace("/data", "/date"))
        self.assertEqual(self.cached(), 0, "a file that all use")
        self.assertEqual(self.cached("--set", "x=1"), 0, "an option")
        self.assertEqual(self.cached("--target", "ubuntu-24.04") if "ubuntu-24.04" in self.targets() else 0, 0, "a target")
        (self.root / "agp.toml").write_text("[limits]\nnesting = 60\n")
        self.assertEqual(self.cached(), 0, "the configuration")
        self.assertEqual(self.cached(), 25)
        only = self.root / "only.agp"
        only.write_text('agp 1\ninvariant small { only read "/data/**" }\n')
        self.assertEqual(self.cached("--invariants", only, "p01.agp"), 0)
        self.assertEqual(self.cached("--invariants", only, "p01.agp"), 1)
        only.write_text('agp 1\ninvariant small { only read "/date/**", "/srv/**" }\n')
        self.assertEqual(self.cached("--invariants", only, "p01.agp"), 0, "an invariant")

    def targets(self):
        return subprocess.run([AGP, "targets"], capture_output=True, text=True, check=True).stdout

    def test_a_link_that_leads_elsewhere(self):
        (self.root / "shared.agp").rename(self.root / "a.agp")
        (self.root / "b.agp").write_text(SHARED.replace("/data", "/date"))
        (self.root / "shared.agp").symlink_to("a.agp")
        self.cached("p01.agp")
        self.assertEqual(self.cached("p01.agp"), 1)
        (self.root / "shared.agp").unlink()
        (self.root / "shared.agp").symlink_to("b.agp")
        self.assertEqual(self.cached("p01.agp"), 0)

    def test_a_day_counts_where_a_rule_has_one(self):
        self.policy(1, until="until 2026-02-01")
        words = ("--cache", self.cache, "-v")
        for day, kept in (("2026-01-01", 0), ("2026-01-01", 25), ("2026-02-02", 24), ("2026-02-02", 25)):
            run = self.check("--at", day, *words)
            self.assertIn(f"agp check: {kept} of 26 files", run.stderr)
            self.assertEqual("counts for nothing since" in run.stdout, day == "2026-02-02")

    def test_levels_of_lints_count(self):
        self.cached("p01.agp")
        for levels, severity in (('all = "off"', None), ('no-memory-limit = "error"', "error"), ("", "warning")):
            (self.root / "agp.toml").write_text(f"[lints]\n{levels}\n")
            self.assertEqual(self.cached("p01.agp"), 0, levels)
            self.assertEqual(self.cached("p01.agp"), 1, levels)
            out = self.check("--cache", self.cache, "p01.agp").stdout
            self.assertEqual(f"{severity}[AGP3260]" in out, severity is not None, out)
        # a configuration by name, whose bytes change
        other = self.dir / "other.toml"
        other.write_text("")
        self.cached("--config", other, "p01.agp")
        other.write_text('[lints]\nall = "off"\n')
        self.assertEqual(self.cached("--config", other, "p01.agp"), 0)

    def test_a_day_counts_where_a_suppression_has_one(self):
        text = (self.root / "p01.agp").read_text()
        allowed = "// agp-allow no-memory-limit until 2026-02-01: a test\n"
        (self.root / "p01.agp").write_text(text.replace("policy p01", allowed + "policy p01"))
        # and in a file that others use
        (self.root / "shared.agp").write_text(
            SHARED + "// agp-allow no-pids-limit until 2026-02-01: another\npolicy other { include data }\n")
        words = ("--cache", self.cache, "-v", "p01.agp", "shared.agp")
        for day, kept in (("2026-01-01", 0), ("2026-02-01", 0), ("2026-02-01", 2), ("2026-02-02", 0), ("2026-02-02", 2)):
            run = self.check("--at", day, *words)
            self.assertIn(f"agp check: {kept} of 2 files", run.stderr)
            self.assertEqual(run.stdout.count("[AGP3002]"), 2 * (day == "2026-02-02"), run.stdout)
            self.assertEqual("`p01` bounds no memory" in run.stdout, day == "2026-02-02")

    def test_wrong_bytes_are_never_believed(self):
        self.cached()
        entries = self.entries()
        self.assertEqual(len(entries), 25)
        for i, entry in enumerate(entries):
            whole = entry.read_bytes()
            if i % 4 == 0:
                entry.write_bytes(whole[:len(whole) * i // len(entries)])
            elif i % 4 == 1:
                at = len(whole) * i // len(entries)
                entry.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            elif i % 4 == 2:
                entry.write_bytes(entries[i - 1].read_bytes() + b"x")
            else:
                shutil.copy(entries[i - 3], entry) if i % 8 == 3 else entry.write_bytes(b"")
        self.assertEqual(self.cached(), 0)
        self.assertEqual(self.cached(), 25, "bad entries are replaced")
        # a whole entry beneath another one's name
        one, two = self.entries()[:2]
        shutil.copy(one, two)
        self.assertEqual(self.cached(), 24)

    def test_many_at_once(self):
        expected = self.check().stdout
        runs = [subprocess.Popen([AGP, "check", "--cache", self.cache, "--jobs", "2"], cwd=self.root, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(6)]
        for run in runs:
            self.assertEqual(run.communicate(timeout=120)[0], expected)
        self.assertEqual(self.cached(), 25)
        self.assertFalse([p for p in self.entries() if p.name.endswith(".new")])

    def test_a_cache_that_is_none(self):
        self.cache.write_text("a file")
        run = self.check("--cache", self.cache, status=2)
        self.assertIn("AGP0021", run.stdout)
        self.assertIn("p07", run.stdout)

    def test_a_process_that_is_killed_costs_one_file(self):
        # a file that takes long enough to find the process that checks it
        rules = "".join(f'    allow read "/**/a{i}/**/b{i}"\n' for i in range(6000))
        (self.root / "slow.agp").write_text(f"agp 1\npolicy slow {{ file {{\n{rules} }} }}\n")
        run = subprocess.Popen([AGP, "check", "--jobs", "2"], cwd=self.root, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        victim = self.child_at_work(run.pid)
        os.kill(victim, signal.SIGKILL)
        out, err = run.communicate(timeout=120)
        self.assertEqual(run.returncode, 70, out + err)
        self.assertIn("error[AGP0020]", out)
        self.assertIn("slow.agp", out)
        self.assertIn("ended by signal 9", out)
        self.assertIn("p07", out, "other files are reported")

    def child_at_work(self, parent):
        """The one child that is left, when all other files are done."""
        for _ in range(600):
            alive = children(parent)
            if len(alive) == 1 and alive[0][1] == "R":
                return alive[0][0]
            time.sleep(0.05)
        self.fail("no process is at work")

    def test_an_end_ends_all(self):
        rules = "".join(f'    allow read "/**/a{i}/**/b{i}"\n' for i in range(6000))
        for name in ("slow1", "slow2"):
            (self.root / f"{name}.agp").write_text(f"agp 1\npolicy {name} {{ file {{\n{rules} }} }}\n")
        run = subprocess.Popen([AGP, "check", "--jobs", "2", "--report", "json=report"], cwd=self.root,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        made = []
        while not made:
            made = children(run.pid)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=60)
        self.assertEqual(run.returncode, -signal.SIGINT)
        self.assertEqual(out, b"")
        for child, _ in made:
            self.assertFalse(pathlib.Path(f"/proc/{child}/stat").exists())

    def test_a_dependency_file_that_make_and_ninja_read(self):
        strange = self.root / "a b$c#d.agp"
        strange.write_text(POLICY.format(name="strange", number=200, until=""))
        (self.root / "list").write_text(strange.name + "\n")
        self.check("--files-from", "list", "--depfile", "out.d", "--report", "json=out.json", status=0)
        text = (self.root / "out.d").read_text()
        self.assertTrue(text.startswith("out.json: \\\n"))
        for name in ("agp.toml", "list", "shared.agp", r"a\ b$$c\#d.agp"):
            self.assertIn(f"\n{name}:\n", text)
        self.assertNotIn("std/", text)
        (self.root / "Makefile").write_text("out.json:\n\techo made >> log\n\ttouch out.json\n-include out.d\n")
        make = lambda: subprocess.run(["make", "-s", "out.json"], cwd=self.root, check=True)  # noqa: E731
        future = time.time() + 10
        make()
        self.assertFalse((self.root / "log").exists(), "nothing has changed")
        os.utime(strange, (future, future))
        make()
        self.assertEqual((self.root / "log").read_text(), "made\n")
        os.utime(self.root / "out.json", (future + 1, future + 1))
        (self.root / "shared.agp").unlink()  # a file that is gone does not stop make
        make()
        self.assertEqual((self.root / "log").read_text(), "made\nmade\n")

    def test_make_reads_any_name_in_a_dependency_file(self):
        names = ["a:b.agp", "a\\ b.agp", "a\\\\ b.agp", "p%q.agp", "a\\:b.agp", "a\\#b.agp", "a\\b.agp", "c\\"]
        past, between = time.time() - 200, time.time() - 100
        make = lambda target: subprocess.run(["make", "-s", "-f", "rules", "--", target], cwd=self.root,  # noqa: E731
                                             capture_output=True, text=True)
        for name in names:
            with self.subTest(name):
                source = self.root / (name if name.endswith(".agp") else "x.agp")
                source.write_text(POLICY.format(name="strange", number=200, until=""))
                for target in ("out.json", name.removesuffix(".agp") + ".out" if name.endswith(".agp") else name):
                    self.check(source.name, "--depfile", "out.d", "--depfile-target", target, status=0)
                    rule = (self.root / "out.d").read_text().split(" \\\n")[0]
                    (self.root / "rules").write_text(f"include out.d\n{rule}\n\techo made >> log\n")
                    for path in self.root.glob("**/*"):
                        os.utime(path, (past, past))
                    (self.root / "log").unlink(missing_ok=True)
                    (self.root / target).write_text("")
                    os.utime(self.root / target, (between, between))
                    made = make(target)
                    self.assertEqual(made.stderr, "", target)
                    self.assertFalse((self.root / "log").exists(), "nothing has changed")
                    os.utime(source)
                    self.assertEqual(make(target).stderr, "", target)
                    self.assertTrue((self.root / "log").exists(), f"{source.name} is no prerequisite of {target}")
        for wrong in "\n\r\t;=|()":
            self.check("p01.agp", "--depfile", "out.d", "--depfile-target", f"a{wrong}b", status=2)

    def test_a_budget_that_only_a_change_exceeds(self):
        (self.root / "broken.agp").unlink()
        self.check("--write-budget", "budget.json", status=0)
        self.check("--budget", "budget.json", status=0)
        text = (self.root / "p01.agp").read_text()
        (self.root / "p01.agp").write_text(text.replace(":443", ":[443, 444]"))
        run = self.check("--budget", "budget.json", status=1)
        self.assertIn("error[AGP2040]", run.stdout)
        self.assertIn("connect: 2, and the budget is 1", run.stdout)
        # less is within the budget
        (self.root / "p01.agp").write_text(text.replace('allow read "/srv/p01/**"', 'allow read "/srv/p01/a/**"'))
        deeper = self.check("--budget", "budget.json", status=1)
        self.assertIn("read subtrees at depth 3", deeper.stdout)
        (self.root / "p01.agp").write_text(text.replace("  include shared.data\n", ""))
        self.check("--budget", "budget.json", status=0)
        self.policy(30)
        self.assertIn("AGP2041", self.check("--budget", "budget.json", status=0).stdout)
        (self.root / "budget.json").write_text('{"schema": "agp-budget/1", "policies": {"p01": {"connect": "-1"}}}')
        self.assertIn("AGP0022", self.check("--budget", "budget.json", status=2).stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
