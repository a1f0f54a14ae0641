"""Certificates: tools/check-certificate agrees with agp about what is proved, by two solvers, and notices every change."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
EXAMPLE = ROOT / "docs/examples/code-execution.agp"
CHECK = ROOT / "tools/check-certificate"


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, check=False, **options)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Certificates(unittest.TestCase):
    said = ""  # by the last `make`, on standard error

    @classmethod
    def setUpClass(cls):
        cls.top = pathlib.Path(tempfile.mkdtemp(prefix="agp-certificate-"))
        cls.built, cls.certificate = cls.make(EXAMPLE, "example")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    @classmethod
    def make(cls, policy, name, *words):
        built, certificate = cls.top / f"{name}.built", cls.top / f"{name}.certificate"
        done = run(AGP, "build", "-q", policy, "-o", built, "--no-config", *words)
        assert done.returncode == 0, done.stderr
        done = run(AGP, "verify", policy, built, "--certificate", certificate, "--no-config", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.said = done.stderr
        return built, certificate

    def copies(self):
        here = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        shutil.copytree(self.built, here / "built")
        shutil.copytree(self.certificate, here / "certificate")
        return here / "built", here / "certificate"

    def check(self, certificate, built, *words, **options):
        return run("/usr/bin/python3", CHECK, certificate, built, *words, **options)

    def change(self, certificate, step):
        index = json.loads((certificate / "certificate.json").read_text())
        step(index)
        (certificate / "certificate.json").write_text(json.dumps(index))
        return index

    def refresh(self, certificate, built):
        """As somebody does who can write every file: all digests are right again."""
        def step(index):
            index["policy"]["sha256"] = sha256(certificate / "policy.json")
            for artifact in index["artifacts"]:
                artifact["sha256"] = sha256(built / artifact["path"])
            for one in index["obligations"]:
                one["sha256"] = sha256(certificate / one["file"])
                one["control"]["sha256"] = sha256(certificate / one["control"]["file"])
        self.change(certificate, step)

    def obligation(self, certificate, artifact, direction):
        index = json.loads((certificate / "certificate.json").read_text())
        return next(o for o in index["obligations"] if (o["artifact"], o["direction"]) == (artifact, direction))

    def assert_refuted(self, certificate, built, *texts, only=()):
        done = self.check(certificate, built, *(word for one in only for word in ("--only", one)))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stdout)

    # what holds -------------------------------------------------------------------------------------------------------

    def test_example(self):
        index = json.loads((self.certificate / "certificate.json").read_text())
        stated = {(o["artifact"], o["direction"]) for o in index["obligations"]}
        for artifact in ("seccomp/filter.x86_64.bpf", "seccomp/profile.json", "oci/config.json#/linux/seccomp",
                         "nftables/egress.nft", "nftables/egress.json"):
            for direction in ("no excess", "no loss"):
                self.assertIn((artifact, direction), stated)
        for solver in ("z3", "cvc5"):
            done = self.check(self.certificate, self.built, "--solver", solver)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            lines = done.stdout.splitlines()
            self.assertEqual(sum(line.startswith("holds ") for line in lines), len(stated) + 2)
            self.assertEqual(sum(line.startswith("not certified ") for line in lines), len(index["not_certified"]))

    def test_every_proof_is_stated_or_named(self):
        index = json.loads((self.certificate / "certificate.json").read_text())
        done = run(AGP, "verify", EXAMPLE, self.built, "--no-config", "--format", "json")
        proved = {(o["artifact"], o["direction"]) for o in json.loads(done.stdout)["obligations"]}
        told = {(o["artifact"], o["direction"]) for o in index["obligations"] + index["not_certified"]}
        self.assertEqual(proved, told)
        type(self).make(EXAMPLE, "again")
        for gap in index["not_certified"]:
            self.assertIn(f"{gap['artifact']}", self.said)
            self.assertIn(gap["reason"], self.said)

    def test_other_policies(self):
        """Conditions of every sort, address denies, IPv6, ICMP, names, a launcher's stack; architectures."""
        for name, words, options in (
                ("calls", ("--emit", "seccomp"), {"--seccomp": "seccomp/filter.x86_64.bpf", "--oci-seccomp": "seccomp/profile.json"}),
                ("packets", ("--emit", "nftables"), {"--nft": "nftables/egress.nft", "--nft-json": "nftables/egress.json"}),
                ("names", ("--emit", "nftables"), {"--nft": "nftables/egress.nft", "--nft-json": "nftables/egress.json"}),
                ("process", ("--emit", "seccomp", "--target", "linux-6.18"), {"--seccomp": "seccomp/filter.x86_64.bpf"})):
            with self.subTest(name):
                policy, built, certificate = (ROOT / "tests/artifacts" / name / "policy.agp", self.top / f"{name}.built",
                                              self.top / f"{name}.certificate")
                target = words[2:]
                done = run(AGP, "build", "-q", policy, "-o", built, "--no-config", *words)
                self.assertEqual(done.returncode, 0, done.stderr)
                files = [word for option, path in options.items() for word in (option, built / path)]
                done = run(AGP, "verify", policy, *files, "--certificate", certificate, "--no-config", *target)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                stated = json.loads((certificate / "certificate.json").read_text())["obligations"]
                self.assertEqual(len(stated), 2 * len(options), done.stderr)
                done = self.check(certificate, built)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_architectures(self):
        built, certificate = self.make(ROOT / "docs/examples/mcp-sqlite.agp", "architectures", "--arch", "x86_64,aarch64,riscv64")
        index = json.loads((certificate / "certificate.json").read_text())
        stated = {(o["artifact"], o["arch"]) for o in index["obligations"] if o["arch"]}
        for arch in ("x86_64", "aarch64", "riscv64"):
            self.assertIn((f"seccomp/filter.{arch}.bpf", arch), stated)
            self.assertIn(("seccomp/profile.json", arch), stated)
        done = self.check(certificate, built, "--only", "seccomp/filter.aarch64.bpf", "--only", "seccomp/profile.json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(sum(line.startswith("holds ") for line in done.stdout.splitlines()), 2 + 2 + 6)

    def test_single_artifact(self):
        filter_file, certificate = self.built / "seccomp/filter.x86_64.bpf", self.top / "single"
        done = run(AGP, "verify", EXAMPLE, "--seccomp", filter_file, "--arch", "x86_64", "--certificate", certificate, "--no-config")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.check(certificate, ".").returncode, 0)
        moved = self.top / "moved.bpf"
        shutil.copy(filter_file, moved)
        self.assertEqual(self.check(certificate, "/", "--artifact", f"{filter_file}={moved}").returncode, 0)

    # what does not ----------------------------------------------------------------------------------------------------

    def test_changed_filter(self):
        built, certificate = self.copies()
        path = built / "seccomp/filter.x86_64.bpf"
        code = bytearray(path.read_bytes())
        # the first comparison with 16 (ioctl) becomes one with 17: ioctl is decided as its neighbour is
        at = next(i for i in range(0, len(code), 8) if code[i] & 7 == 5 and code[i + 4:i + 8] == b"\x10\0\0\0")
        code[at + 4] ^= 1
        path.write_bytes(code)
        self.assert_refuted(certificate, built, "its digest differs", only=["seccomp/filter.x86_64.bpf"])
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, "refuted       seccomp/filter.x86_64.bpf (x86_64): no ",
                            only=["seccomp/filter.x86_64.bpf"])

    def test_changed_profile_and_rules(self):
        for path, before, after, word in (
                ("seccomp/profile.json", '"accept",', '"accept", "bpf",', "seccomp/profile.json (x86_64): no excess"),
                ("oci/config.json", '"accept",', '', "oci/config.json#/linux/seccomp (x86_64): no loss"),
                ("nftables/egress.nft", "10.0.1.50 . tcp . 443", "10.0.1.51 . tcp . 443", "nftables/egress.nft: no excess"),
                ("nftables/egress.json", '"10.0.1.50","tcp",443', '"10.0.1.50","tcp",444', "nftables/egress.json: no loss")):
            built, certificate = self.copies()
            text = (built / path).read_text()
            self.assertIn(before, text)
            (built / path).write_text(text.replace(before, after, 1))
            self.refresh(certificate, built)
            self.assert_refuted(certificate, built, f"refuted       {word}", only=[word.split(" ")[0].rstrip(":")])

    def test_replaced_statements(self):
        """Files that a solver finds unsatisfiable, or satisfiable, and that state something else."""
        words = ("seccomp/filter.x86_64.bpf", "no excess")
        empty = "(set-logic QF_BV)\n(assert false)\n(check-sat)\n"
        for name, replace in (
                ("empty", lambda text: empty),
                ("false artifact", lambda text: replaced(text, "artifact", "false")),
                ("true policy", lambda text: replaced(text, "policy", "true")),
                ("two assertions", lambda text: text.replace("(assert (and", "(assert false)\n(assert (and")),
                ("hidden assertion", lambda text: text.replace("(declare-const nr (_ BitVec 32))", "(declare-const nr (_ BitVec 32))(assert false)")),
                ("another input", lambda text: text.replace("(declare-const ip (_ BitVec 64))", "(declare-const ip (_ BitVec 64))\n(declare-const x Bool)"))):
            with self.subTest(name):
                built, certificate = self.copies()
                path = certificate / self.obligation(certificate, *words)["file"]
                before = path.read_text()
                path.write_text(replace(before))
                self.assertNotEqual(before, path.read_text())
                self.assert_refuted(certificate, built, "its digest differs", only=words[:1])
                self.refresh(certificate, built)
                self.assert_refuted(certificate, built, f"refuted       {words[0]} (x86_64): {words[1]}", only=words[:1])

    def test_empty_controls(self):
        built, certificate = self.copies()
        one = self.obligation(certificate, "seccomp/filter.x86_64.bpf", "no loss")
        shutil.copy(certificate / one["file"], certificate / one["control"]["file"])
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, "the file states something else", only=["seccomp/filter.x86_64.bpf"])

        built, certificate = self.copies()
        policy = json.loads((certificate / "policy.json").read_text())
        harmless = next(i for i, rule in enumerate(policy["rules"]) if rule["block"] == "tool")
        self.change(certificate, lambda index: index["obligations"][0]["control"].update(
            {"removed": {"rule": harmless, "id": "x", "text": "x"}}))
        self.assert_refuted(certificate, built, "the control is not satisfiable", only=["oci/config.json#/linux/seccomp"])

    def test_changed_policy(self):
        built, certificate = self.copies()
        path = certificate / "policy.json"
        path.write_text(path.read_text().replace('"AF_INET6"', '"AF_INET"').replace("10.0.1.50", "10.0.1.52"))
        self.assert_refuted(certificate, built, "policy.json is not what the certificate is about")
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, "refuted       nftables/egress.nft: no excess", only=["nftables/egress.nft"])

    def test_incomplete(self):
        built, certificate = self.copies()
        self.change(certificate, lambda index: index["obligations"].pop())
        self.assert_refuted(certificate, built, "the obligations are complete: the files", only=["nftables/egress.nft"])
        (certificate / "certificate.json").write_text((self.certificate / "certificate.json").read_text()[:-100])
        done = self.check(certificate, built)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("the index is not JSON", done.stdout)

        built, certificate = self.copies()
        one = self.obligation(certificate, "nftables/egress.nft", "no loss")
        for name in (one["file"], one["control"]["file"]):
            (certificate / name).unlink()

        def forget(index):
            index["obligations"] = [o for o in index["obligations"] if o["file"] != one["file"]]
            index["files"] = [f for f in index["files"] if f not in (one["file"], one["control"]["file"])]
        self.change(certificate, forget)
        self.assert_refuted(certificate, built, "nftables/egress.nft: no loss is neither stated nor listed",
                            only=["nftables/egress.nft"])

    def test_solvers(self):
        """One that is not there, one that does not know, and one that says whatever suits."""
        tools = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        for code, script in ((2, None), (3, "echo unknown"), (1, "echo unsat"), (1, "echo sat"), (3, "exit 1")):
            if script:
                (tools / "z3").write_text(f"#!/bin/sh\n{script}\n")
                (tools / "z3").chmod(0o755)
            done = self.check(self.certificate, self.built, "--only", "nftables/egress.nft", env={"PATH": str(tools)})
            self.assertEqual(done.returncode, code, f"{script}: {done.stdout}")

    def test_paths(self):
        """An inductive set: a state less, one too many rights, a rule less, a state that is none."""
        policy, top = ROOT / "tests/artifacts/process/policy.agp", pathlib.Path(tempfile.mkdtemp(dir=self.top))
        built, certificate, words = top / "built", top / "certificate", ("--no-config", "--target", "linux-6.18")
        done = run(AGP, "build", "-q", policy, "-o", built, "--emit", "landlock", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = run(AGP, "verify", policy, "--landlock", built / "landlock/ruleset.json", "--certificate", certificate, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.check(certificate, built).returncode, 0)
        self.built, self.certificate, place = built, certificate, "landlock/ruleset.json"

        def write_states(step):
            def change(certificate, _):
                for one in ("01.json", "02.json"):
                    document = json.loads((certificate / one).read_text())
                    step(document["states"])
                    (certificate / one).write_text(json.dumps(document))
            return change

        def write_rules(before, after):
            def change(_, built):
                text = (built / "landlock/ruleset.json").read_text()
                self.assertIn(before, text)
                (built / "landlock/ruleset.json").write_text(text.replace(before, after, 1))
            return change

        for step, text in ((write_states(lambda s: s.remove("/dev")), "'/dev' leads out of it"),
                           (write_states(lambda s: s.pop(0)), "lacks the initial one"),
                           (write_states(lambda s: s.append("//")), "nothing that a path begins with"),
                           (write_rules('"write_file",\n        "read_file",\n        "truncate",\n        "ioctl_dev"',
                                        '"read_file",\n        "truncate",\n        "ioctl_dev"'), "no loss: they differ about `modify"),
                           (write_rules('"/dev/null"', '"/dev/null", "/dev/zero"'), "no excess: the set of states is not closed"),
                           (write_rules('"execute",\n        "read_file",\n        "ioctl_dev"',
                                        '"execute",\n        "read_file",\n        "write_file"'), "no excess: they differ about `modify"),
                           (write_rules('"handledAccessFs": [\n        "execute",', '"handledAccessFs": ['), None)):
            copied = self.copies()
            step(copied[1], copied[0])
            # somebody who can write everything, and knows where the ruleset is
            def refresh(index):
                index["artifacts"][0].update({"path": place, "sha256": sha256(copied[0] / place)})
                for one in index["obligations"]:
                    one["sha256"] = sha256(copied[1] / one["file"])
            self.change(copied[1], refresh)
            if text:
                self.assert_refuted(copied[1], copied[0], text)
            else:
                # a right that a rule has is handled, as landlockconfig has it: nothing has changed
                self.assertEqual(self.check(copied[1], copied[0]).returncode, 0)

    # the directory ----------------------------------------------------------------------------------------------------

    def test_writing(self):
        here = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        (here / "foreign").mkdir()
        (here / "foreign/notes.txt").write_text("mine")
        done = run(AGP, "verify", EXAMPLE, self.built, "--certificate", here / "foreign", "--no-config")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual((here / "foreign/notes.txt").read_text(), "mine")
        built, certificate = self.copies()
        before = {p.name: sha256(p) for p in certificate.iterdir()}
        (certificate / "01.smt2").write_text("stale\n")
        done = run(AGP, "verify", EXAMPLE, built, "--certificate", certificate, "--no-config")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(before, {p.name: sha256(p) for p in certificate.iterdir()})
        text = (built / "nftables/egress.nft").read_text()
        (built / "nftables/egress.nft").write_text(text.replace("10.0.1.50", "10.0.1.51"))
        done = run(AGP, "verify", EXAMPLE, built, "--certificate", certificate, "--no-config")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("no certificate is written", done.stderr)
        self.assertEqual(before, {p.name: sha256(p) for p in certificate.iterdir()})

    def test_schemas(self):
        import jsonschema
        for name, schema in (("certificate.json", "agp-certificate-1"), ("policy.json", "agp-certified-1")):
            text = json.loads((ROOT / f"docs/reference/schemas/{schema}.json").read_text())
            jsonschema.validate(json.loads((self.certificate / name).read_text()), text)


def replaced(text, name, by):
    return "\n".join(f"(define-fun {name} () Bool {by})" if line.startswith(f"(define-fun {name} () ") else line
                     for line in text.split("\n"))


if __name__ == "__main__":
    os.environ.pop("SOURCE_DATE_EPOCH", None)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=0)
