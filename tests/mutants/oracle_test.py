#!/usr/bin/python3
"""oracle_test.py AGP VERDICTS: a run of mutants.py fails where its oracle never ran, and says so where it can't."""
import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import filters  # noqa: E402
import mutants  # noqa: E402

AGP, VERDICTS = sys.argv[1:]
ROOT_ALONE = unittest.skipIf(os.geteuid() != 0 or not shutil.which("nft"), "needs root and nft")


def run(kind, path=os.environ["PATH"]):
    environment = {k: v for k, v in os.environ.items() if k != "AGP_LONG"} | {"AGP_COUNT": "2", "PATH": path}
    done = subprocess.run([sys.executable, "-B", HERE / "mutants.py", AGP, VERDICTS, kind], env=environment, text=True,
                          capture_output=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


class Programs(unittest.TestCase):
    """What nft, unshare and dnsmasq may do wrong."""

    def instead(self, kind, program, script):
        with tempfile.TemporaryDirectory(prefix="agp-test-") as folder:
            file = pathlib.Path(folder, program)
            file.write_text("#!/bin/sh\n" + script)
            file.chmod(0o755)
            return run(kind, f"{folder}:{os.environ['PATH']}")

    @ROOT_ALONE
    def test_nft_that_fails(self):
        code, said = self.instead("nft-script", "nft", "exit 1\n")
        self.assertEqual(code, 1, said)
        self.assertIn("nft-script: nft flush ruleset: exit 1", said)
        self.assertIn("mutants: 0 passed, 1 failed, 0 skipped", said)

    @ROOT_ALONE
    def test_nft_that_takes_no_artifact(self):
        code, said = self.instead("nft-json", "nft", f'case "$*" in *-f*) exit 1;; *) exec {shutil.which("nft")} "$@";; esac\n')
        self.assertEqual(code, 1, said)
        self.assertIn("the oracle does not read the artifact itself", said)

    @ROOT_ALONE
    def test_no_namespace(self):
        code, said = self.instead("nft-script", "unshare", "echo unready\n")
        self.assertEqual(code, 1, said)
        self.assertIn("no network namespace: 'unready", said)

    @ROOT_ALONE
    def test_dnsmasq_that_takes_no_file(self):
        code, said = self.instead("dnsmasq", "dnsmasq", "echo no >&2; exit 1\n")
        self.assertEqual(code, 1, said)
        self.assertIn("its loader does not take the artifact itself: no", said)

    def test_what_is_not_installed_is_skipped(self):
        for kind, program in (("nft-script", "nft"), ("dnsmasq", "dnsmasq")):
            code, said = run(kind, "/nowhere")
            self.assertEqual(code, 77, said)
            self.assertIn(f"skipped {kind}: `{program}`", said)
            self.assertIn("mutants: 0 passed, 0 failed, 1 skipped", said)


class Counts(unittest.TestCase):
    def shortfalls(self, tried=None, **count):
        return list(mutants.shortfalls(collections.Counter(count), tried))

    def test_what_tested_nothing_is_a_fault(self):
        self.assertEqual(self.shortfalls(refuted=2, replayed=3, proved=9), [])
        self.assertEqual(self.shortfalls(tried=1, refuted=2, replayed=2), [])
        self.assertEqual(self.shortfalls(proved=9), ["none was refuted"])
        self.assertEqual(self.shortfalls(refuted=2, replayed=1), ["2 refuted, and only 1 witnesses replayed"])
        self.assertEqual(self.shortfalls(tried=0, refuted=2, replayed=2), ["no witness was tried on the kernel"])
        self.assertEqual(self.shortfalls(refuted=99, replayed=99, hung=1), ["libseccomp did not end with 1"])
        self.assertEqual(self.shortfalls(refuted=100, replayed=100, hung=1), [])

    def test_only_what_was_compared_counts(self):
        class Oracle:
            @staticmethod
            def read(data):
                if data == b"mutant":
                    raise filters.Refused("not that")

        class Verifier:
            @staticmethod
            def ask(*_):
                return {"problems": [], "obligations": [{"verdict": "refuted"}]}

        with tempfile.TemporaryDirectory(prefix="agp-test-") as folder:
            one = mutants.Run.__new__(mutants.Run)
            one.folder, one.place, one.oracle, one.verifier = pathlib.Path(folder), "", Oracle(), Verifier()
            one.count, one.faults = collections.Counter(), []
            one.one(None, b"original", b"mutant")
            self.assertEqual((one.count["refuted"], one.count["not loadable"]), (0, 1))
            with self.assertRaises(filters.Refused):   # of the original it is no count, but a fault
                one.one(None, b"mutant", b"original")


class Bounded(unittest.TestCase):
    def test_work_that_does_not_end(self):
        def forever():
            while True:
                pass

        def refused():
            raise filters.Refused("not that")

        with self.assertRaises(filters.Hung):
            filters.bounded(1, forever)
        with self.assertRaisesRegex(filters.Refused, "^not that$"):
            filters.bounded(1, refused)
        with self.assertRaises(RuntimeError):
            filters.bounded(1, lambda: os.abort())
        self.assertEqual(filters.bounded(1, lambda: bytes(200_000)), bytes(200_000))


class Needs(unittest.TestCase):
    def test_of_the_table(self):
        self.assertEqual(mutants.needs("crun", "bookworm"), {59})
        self.assertEqual(mutants.NEEDS & {1, 59, 257}, {1, 59, 257})


if __name__ == "__main__":
    done = unittest.main(argv=sys.argv[:1], exit=False).result
    bad, skipped = len(done.failures) + len(done.errors), len(done.skipped)
    print(f"oracle: {done.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    sys.exit(1 if bad else 0)
