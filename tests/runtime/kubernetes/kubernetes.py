"""The stack `kubernetes` without a cluster: every example is built and proved once it accepts what the plan says a pod can't
hold, so that plan and verifier agree; and what Linux does with the sysctl that a pod sets. Nothing here stands in for a
kubelet."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP = sys.argv[1]
EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "docs/examples"

PING = """
import socket
for protocol, family in ((1, socket.AF_INET), (58, socket.AF_INET6)):
    try:
        socket.socket(family, socket.SOCK_DGRAM, protocol)
        print("opened")
    except PermissionError:
        print("refused")
"""


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="agp-kubernetes-"))
        record = json.loads(subprocess.run([AGP, "targets", "debian-12"], capture_output=True, check=True).stdout)
        (cls.home / "target.json").write_text(json.dumps({**record, "name": "cluster", "stack": "kubernetes"}))
        (cls.home / "agp.toml").write_text("")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def agp(self, *words):
        done = subprocess.run([AGP, *words, "--target", "target.json"], cwd=self.home, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def adapted(self, name):
        """The example without the gaps of another stack, and with those of this one."""
        text = (EXAMPLES / name).read_text()
        (self.home / name).write_text(text)
        said = self.agp("check", name)[1]
        for fact in re.findall(r"error\[AGP4004\]: `(.*?)` accepts", said):
            text = "".join(line for line in text.splitlines(keepends=True)
                           if not (line.strip().startswith("accept ") and fact in line.replace("${workspace}", "/workspace")))
        gaps = sorted(set(re.findall(r"record the risk: `(accept .*? because) ", said)))
        lines = "".join(f'  {gap} "a test"\n' for gap in gaps)
        (self.home / name).write_text(re.sub(r"^(policy [\w-]+ \{\n)", lambda m: m[1] + lines, text, flags=re.M))
        return len(gaps)

    def test_each_is_proved_with_its_gaps(self):
        names = sorted(path.name for path in EXAMPLES.glob("*.agp"))
        self.assertGreater(len(names), 10)
        for name in names:
            with self.subTest(name):
                self.assertGreater(self.adapted(name), 0)
                code, said = self.agp("build", name, "-o", f"out-{name}")
                self.assertEqual(code, 0, said)
                code, said = self.agp("verify", name, f"out-{name}")
                self.assertEqual(code, 0, said)
                self.assertRegex(said, r"proved +kubernetes/network-policy\.json: no excess")
                self.assertRegex(said, r"proved +kubernetes/pod\.json: no excess")


class Pings(unittest.TestCase):
    def opened(self, value):
        words = ["unshare", "-n", "sh", "-c", 'sysctl -q -w "net.ipv4.ping_group_range=$0" && exec /usr/bin/python3 -c "$1"', value, PING]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.split()

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare") and shutil.which("sysctl"), "root, unshare and sysctl are needed")
    def test_the_sysctl_of_a_pod_closes_them(self):
        self.assertEqual(self.opened("1 0"), ["refused", "refused"])
        self.assertEqual(self.opened("0 2147483647"), ["opened", "opened"])  # what containerd 2 sets by itself


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
