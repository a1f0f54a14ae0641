"""Certificates: tools/check-certificate agrees with agp about what is proved, by two solvers, and notices every change."""
import datetime
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

from support import AGP, CHECK, ROOT, Certified, reachable, run, script, sha256

from certificate import paths, settings
from certificate.formulas import Refuted, Unusable

EXAMPLE = ROOT / "docs/examples/code-execution.agp"
ABSTRACT = """agp 1

policy abstract {
  isolation process
  file { allow read, exec "/usr/bin/true" }
  net {
    allow connect tcp 10.0.1.50:443
    allow connect unix @abstract // agp-allow host-abstract-sockets until %s: a test
  }
  run { command "/usr/bin/true" user 1000:1000 }
  accept wider file because "mode, owner and times are for the file permissions to hold"
}
"""


class Certificates(Certified):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.built, cls.certificate = cls.make(EXAMPLE, "example")
        cls.said_of_example = cls.said

    def assert_agreement(self, policy, artifact, before, after, option, *words, section=""):
        """A changed artifact: where agp still proves it, so does the script, from its bytes; where agp refutes or refuses
        it, so does the script. Whether the certificate's files are about this one is asked elsewhere."""
        text = (self.built / artifact).read_text()
        self.assertIn(before, text)
        changed = self.top / "changed"
        changed.write_text(text.replace(before, after))
        done = run(AGP, "verify", policy, option, changed, "--no-config", "--format", "json", *words)
        verdicts = [o["verdict"] for o in json.loads(done.stdout)["obligations"] if o["artifact"].endswith(section)]
        index, rules = (json.loads((self.certificate / name).read_text()) for name in ("certificate.json", "policy.json"))
        rows = [o for o in index["obligations"] if o["artifact"].endswith(artifact + section)]
        self.assertTrue(rows)
        said = []
        for row in rows:
            try:
                script_refutes(row, changed.read_bytes(), rules)
            except (Refuted, Unusable) as error:
                said.append(f"{row['direction']}: {error}")
        self.assertEqual(bool(verdicts) and all(v == "proved" for v in verdicts), not said, f"{before} -> {after}: {verdicts}\n{done.stdout}{said}")

    # what holds -------------------------------------------------------------------------------------------------------

    def test_example(self):
        index = json.loads((self.certificate / "certificate.json").read_text())
        stated = {(o["artifact"], o["direction"]) for o in index["obligations"]}
        for artifact in ("seccomp/filter.x86_64.bpf", "seccomp/profile.json", "oci/config.json#/linux/seccomp",
                         "nftables/egress.nft", "nftables/egress.json", "oci/config.json#/mounts"):
            for direction in ("no excess", "no loss"):
                self.assertIn((artifact, direction), stated)
        # each form of a layer says the same: the second solver is asked about one filter, and about one table
        other = [o["artifact"] for o in index["obligations"] if o["artifact"] in ("seccomp/filter.x86_64.bpf", "nftables/egress.nft")]
        for solver, only, holds in (("z3", (), len(index["obligations"])), ("cvc5", set(other), len(other))):
            done = self.check(self.certificate, self.built, "--solver", solver, *(word for one in only for word in ("--only", one)))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            lines = done.stdout.splitlines()
            self.assertEqual(sum(line.startswith("holds ") for line in lines), holds + 2)
            self.assertEqual(sum(line.startswith("not certified ") for line in lines), len(index["not_certified"]))

    def test_every_proof_is_stated_or_named(self):
        index = json.loads((self.certificate / "certificate.json").read_text())
        done = run(AGP, "verify", EXAMPLE, self.built, "--no-config", "--format", "json")
        proved = [(o["artifact"], o.get("arch") or None, o["direction"], o["statement"]) for o in json.loads(done.stdout)["obligations"]]
        told = [(o["artifact"], o["arch"], o["direction"], o["statement"]) for o in index["obligations"] + index["not_certified"]]
        self.assertEqual(sorted(proved, key=str), sorted(told, key=str))
        for gap in index["not_certified"]:
            arch = f" ({gap['arch']})" if gap["arch"] else ""
            self.assertIn(f"not certified  {gap['artifact']}{arch}: {gap['direction']}: {gap['statement']}: {gap['reason']}\n", self.said_of_example)

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
                stated = [o for o in stated if o["direction"] != "errno"]
                self.assertEqual(len(stated), 2 * len(options), done.stderr)
                if "--oci-seccomp" not in options:
                    (built / "seccomp/profile.json").unlink(missing_ok=True)     # not given, and so not told
                done = self.check(certificate, built)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_architectures(self):
        policy = self.top / "architectures.agp"
        policy.write_text("""agp 1

policy architectures {
  syscall { allow read, openat, exit_group, execve, socket(domain == AF_UNIX), clone(flags & CLONE_NEWUSER == 0) }
  run { command "/usr/bin/true" user 1000:1000 }
}
""")
        built, certificate = self.make(policy, "architectures", "--arch", "x86_64,aarch64,riscv64")
        index = json.loads((certificate / "certificate.json").read_text())
        stated = {(o["artifact"], o["arch"]) for o in index["obligations"] if o["arch"]}
        for arch in ("x86_64", "aarch64", "riscv64"):
            self.assertIn((f"seccomp/filter.{arch}.bpf", arch), stated)
            self.assertIn(("seccomp/profile.json", arch), stated)
        done = self.check(certificate, built, "--only", "seccomp/filter.aarch64.bpf", "--only", "seccomp/profile.json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(sum(line.startswith("holds ") for line in done.stdout.splitlines()), 2 + 3 + 9)
        # a profile is for every machine of the target: none of them may be passed over
        self.built, self.certificate = built, certificate
        for arch, direction in (("aarch64", "no loss"), ("riscv64", None)):
            copied = self.copies()
            gone = [o for o in index["obligations"] if (o["artifact"], o["arch"]) == ("seccomp/profile.json", arch)
                    and direction in (None, o["direction"])]
            self.forget(copied[1], gone)
            self.assert_refuted(*reversed(copied), f"seccomp/profile.json ({arch}): {gone[0]['direction']} is neither stated nor listed",
                                only=["seccomp/filter.riscv64.bpf"])

    def test_sub_architectures(self):
        """What libseccomp makes of a profile for the numbers of i386 and x32: lower words, calls behind another one."""
        policy, words = self.top / "sub.agp", ("--arch", "x86_64,i386,x32")
        policy.write_text("""agp 1

policy sub {
  syscall {
    allow read, write, exit_group, getpid, execve, bind, mmap
    allow ioctl(request == 0x5413)
    allow prctl(option in [PR_SET_NAME, PR_GET_NAME])
    allow lseek(whence == 1)
    // what a profile says of them on i386 is also about the calls behind which it has them
    allow socket(domain == AF_UNIX), socketcall, ipc, shmget, semctl, accept4
  }
  run { command "/usr/bin/true" user 1000:1000 }
}
""")
        built, certificate = self.make(policy, "sub", *words, emit="seccomp", single={
            "--seccomp": "seccomp/filter.x86_64.bpf", "--oci-seccomp": "seccomp/profile.json"})
        index = json.loads((certificate / "certificate.json").read_text())
        stated = {(o["artifact"], o["direction"]) for o in index["obligations"]}
        for artifact in ("seccomp/filter.x86_64.bpf", "seccomp/profile.json"):
            for direction in ("no excess", "no loss"):
                self.assertIn((artifact, direction), stated, self.said)
        done = self.check(certificate, built)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.built, self.certificate = built, certificate
        for before, after in (('"SCMP_ARCH_X86"', '"SCMP_ARCH_X86_64"'), ('"read",', '"read", "readv",'), ('"shmget"', '"shmat"'),
                              ('"lseek"', '"_llseek"'), ('"valueTwo": 21523', '"valueTwo": 21524'),
                              ('"value": 4294967295', '"value": 18446744073709551615'), ('"socketcall",', '')):
            self.assert_agreement(policy, "seccomp/profile.json", before, after, "--oci-seccomp", *words)

    def test_audit(self):
        """What is logged and what is not, of a program and of a profile; which log is no log."""
        policy = ROOT / "tests/artifacts/audit/policy.agp"
        built, certificate = self.make(policy, "audit", emit="seccomp", single={"--seccomp": "seccomp/filter.x86_64.bpf", "--oci-seccomp": "seccomp/profile.json"})
        index = json.loads((certificate / "certificate.json").read_text())
        self.assertEqual([(o["kind"], o["direction"]) for o in index["obligations"]],
                         [(kind, f"audit: {what}") for kind in ("seccomp-program", "seccomp-profile")
                          for what in ("permits all", "reports every refusal", "reports nothing else")], self.said)
        self.assertEqual([o["control"].get("demanded") for o in index["obligations"]], ["SECCOMP_RET_ALLOW", None, None] * 2)
        for solver in ("z3", "cvc5"):
            done = self.check(certificate, built, "--solver", solver)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.built, self.certificate = built, certificate
        for before, after in (('"SCMP_ACT_LOG"', '"SCMP_ACT_ERRNO"'), ('"SCMP_ACT_LOG"', '"SCMP_ACT_ALLOW"'), ('"read",', ''), ('"close",', '"close", "ptrace",')):
            self.assert_agreement(policy, "seccomp/profile.json", before, after, "--oci-seccomp")
        # an enforced block has other statements, and a control demands nothing else than what it may
        copied = self.copies()
        self.change(copied[1], lambda index: index["obligations"][0].update(direction="no loss"))
        self.assert_refuted(*reversed(copied), "no statement about such an artifact", "audit: permits all is neither stated")
        copied = self.copies()
        self.change(copied[1], lambda index: index["obligations"][0]["control"].update(demanded="SECCOMP_RET_KILL"))
        self.assert_refuted(*reversed(copied), "is no control of this statement")

    def test_errno(self):
        """clone3 gets ENOSYS where clone has conditions; with another errno libc would not fall back."""
        one = self.obligation(self.certificate, "seccomp/filter.x86_64.bpf", "errno")
        self.assertEqual(one["control"]["demanded"], "EPERM")
        built, certificate = self.copies()
        path = built / "seccomp/filter.x86_64.bpf"
        code = bytearray(path.read_bytes())
        self.assertIn(b"\x06\0\0\0\x26\0\x05\0", code)
        path.write_bytes(code.replace(b"\x06\0\0\0\x26\0\x05\0", b"\x06\0\0\0\x0b\0\x05\0"))
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, "refuted       seccomp/filter.x86_64.bpf (x86_64): errno: the artifact's bytes",
                            "holds         seccomp/filter.x86_64.bpf (x86_64): no excess", only=["seccomp/filter.x86_64.bpf"])
        for artifact in ("seccomp/profile.json", "oci/config.json"):
            built, certificate = self.copies()
            text = (built / artifact).read_text()
            self.assertEqual(text.count('"errnoRet": 38'), text.count('"clone3"'))
            (built / artifact).write_text(text.replace('"errnoRet": 38', '"errnoRet": 1'))
            self.refresh(certificate, built)
            self.assert_refuted(certificate, built, " (x86_64): errno: the artifact's bytes",
                                only=[artifact + ("#/linux/seccomp" if artifact.startswith("oci") else "")])

    def test_ports(self):
        policy, words = ROOT / "tests/artifacts/process/policy.agp", ("--target", "linux-6.18")
        place = "landlock/ruleset.json"
        built, certificate = self.make(policy, "ports", *words, emit="landlock", single={"--landlock": place})
        index = json.loads((certificate / "certificate.json").read_text())
        row = next(o for o in index["obligations"] if o["kind"] == "ports")
        self.assertEqual((row["artifact"], row["direction"], row["about"]), (place, "no loss", "connection"))
        # both lists call the artifact by its place in the layout, and say what is proved of it
        for one in index["obligations"] + index["not_certified"]:
            self.assertEqual(one["artifact"], place)
        self.assertNotIn("not certified", self.said)
        done = self.check(certificate, built)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"holds         {place}: no loss of ports\n", done.stdout)
        self.assertIn(f"holds         {place}: no excess of sockets\n", done.stdout)
        self.built, self.certificate = built, certificate
        for before, after in (("        443,\n", ""), ("8443", "8444"), ('"connect_tcp"\n      ],\n      "port"', '"bind_tcp"\n      ],\n      "port"'),
                              ('"handledAccessNet": [', '"handledAccessNet": [\n        "bind_udp",'),
                              ('"abstract_unix_socket"', '"signal"'), ('"scoped": [', '"scoped": [\n        "signal",')):
            self.assert_agreement(policy, place, before, after, "--landlock", *words)

    def test_ports_and_sockets(self):
        """What has to be told of a ruleset differs by stack: the launcher's answers for abstract sockets, a container's not."""
        record = json.loads(run(AGP, "targets", "linux-6.18").stdout)
        target, policy = self.top / "target.json", self.top / "both.agp"
        target.write_text(json.dumps({**record, "name": "both", "stack": "oci+landlock"}))
        policy.write_text("""agp 1

policy both {
  syscall { allow read, openat, exit_group, execve, connect, socket(domain == AF_INET) }
  file { allow read "/srv/data/**" allow read, exec "/usr/bin/true" }
  net { allow connect tcp 10.0.1.50:443 }
  run { command "/usr/bin/true" user 1000:1000 }
}
""")
        place, made = "landlock/ruleset.json", (self.built, self.certificate)
        for name, words, due in (("container", ("--target", target), {"ports"}), ("launcher", ("--target", "linux-6.18"), {"ports", "settings"})):
            if name == "launcher":
                policy = ROOT / "tests/artifacts/process/policy.agp"
            self.built, self.certificate = self.make(policy, name, *words, emit="landlock" if name == "launcher" else None, single={"--landlock": place} if name == "launcher" else ())
            self.refresh(self.certificate, self.built, place)
            rows = [o for o in json.loads((self.certificate / "certificate.json").read_text())["obligations"] if o["artifact"] == place and o["about"] == "connection"]
            self.assertEqual({o["kind"] for o in rows}, due, self.said)
            done = self.check(self.certificate, self.built, "--only", place)
            self.assertEqual(done.returncode, 0, done.stdout)
            for row in rows:
                built, certificate = self.copies()
                self.forget(certificate, [row])
                said = f"{place}: {row['direction']} of {'ports' if row['kind'] == 'ports' else 'sockets'} is neither stated nor listed"
                if name == "launcher":
                    self.assert_refuted(certificate, built, said, only=[place])
                else:                                                            # nothing else of it is certified: ask for no obligation of it
                    self.assert_refuted(certificate, built, said)
        self.built, self.certificate = made

    def test_sockets_are_not_ports(self):
        """Where both have one direction: what is said of sockets is not said of ports, whatever its text mentions."""
        policy, place, made = self.top / "abstract.agp", "landlock/ruleset.json", (self.built, self.certificate)
        policy.write_text(ABSTRACT % (datetime.date.today() + datetime.timedelta(30)))
        self.built, self.certificate = self.make(policy, "abstract", "--target", "linux-6.18", emit="landlock", single={"--landlock": place})
        rows = [o for o in json.loads((self.certificate / "certificate.json").read_text())["obligations"] if o["about"] == "connection"]
        self.assertEqual({(o["kind"], o["direction"]) for o in rows}, {("ports", "no loss"), ("settings", "no loss")}, self.said)
        self.assertEqual(self.check(self.certificate, self.built).returncode, 0)
        for row in rows:
            what = "ports" if row["kind"] == "ports" else "sockets"
            gap = {**{k: row[k] for k in ("artifact", "arch", "about", "direction", "statement")}, "reason": "x"}
            for listed, right in ((None, False), (gap, True), ({**gap, "statement": "every port and every socket"}, what == "sockets")):
                built, certificate = self.copies()
                self.forget(certificate, [row])
                self.change(certificate, lambda index: [o.update(statement=o["statement"] + ", and port, and socket") for o in index["obligations"]])
                if listed:
                    self.change(certificate, lambda index: index["not_certified"].append(listed))
                if right:
                    self.assertEqual(self.check(certificate, built).returncode, 0)
                else:
                    self.assert_refuted(certificate, built, f"{place}: no loss of {what} is neither stated nor listed")
        self.built, self.certificate = made

    def test_single_artifact(self):
        filter_file, certificate = self.built / "seccomp/filter.x86_64.bpf", self.top / "single"
        done = run(AGP, "verify", EXAMPLE, "--seccomp", filter_file, "--arch", "x86_64", "--certificate", certificate, "--no-config")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.check(certificate, ".").returncode, 0)
        # where it was read is for the command line to repeat, not for the certificate to say
        done = run("/usr/bin/python3", CHECK, certificate, ".")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("where seccomp/filter.x86_64.bpf was read (--artifact NAME=FILE says where it is) is no plain relative path: /", done.stdout)
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

    def test_mounts(self):
        """Every sort of mount, in either order, and what other flags and other places make of it."""
        policy = self.top / "mounts.agp"
        policy.write_text("""agp 1

policy mounted {
  file {
    allow read "/etc/hosts"
    allow read, exec "/usr/bin/**"
    allow read, write "/workspace/**"
    allow read "/data/**"
    deny write "/workspace/.git/hooks/**"
  }
  run {
    command "/usr/bin/true"
    user 1000:1000
    mount tmpfs at "/workspace" writable size 16 MiB
    mount "/srv/data" at "/data" readonly
  }
  accept narrower write "/workspace/.git/hooks/**" because "renames across .git are refused"
}
""")
        self.built, self.certificate = self.make(policy, "mounts", emit="oci,seccomp", single={"--oci": "oci/config.json"})
        stated = {(o["kind"], o["direction"]) for o in json.loads((self.certificate / "certificate.json").read_text())["obligations"]}
        self.assertLessEqual({("mounts", "no excess"), ("mounts", "no loss")}, stated, self.said)
        copied = self.copies()
        self.refresh(copied[1], copied[0], "oci/config.json")
        done = self.check(*reversed(copied), "--only", "oci/config.json#/mounts")
        self.assertEqual(done.returncode, 0, done.stdout)
        text = (self.built / "oci/config.json").read_text()
        listed = json.loads(text)["mounts"]
        changes = []
        for mount in listed:
            one = json.dumps(mount, indent=2).replace("\n", "\n    ")
            self.assertIn(one, text)
            for before, after in (("\"ro\"", "\"rw\""), ("\"rw\"", "\"ro\""), (",\n          \"noexec\"", ""),
                                  (f'"destination": "{mount["destination"]}"', '"destination": "/elsewhere"'),
                                  ('"subset=pid"', '"private"'), ('"mode=', '"mode=0'), ('"uid=1000"', '"uid=0"')):
                other = one.replace(before, after)
                if other != one:
                    changes.append((one, other))
        first, last = (json.dumps(m, indent=2).replace("\n", "\n    ") for m in (listed[0], listed[-1]))
        changes += [(text, text.replace(first, "@").replace(last, first).replace("@", last)), (first, f"{first},\n    {last}"),
                    ('"maskedPaths": [', '"maskedPaths": [\n      "/data/x",'), ('"maskedPaths": [', '"maskedPaths": [\n      "/nothing",'),
                    ('"readonlyPaths": [', '"readonlyPaths": [\n      "/workspace/a",'), ('"ociVersion"', '"hooks": {},\n  "ociVersion"'),
                    ('"bounding": []', '"bounding": ["CAP_MKNOD"]'), ('"readonly": true', '"readonly": false'), ('"mounts": [', '"Mounts": [],\n  "mounts": [')]
        for before, after in changes:
            with self.subTest(after[-300:] if len(after) < 3000 else "order"):
                self.assert_agreement(policy, "oci/config.json", before, after, "--oci", section="#/mounts")

    # the directory ----------------------------------------------------------------------------------------------------

    def test_writing(self):
        here = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        (here / "foreign").mkdir()
        (here / "foreign/notes.txt").write_text("mine")
        done = run(AGP, "verify", EXAMPLE, self.built, "--certificate", here / "foreign", "--no-config")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual((here / "foreign/notes.txt").read_text(), "mine")
        self.assertIn("AGP0008", done.stdout)
        self.assertNotIn("not everything is proved", done.stderr)
        # everything is proved, and the disk has no place for it
        done = run(AGP, "verify", EXAMPLE, self.built, "--certificate", "/proc/certificate", "--no-config")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"AGP0009[^\n]*\n?[^\n]*`/proc/certificate` can't be written: no such file or directory")
        self.assertIn("no certificate is written\n", done.stderr)
        self.assertNotIn("not everything", done.stderr)
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
        self.assertIn("no certificate is written: not everything is proved\n", done.stderr)
        self.assertEqual(before, {p.name: sha256(p) for p in certificate.iterdir()})

    def test_schemas(self):
        import jsonschema
        for name, schema in (("certificate.json", "agp-certificate-1"), ("policy.json", "agp-certified-1")):
            text = json.loads((ROOT / f"docs/reference/schemas/{schema}.json").read_text())
            jsonschema.validate(json.loads((self.certificate / name).read_text()), text)


def script_refutes(row, content, policy):
    """What the script finds of these bytes by itself: a solver's answer to its own statement; of paths, all states of its own
    automaton; of settings, by comparing."""
    demanded = row["direction"] in script.DEMANDS
    if row["kind"] == "settings":
        wrong = settings.differs(*settings.SECTIONS[row["artifact"]](content, policy, demanded))
        if wrong:
            raise Refuted(wrong)
        return
    if row["kind"] not in script.LAYERS:
        expect_unsat(script.Solver("z3", 60), row, script.state(row, content, policy, {}))
        return
    layers = script.LAYERS[row["kind"]](row, [content], policy)
    paths.inductive(layers, policy, demanded, reachable(paths.Check(layers, policy, demanded), lambda text, c: text + c))


def expect_unsat(solver, row, own):
    if solver.ask(own.text(script.violation(row, "s."))) != "unsat":
        raise Refuted("the artifact's bytes permit what the policy does not, or the other way round")


def replaced(text, name, by):
    return "\n".join(f"(define-fun {name} () Bool {by})" if line.startswith(f"(define-fun {name} () ") else line
                     for line in text.split("\n"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=0)
