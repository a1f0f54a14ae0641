"""Arguments of Podman and Docker in certificates: what is proved, refuted or refused of a changed file by agp is so by the
script, which reads the file anew; and certificates about them that somebody changed."""
import importlib.util
import json
import sys
import unittest

from support import AGP, ENFORCED, ROOT, Containers, run

from certificate import settings
from certificate.formulas import Unusable


def changes_of(engine):
    """The changes that tests/runtime/podman/changes.py asks agp about, and the policy that they are about."""
    words, sys.argv = sys.argv, ["changes.py", AGP, engine]
    try:
        spec = importlib.util.spec_from_file_location(f"changes_{engine}", ROOT / "tests/runtime/podman/changes.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.argv = words


class Engine(Containers):
    ENGINE = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.policy, cls.listed, cls.place = cls.top / "changed.agp", changes_of(cls.ENGINE), f"{cls.ENGINE}/run.args"
        cls.policy.write_text(cls.listed.POLICY.replace("ACCEPT", cls.listed.ACCEPT))
        cls.prepare(cls.ENGINE)

    def replaced(self, before, after):
        self.assertEqual(self.text.count(before), 1, before)
        return self.text.replace(before, after)


class Arguments:
    """Of either engine."""

    def test_whole(self):
        rows = [o for o in json.loads((self.certificate / "certificate.json").read_text())["obligations"] if o["artifact"].startswith(self.place)]
        words = [*settings.OF_CONTAINERS, "sources", "mounts"]
        expected = {(settings.section(self.place, word), direction) for word in words for direction in ENFORCED} - {(f"{self.place} (namespaces)", "no loss")}
        self.assertEqual({(o["artifact"], o["direction"]) for o in rows}, expected, self.said)
        self.assertEqual({o["kind"] for o in rows if o["artifact"] == self.place}, {"mounts"})
        done = self.check(self.certificate, self.built)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count(f"holds         {self.place}"), 13, done.stdout)

    def test_changes(self):
        self.assertEqual(self.assert_same(self.text), set())
        lines = self.text.splitlines(keepends=True)
        for i, line in enumerate(lines):
            with self.subTest("without", line=line.strip()):
                self.assertEqual(self.assert_same("".join(lines[:i] + lines[i + 1:])) == set(), line.strip() in self.listed.WITHOUT)
        for before, after in self.listed.CHANGES:
            with self.subTest(after):
                self.assertNotEqual(self.assert_same(self.replaced(before, after)), set())
        for before, after in self.listed.SAME:
            with self.subTest(after):
                self.assertEqual(self.assert_same(self.replaced(before, after)), set())

    def test_sections(self):
        """Which of the statements are wrong."""
        user, drop, path = "--user=65534:65534", "--cap-drop=ALL", "--env=PATH=/usr/bin\n"
        for before, after, wrong in (
                (drop, drop + "\n--cap-add=CAP_KILL", "capabilities:excess"),
                (path, path + "--env=HOME=/x\n", "env:excess"), (path, "", "env:excess env:loss"), (path, path + "--env=PATH=/x\n", "env:excess env:loss"),
                (path, "--env=PATH=/x\n" + path, ""), (user, "--user=0:65534", "process:excess process:loss"),
                ("--security-opt=no-new-privileges\n", "", "process:excess"), ("--pids-limit=32", "--pids-limit=33", "resources:excess"),
                ("--memory-swap=134217728b", "--memory-swap=0b", "resources:excess"), ("--cpu-period=100000", "--cpu-period=100001", "resources:loss"),
                ("--ulimit=nproc=32768:32768", "--ulimit=nproc=32767:32768", "resources:loss"), ("--cgroupns=private", "--cgroupns=host", "namespaces:excess"),
                ("size=16777216", "size=16777215", "sources:excess sources:loss")):
            with self.subTest(after):
                self.assertEqual(self.assert_same(self.replaced(before, after)), {(s, f"no {d}") for s, _, d in (w.partition(":") for w in wrong.split())})

    def test_not_understood(self):
        """Options that show, give or share, values that are read in two ways, and what takes the next line."""
        for line in ("--volume=/:/host", "-v=/:/host", "--privileged", "--privileged=true", "--pid=host", "--uts=host", "--userns=host", "--device=/dev/sda", "--init",
                     "--entrypoint=/bin/sh", "--group-add=0", "--env-file=/x", "--env-host", "--sysctl=net.ipv4.ip_forward=1", "--security-opt=label=disable", "--cap-add=ALL",
                     "--security-opt=apparmor=unconfined", "--add-host=a:10.0.0.1", "--volumes-from=x", "--rootfs=/x", "--hostuser=x", "--env", "--mount", "--user", "--pull",
                     "--network=host", "--workdir=/", "--read-only", "--read-only=false", "--ipc=host", "--memory=1b", "--user=0:0", "--", "-it", "--cap-drop=ALL",
                     "--ulimit=nofile=-1:-1", "--ulimit=rtprio=1:1", "--ulimit=nofile=1", "--pids-limit=08", "--pids-limit=\u0661", "--cpus=2", "--cpu-shares=2", "--Env=A=b",
                     "--env=A", "--env==b", "--tmpfs=/x", "--tmpfs=/:ro,nosuid,nodev", "--tmpfs=/proc:ro,nosuid,nodev", "--tmpfs=/x:ro,nodev", "--tmpfs=/x:ro,nosuid",
                     "--tmpfs=/x:rw,nosuid,nodev,size=0", "--tmpfs=/x:rw,nosuid,nodev,size=1m", "--tmpfs=/x:rw,nosuid,nodev,size=1,size=2", "--tmpfs=/x:rw,nosuid,nodev,ro",
                     "--tmpfs=/x:rw,nosuid,nodev,mode=4777", "--tmpfs=/workspace:ro,nosuid,nodev", "--tmpfs=/x:ro,nosuid,nodev,uid=65534", "--tmpfs=x:ro,nosuid,nodev",
                     "--tmpfs=/x/../y:ro,nosuid,nodev"):
            with self.subTest(line):
                self.assertIsNone(self.script_says(f"{line}\n{self.text}"))
        flags = self.listed.DEV
        whole = f"--mount=type=bind,src=/srv/a,dst=/a,bind-nonrecursive,readonly{flags}"
        self.assertIsNotNone(self.script_says(f"{whole}\n{self.text}"))
        for before, after in (("type=bind", "type=volume"), ("type=bind,", ""), ("src=", "source="), ("dst=", "target="), ("bind-nonrecursive", "bind-propagation=shared"), (",bind-nonrecursive", ""),
                              ("readonly", "readonly=false"), ("readonly", "ro"), ("readonly", "readonly,"), ("readonly", "readonly,z"), ("src=/srv/a", "src=/srv//a"), ("src=/srv/a", "src=srv"),
                              ("src=/srv/a", 'src="/srv/a"'), ("dst=/a", "dst=/"), ("dst=/a", "dst=/proc"), ("dst=/a", "dst=/proc/sys"), ("dst=/a", "dst=/a:/b"), ("dst=/a", "dst= /a"), ("dst=/a", "dst=/a "),
                              ("dst=/a", "dst=/workspace"), ("dst=/a", "dst=/a,dst=/b"), ("src=/srv/a", f"src={self.listed.OWN}x"), (",readonly", f",readonly{flags or ',nosuid'}")):
            with self.subTest(after):
                self.assertIsNone(self.script_says(f"{whole.replace(before, after)}\n{self.text}"))
        for content in (b"", b"--pull=never\n", self.text[:-1].encode(), self.text.encode().replace(b"PATH=", b"PATH=\0"), self.text.encode().replace(b"PATH=", b"PATH=\xff")):
            with self.subTest(content[:20]), self.assertRaises(Unusable):
                settings.READERS[self.place](content, self.rules)

    def test_certificate(self):
        """What somebody changes who can write every file, and rows that are gone."""
        built, certificate = self.copies()
        (built / self.place).write_text(self.replaced("--pids-limit=32", "--pids-limit=33"))
        self.assert_refuted(certificate, built, f"{self.place} is not what the certificate is about", only=[self.place])
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, f"refuted       {self.place} (resources): no excess: `pids` is 33", only=[f"{self.place} (resources)"])
        more = "--mount=type=bind,src=/etc,dst=/etc,bind-nonrecursive,readonly" + self.listed.DEV
        (built / self.place).write_text(f"{more}\n{self.text}")
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, f"refuted       {self.place}: no excess: they differ about `", only=[self.place])
        (built / self.place).write_text(f"--volume=/etc:/etc\n{self.text}")
        self.refresh(certificate, built)
        done = self.check(certificate, built)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(done.stdout.count("`--volume=/etc:/etc` is an option that is not understood"), 13, done.stdout)

        def edited(word, step, text):
            built, certificate = self.copies()
            section = settings.section(self.place, word)
            one = self.obligation(certificate, section, "no excess")
            document = json.loads((certificate / one["file"]).read_text())
            step(document)
            (certificate / one["file"]).write_text(json.dumps(document))
            self.refresh(certificate, built)
            self.assert_refuted(certificate, built, f"{section}: no excess: {text}", only=[section])
        edited("resources", lambda d: d["policy"].update(pids=["at most", 64]), "the file states something else")
        edited("env", lambda d: d["artifact"].update(HOME=["/"]), "the file states something else")
        edited("sources", lambda d: d["artifact"].pop("/input"), "the file states something else")
        edited("mounts", lambda d: d["states"].remove("/usr"), "the set of states is not closed")
        # a bound that the policy does not have, an answer for a row of another kind, rows that are gone
        built, certificate = self.copies()
        policy = json.loads((certificate / "policy.json").read_text())
        policy["run"]["limits"]["pids"] = 64
        (certificate / "policy.json").write_text(json.dumps(policy))
        self.assert_refuted(certificate, built, "policy.json is not what the certificate is about")
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, f"{self.place} (resources): no loss: `pids` is 32", only=[f"{self.place} (resources)"])
        built, certificate = self.copies()
        mounts = self.obligation(certificate, self.place, "no excess")
        self.change(certificate, lambda index: next(o for o in index["obligations"] if o["artifact"] == f"{self.place} (sources)").update(
            {key: mounts[key] for key in ("kind", "control", "file", "sha256", "expected")}))
        done = self.check(certificate, built, "--only", f"{self.place} (sources)")
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(f"there are no mounts in `{self.place} (sources)`", done.stdout)
        for word in (*settings.OF_CONTAINERS, "sources", "mounts"):
            section = settings.section(self.place, word)
            for gone in (ENFORCED, ENFORCED[:1]) if word == "namespaces" else (ENFORCED, ENFORCED[:1], ENFORCED[1:]):
                with self.subTest(section, gone=gone):
                    built, certificate = self.copies()
                    rows = json.loads((certificate / "certificate.json").read_text())["obligations"]
                    self.forget(certificate, [o for o in rows if o["artifact"] == section and o["direction"] in gone])
                    self.assert_refuted(certificate, built, f"the obligations are complete: {section}", "neither stated nor listed", only=["nftables/egress.nft"])

    def test_controls(self):
        built, certificate = self.copies()
        section = f"{self.place} (capabilities)"
        self.change(certificate, lambda index: next(o for o in index["obligations"] if o["artifact"] == section)["control"].update(
            instead={"side": "artifact", "setting": "bounding", "value": []}))
        self.assert_refuted(certificate, built, f"{section}: no excess: the control is not violated", only=[section])
        harmless = next(i for i, rule in enumerate(self.rules["rules"]) if rule["block"] == "syscall")
        self.change(certificate, lambda index: next(o for o in index["obligations"] if o["artifact"] == self.place)["control"].update(
            removed={"rule": harmless, "id": "x", "text": "x"}))
        self.assert_refuted(certificate, built, f"{self.place}: no excess: the control is not violated", only=[self.place])


class Podman(Arguments, Engine):
    ENGINE = "podman"


class Docker(Arguments, Engine):
    ENGINE = "docker"


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=0)
