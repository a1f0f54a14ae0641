#!/usr/bin/python3
"""What tools/find_loader_needs makes of a loader that hangs, and of one that starts now and then; and how loaders.py
counts."""
import importlib.machinery
import importlib.util
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import loaders  # noqa: E402


def tool():
    loader = importlib.machinery.SourceFileLoader("find_loader_needs", str(loaders.TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    module.PATIENCE = 1
    return module


TOOL = tool()


class Stub:
    """A loader that starts or not as it is told."""
    folder = "/nowhere"

    def __init__(self, *starts):
        self.starts = list(starts)

    def run(self, wanted, trace=None):
        return self.starts.pop(0)


class Plain(TOOL.Loader):
    def prepare(self):
        pass

    def words(self, wanted):
        return [self.path]


class Tool(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="agp-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_what_a_loader_that_hangs_started_ends_with_it(self):
        script = self.folder / "loader"
        script.write_text(f"#!/bin/sh\nsleep 1000.25 & echo $! > {self.folder}/child\nwait\n")
        script.chmod(0o755)
        self.assertFalse(Plain(str(script), None, str(self.folder)).run(None))
        child = int((self.folder / "child").read_text())
        try:
            gone = os.pidfd_open(child)
        except ProcessLookupError:
            return
        self.addCleanup(os.close, gone)
        self.assertTrue(select.select([gone], [], [], 60)[0], "it was killed, and goes as soon as it is scheduled")

    @unittest.skipIf(os.geteuid() != 0 or not shutil.which("cc"), "needs root and a C compiler")
    def test_a_launcher_that_hangs_under_its_filter_ends(self):
        self.folder.chmod(0o755)
        source, program = self.folder / "loop.c", self.folder / "loop"
        source.write_text("void _start(void) { for (;;) {} }\n")
        subprocess.run(["cc", "-static", "-nostdlib", "-o", program, source], check=True)
        launcher = TOOL.Launcher(str(program), None, str(self.folder))
        self.assertFalse(launcher.run(TOOL.Wanted({"execve"})))

    def test_a_row_is_needed_only_if_nothing_starts_without_it(self):
        row = {"execve": (False, 1.0)}
        TOOL.rows, rows = (lambda *_: (row, True)), TOOL.rows
        self.addCleanup(setattr, TOOL, "rows", rows)
        self.assertIsNone(TOOL.retest(Stub(True, False, False, False), "x", "1", 1))
        self.assertEqual(TOOL.retest(Stub(True, True, False, True), "x", "1", 1), "starts without execve now and then")
        self.assertEqual(TOOL.retest(Stub(True, True, True, True), "x", "1", 1), "starts without execve")
        self.assertEqual(TOOL.retest(Stub(False), "x", "1", 1), "does not start with execve")


class Counts(unittest.TestCase):
    def test_states(self):
        said = (f"a 1: starts {loaders.RUNS} times with execve\na 1: not without execve\nb 1: does not start with execve\n"
                f"c 1: starts {loaders.RUNS} times with execve\nc 1: starts without execve\nskipped: d 1 starts nothing here\n")
        self.assertEqual([loaders.state(name, "1", said) for name in "abcd"], ["passed", "failed", "failed", "skipped"])
        self.assertEqual(loaders.state("a", "1.1", said), "skipped")


if __name__ == "__main__":
    done = unittest.main(exit=False).result
    bad, skipped = len(done.failures) + len(done.errors), len(done.skipped)
    print(f"tool: {done.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    sys.exit(1 if bad else 0)
