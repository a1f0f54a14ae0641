"""The probed bundle differs from the built one in `process.args` and one read-only mount, and in nothing else; a run never
writes to the built directory; and nothing of a run is left."""
import hashlib
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import support

AGP, PROBE = sys.argv.pop(1), sys.argv.pop(1)

import demo  # noqa: E402  (its folder is put on the path by `support`)
import layers  # noqa: E402
from sandbox import PROBE_MOUNT, Sandbox, World  # noqa: E402

READ = {"id": "r", "about": "", "actions": [], "attempt": {"kind": "list", "path": "/workspace"}, "expected": "permitted",
        "layer": "oci", "decided_by": []}


def digest(tree):
    return {str(p.relative_to(tree)): (p.stat().st_mode, hashlib.sha256(p.read_bytes()).hexdigest())
            for p in sorted(tree.rglob("*")) if p.is_file()}


def descendants(pid):
    """{number: command line} of everything beneath a process."""
    parents, texts = {}, {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            texts[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    below = {pid}
    while more := {p for p, up in parents.items() if up in below and p not in below}:
        below |= more
    return {p: texts.get(p, "") for p in below - {pid}}


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it never came to that")
        time.sleep(0.05)


class Bundle(unittest.TestCase):
    def test_only_arguments_and_one_read_only_mount_differ(self):
        with tempfile.TemporaryDirectory(prefix="agp-test-") as work:
            work, built = pathlib.Path(work), pathlib.Path(work) / "built"
            subprocess.run([AGP, "build", support.EXAMPLE, "-o", built], check=True, capture_output=True)
            before, layers.PROGRAM[0] = digest(built), PROBE
            run = demo.Demonstration(built, [READ], ["10.0.0.53"], work, lambda text: None)
            with demo.alone(print), demo.host_directories([READ]), run.world.started():
                with Sandbox(built, run.world, lambda tree: run.probe_tree(tree, [READ])) as sandbox:
                    started = json.loads((sandbox.run_dir / "config.json").read_text())
                    namespace, directory = sandbox.namespace, sandbox.run_dir
                    self.assertIn(namespace, subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout)
                self.assertNotIn(namespace, subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout)
                self.assertFalse(directory.exists())
            self.assertEqual(digest(built), before)
            config = json.loads((built / "oci/config.json").read_text())

        self.assertNotEqual(started["process"].pop("args"), config["process"].pop("args"))
        added = started["mounts"].pop()
        self.assertEqual(added["destination"], PROBE_MOUNT)
        self.assertIn("ro", added["options"])
        self.assertNotIn("rw", added["options"])
        self.assertEqual(started, config)

    def test_a_signal_in_the_middle_leaves_nothing(self):
        for attempt in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen(["/usr/bin/python3", "-B", support.ROOT / "tools/demo/demo.py", "--agp", AGP, "--probe", PROBE,
                                        "--probe-only", support.EXAMPLE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                # The container runs: its executor is there, beneath the demonstration.
                wait_for(lambda: any("/.agp-probe/agp-probe" in c for c in descendants(process.pid).values()), 900)
                below = descendants(process.pid)
                process.send_signal(attempt)
                process.communicate(timeout=120)
            finally:
                process.kill()
                process.wait()
            self.assertEqual(process.returncode, 128 + attempt)
            wait_for(lambda: not any(running(p) for p, c in below.items() if "agp" in c), 30)
            self.assertNotIn("agp-code-execution", subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout)
            self.assertNotIn(f"agp-demo-world-{process.pid}", subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout)
            self.assertFalse(demo.HOST.exists())

    def test_somebody_elses_directory_is_not_touched(self):
        if demo.HOST.exists():
            self.skipTest(f"{demo.HOST} exists on this machine")
        demo.HOST.mkdir(parents=True)
        try:
            (demo.HOST / "theirs").write_text("x")
            done = subprocess.run(["/usr/bin/python3", "-B", support.ROOT / "tools/demo/demo.py", "--agp", AGP, "--probe", PROBE,
                                   "--probe-only", support.EXAMPLE], capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn(str(demo.HOST), done.stderr)
            self.assertEqual((demo.HOST / "theirs").read_text(), "x")
        finally:
            (demo.HOST / "theirs").unlink(missing_ok=True)
            demo.HOST.rmdir()


if __name__ == "__main__":
    support.alone()
    unittest.main()
