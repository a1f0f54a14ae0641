"""The script as a command: which files it reads, rows that are gone, what it says, and by which solver."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import CHECK, ROOT, Certified, run

EXAMPLE = ROOT / "docs/examples/code-execution.agp"


class Commands(Certified):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.built, cls.certificate = cls.make(EXAMPLE, "example")

    def test_incomplete(self):
        built, certificate = self.copies()
        self.change(certificate, lambda index: index["obligations"].pop())
        self.assert_refuted(certificate, built, "the obligations are complete: the files", only=["nftables/egress.nft"])
        (certificate / "certificate.json").write_text((self.certificate / "certificate.json").read_text()[:-100])
        done = self.check(certificate, built)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("the index is not JSON", done.stdout)

        built, certificate = self.copies()
        self.forget(certificate, [self.obligation(certificate, "nftables/egress.nft", "no loss")])
        self.assert_refuted(certificate, built, "nftables/egress.nft: no loss is neither stated nor listed",
                            only=["nftables/egress.nft"])

        # all rows of an artifact or of a section are gone together, or those of one direction
        for artifact in ("nftables/egress.nft", "oci/config.json#/mounts", "oci/config.json#/linux/seccomp"):
            built, certificate = self.copies()
            index = json.loads((certificate / "certificate.json").read_text())
            self.forget(certificate, [o for o in index["obligations"] if o["artifact"] == artifact])
            self.assert_refuted(certificate, built, f"the obligations are complete: {artifact} is neither stated nor listed",
                                only=["oci/config.json#/process/env"])
        # of what is not certified a row may not be gone either
        built, certificate = self.copies()
        self.change(certificate, lambda index: index["not_certified"].append({**self.obligation(certificate, "nftables/egress.nft", "no loss"), "about": "query"}))
        self.assert_refuted(certificate, built, "nftables/egress.nft: no excess is neither stated nor listed", only=["nftables/egress.nft"])

    def assert_unusable(self, certificate, built, text, *words):
        done = self.check(certificate, built, *words)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn(text, done.stdout)

    def test_places(self):
        """Whatever the index says is read in the two directories of the command line."""
        place = "dns/resolv.conf"
        row = lambda index: next(a for a in index["artifacts"] if a["artifact"] == place)
        for path in (str(self.built / place), "../original/dns/resolv.conf", "dns/../dns/resolv.conf", "./dns/resolv.conf", "dns//resolv.conf", ""):
            with self.subTest(path):
                built, certificate = self.copies()
                shutil.copytree(self.built, built.parent / "original")
                (built / place).write_text("nameserver 192.0.2.66\n")
                self.change(certificate, lambda index: row(index).update(path=path))
                done = run("/usr/bin/python3", CHECK, certificate, built, "--only", place)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertRegex(done.stdout, f"unusable +{place}: no loss: where {place} was read .* is no plain relative path: ")
        # within the directory, and not what is loaded from it
        built, certificate = self.copies()
        shutil.copytree(built / "dns", built / "old/dns")
        (built / place).write_text("nameserver 192.0.2.66\n")
        self.change(certificate, lambda index: row(index).update(path=f"old/{place}"))
        self.assert_refuted(certificate, built, f"the obligations are complete: {place} is neither stated nor listed", only=[place])
        # files of the certificate
        built, certificate = self.copies()
        one = self.obligation(certificate, place, "no loss")["file"]
        (certificate / "x").mkdir()
        for file in (f"../certificate/{one}", f"./{one}", f"x/../{one}", ".."):
            self.change(certificate, lambda index: next(o for o in index["obligations"] if o["artifact"] == place).update(file=file))
            self.assert_unusable(certificate, built, f"a file of the certificate is no plain name: {file}", "--only", place)

    def test_no_regular_file(self):
        """What never ends, never answers, or is too large to be one."""
        place = "dns/resolv.conf"

        def fifo(path):
            os.mkfifo(path)

        def large(path):
            with path.open("wb") as file:
                file.truncate((64 << 20) + 1)
        makers = {"fifo": fifo, "zero": lambda path: path.symlink_to("/dev/zero"), "directory": lambda path: path.mkdir(), "large": large}
        for name, make in makers.items():
            for within in ("built", "certificate"):
                with self.subTest(name, within=within):
                    built, certificate = self.copies()
                    victim = built / place if within == "built" else certificate / self.obligation(certificate, place, "no loss")["file"]
                    victim.unlink()
                    make(victim)
                    self.assert_unusable(certificate, built, {"large": "it has more than 64 MiB", "directory": "Is a directory"}.get(name, "it is no regular file"), "--only", place)
        built, certificate = self.copies()
        (certificate / "certificate.json").unlink()
        (certificate / "certificate.json").symlink_to("/dev/zero")
        done = run("/usr/bin/python3", CHECK, certificate, built)
        self.assertEqual((done.returncode, "the index can't be read: it is no regular file" in done.stdout), (2, True), done.stdout)
        built, certificate = self.copies()
        (built / place).rename(built / "elsewhere")
        (built / place).symlink_to("../elsewhere")
        self.assertEqual(self.check(certificate, built, "--only", place).returncode, 0)

    def test_rows_dropped(self):
        """What a certificate passes over: the answers of `clone3`, whole artifacts, and what stands under another heading."""
        place = "dns/resolv.conf"
        for artifact in ("seccomp/filter.x86_64.bpf", "seccomp/profile.json", "oci/config.json#/linux/seccomp"):
            built, certificate = self.copies()
            gone = self.obligation(certificate, artifact, "errno")
            self.forget(certificate, [gone])
            self.assert_refuted(certificate, built, f"the obligations are complete: {artifact} (x86_64): errno is neither stated nor listed", only=[place])
            self.change(certificate, lambda index: index["not_certified"].append(
                {**{k: gone[k] for k in ("artifact", "arch", "about", "direction", "statement")}, "reason": "x"}))
            self.assertEqual(self.check(certificate, built, "--only", place).returncode, 0)
        # artifacts, with all that is said of them
        built, certificate = self.copies()
        rows = [o for o in json.loads((certificate / "certificate.json").read_text())["obligations"] if o["artifact"] != place]
        self.forget(certificate, rows)
        self.change(certificate, lambda index: index.update(artifacts=[a for a in index["artifacts"] if a["artifact"] == place]))
        said = self.check(certificate, built, "--only", place)
        self.assertEqual(said.returncode, 1, said.stdout)
        self.assertRegex(said.stdout, "complete: [a-z]+/[a-z0-9_.]+ is neither stated nor listed\n")
        self.change(certificate, lambda index: index["not_certified"].extend(
            {"artifact": path, "direction": None, "reason": "it is not verified"} for path in {o["artifact"].partition("#")[0] for o in rows}))
        self.assertEqual(self.check(certificate, built, "--only", place).returncode, 0)
        for more in ("podman/run.args", "docker/run.args", "kubernetes/pod.json", "landlock/ruleset.json", "seccomp/filter.riscv64.bpf"):
            built, certificate = self.copies()
            (built / more).parent.mkdir(exist_ok=True)
            (built / more).write_text("")
            self.assert_refuted(certificate, built, f"{more} is neither stated nor listed", only=[place])
            done = run("/usr/bin/python3", CHECK, certificate, "--only", place, cwd=built)  # no directory was named
            self.assertEqual(done.returncode, 0, done.stdout)
        # a heading of one's own
        for artifact, about in (("oci/config.json#/mounts", "x"), ("nftables/egress.nft", "query"), (place, "setting"), ("oci/config.json#/process", None)):
            built, certificate = self.copies()
            self.change(certificate, lambda index: [o.update(about=about) for o in index["obligations"] if o["artifact"] == artifact])
            self.assert_unusable(certificate, built, f"no statement of this kind is about {about!r}", "--only", place)
        built, certificate = self.copies()
        self.change(certificate, lambda index: index["not_certified"].append({"artifact": place, "direction": None, "reason": "x", "about": "x"}))
        self.assert_unusable(certificate, built, "nothing is about 'x'", "--only", place)

    def test_quiet(self):
        """However little is certified, one line says so."""
        built, certificate = self.copies()
        index = json.loads((certificate / "certificate.json").read_text())
        rows, count = [o for o in index["obligations"] if o["artifact"] != "dns/resolv.conf"], len(index["obligations"]) + len(index["not_certified"])
        self.forget(certificate, rows)
        self.change(certificate, lambda index: index["not_certified"].extend(
            {**{k: o[k] for k in ("artifact", "arch", "about", "direction", "statement")}, "reason": "x"} for o in rows))
        done = self.check(certificate, built, "-q")
        self.assertEqual((done.returncode, done.stdout), (0, f"not certified {count - 1} of {count}\n"))

    def test_command_line(self):
        """What is misspelt, missing or can't be read is one line and exit status 2."""
        def refused(words, text, certificate=self.certificate, built=self.built, **options):
            done = self.check(certificate, built, *words, **options)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertNotIn("Traceback", done.stdout + done.stderr)
            self.assertRegex(done.stdout + done.stderr, text)

        right, filter_file = ("--only", "seccomp/filter.x86_64.bpf"), self.built / "seccomp/filter.x86_64.bpf"
        refused([*right, "--only", "seccomp/filter.x86_64"], "no obligation about `seccomp/filter.x86_64` of --only")
        for one in (f"seccomp/filter.bpf={filter_file}", "seccomp/filter.x86_64.bpf=", "seccomp/filter.x86_64.bpf", f"={filter_file}"):
            refused([*right, "--artifact", one], f"--artifact takes NAME=FILE.*`{one}` is none")
        twice = ["--artifact", f"seccomp/filter.x86_64.bpf={filter_file}"]
        refused([*right, *twice, *twice], "--artifact takes NAME=FILE")
        self.assertEqual(self.check(self.certificate, "/", *right, *twice).returncode, 0)
        refused(["--solver-timeout", "0"], "argument --solver-timeout")
        told = run("/usr/bin/python3", CHECK, "--help")
        self.assertEqual(told.returncode, 0)
        for text in ("the directory that was verified", "who decides", "exit status:\n  0  everything", "  3  the solver does not know"):
            self.assertIn(text, told.stdout)
        here = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        (here / "z3").write_text("")
        refused(right, "z3 can't be run: Permission denied", env={"PATH": str(here)})
        refused(["--artifact", f"seccomp/filter.x86_64.bpf={here}", *right], "can't be read: Is a directory")

        def broken(change, text):
            built, certificate = self.copies()
            self.change(certificate, change)
            refused(right, text, certificate, built)
        broken(lambda index: index["artifacts"].clear(), "the index does not say where the artifact is")
        broken(lambda index: index.pop("files"), "unusable +the obligations are complete: KeyError")
        broken(lambda index: next(o for o in index["obligations"] if o["artifact"] == right[1]).update(file="/proc/self/mem"),
               "unusable +seccomp/filter.x86_64.bpf \\(x86_64\\): .*: /proc/self/mem")
        built, certificate = self.copies()
        (certificate / "certificate.json").write_text("[" * 100_000)
        refused([], "the index is nested too deep", certificate, built)
        (certificate / "certificate.json").write_text("[]")
        refused([], "unusable +certificate.json and policy.json: TypeError", certificate, built)
        # who reads the output may have seen enough
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(["/usr/bin/python3", CHECK, self.certificate, self.built, *right], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (2, ""))

    def test_solvers(self):
        """One that is not there, one that does not know, and one that says whatever suits."""
        tools = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        for code, script in ((2, None), (3, "echo unknown"), (1, "echo unsat"), (1, "echo sat"), (3, "exit 1")):
            if script:
                (tools / "z3").write_text(f"#!/bin/sh\n{script}\n")
                (tools / "z3").chmod(0o755)
            done = self.check(self.certificate, self.built, "--only", "nftables/egress.nft", env={"PATH": str(tools)})
            self.assertEqual(done.returncode, code, f"{script}: {done.stdout}")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=0)
