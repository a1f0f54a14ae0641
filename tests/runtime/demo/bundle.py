"""The probed bundle differs from the built one in `process.args` and one read-only mount, and in nothing else; a run never
writes to the built directory; and nothing of a run is left."""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
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
    support.skip_unless_root()
    unittest.main()
