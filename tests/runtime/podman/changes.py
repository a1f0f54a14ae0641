"""changes.py AGP ENGINE: arguments of `podman run` or `docker run` that somebody changed: each change that permits or takes
away something is refuted or refused by `agp verify`, and what means the same is not. Needs neither engine."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP, ENGINE = sys.argv[1:3]

POLICY = """agp 1

policy changed {
  isolation container ephemeral
  file {
    allow read, exec "/usr/bin/**"
    allow read, write "/workspace/**"
    allow read "/input/**"
  }
  syscall { allow @default }
  env { set "PATH" = "/usr/bin" }
  limit {
    cpu 1
    memory 128 MiB
    pids 32
    time 1 min
    files 256
  }
  run {
    command "/usr/bin/true", "--user=0:0"
    user 65534:65534
    mount "/srv/input" at "/input" readonly
    mount tmpfs at "/workspace" writable size 16 MiB
  }
  ACCEPT
}
""".replace("ACCEPT", 'accept wider read "/input/**" because "a test"' if ENGINE == "docker" else "")

NULL = "--mount=type=bind,src=/dev/null,dst=/dev/null,bind-nonrecursive"
# Without these lines the container is the same, or another one that the policy permits as well.
WITHOUT = {"--ulimit=core=0:0", "--workdir=/", "--ulimit=nproc=32768:32768", "--cpu-period=100000",
           *{"podman": ["--hostname=changed", NULL + ",nosuid,noexec"], "docker": [NULL]}[ENGINE]}
NETWORK = {"podman": "--network=ns:/run/netns/agp-changed", "docker": "--network=container:agp-changed"}[ENGINE]
STACK = {"podman": "./", "docker": "/var/lib/agp/changed/"}[ENGINE]  # where it has its own files
# (old, new): one value or word that makes another container.
CHANGES = [
    (NETWORK, "--network=host"),
    (NETWORK, "--network=none"),
    (NETWORK, NETWORK.replace("agp-changed", "other")),
    (NETWORK, NETWORK.replace("changed", "other")),
    ("--user=65534:65534", "--user=0:0"),
    ("--user=65534:65534", "--user=65534:0"),
    ("--cap-drop=ALL", "--cap-drop=ALL\n--cap-add=CAP_SYS_ADMIN"),
    ("--cap-drop=ALL", "--cap-drop=CAP_CHOWN"),
    ("--cap-drop=ALL", "--cap-drop=ALL\n--privileged"),
    ("--cap-drop=ALL", "--cap-drop=ALL\n--pid=host"),
    ("--security-opt=seccomp=profile.json", "--security-opt=seccomp=unconfined"),
    ("--security-opt=no-new-privileges", "--security-opt=label=disable"),
    ("--memory=134217728b", "--memory=134217729b"),
    ("--memory-swap=134217728b", "--memory-swap=134217727b"),
    ("--memory=134217728b", "--memory=134217728b\n--memory=0b"),
    ("--cpu-quota=100000", "--cpu-quota=100001"),
    ("--pids-limit=32", "--pids-limit=-1"),
    ("--pids-limit=32", "--pids-limit=31"),
    ("--ulimit=nofile=256:256", "--ulimit=nofile=256:257"),
    ("--ulimit=nproc=32768:32768", "--ulimit=nproc=16:16"),
    ("--env=PATH=/usr/bin", "--env=PATH=/workspace"),
    ("--env=PATH=/usr/bin", "--env=PATH"),
    ("--env=PATH=/usr/bin", "--env=PATH=/usr/bin\n--env=LD_PRELOAD=/workspace/x"),
    ("--env=PATH=/usr/bin", "--env=PATH=/usr/bin\n--env=HOME=/workspace"),
    ("dst=/input,bind-nonrecursive,readonly", "dst=/input,bind-nonrecursive"),
    ("src=/srv/input,", "src=/etc,src=/srv/input,"),
    ("--ulimit=nproc=32768:32768", "--ulimit=nproc=1:1\n--ulimit=nproc=32768:32768"),
    ("mode=0777", "mode=7777"),
    ("dst=/input,bind-nonrecursive,", "dst=/input,"),
    ("src=/srv/input,", "src=/srv,"),
    ("src=/srv/input,", "src=/srv/../etc,"),
    ("--tmpfs=/workspace:rw,nosuid,nodev,noexec,", "--tmpfs=/workspace:rw,nosuid,nodev,exec,"),
    ("--tmpfs=/workspace:rw,nosuid,nodev,noexec,", "--tmpfs=/workspace:rw,nosuid,nodev,noexec,exec,"),
    ("--tmpfs=/workspace:rw,nosuid,", "--tmpfs=/workspace:rw,"),
    ("--tmpfs=/workspace:rw,", "--tmpfs=/workspace:ro,"),
    ("size=16777216", "size=16777217"),
    ("mode=0777", "mode=0755"),
    ("localhost/agp-root:latest", "docker.io/library/debian:12"),
    ("localhost/agp-root:latest\n/usr/bin/true", "localhost/agp-root:latest\n/usr/bin/false"),
    ("--read-only\n", "--read-only=false\n"),
    ("--pull=never", "--pull=always"),
    ("/usr/bin/true\n--user=0:0\n", "/usr/bin/true\n--user=0:0"),
    ("src=/usr/bin,dst=/usr/bin", f"src={STACK}dev,dst=/usr/bin"),
    (f"src={STACK}dev,dst=/dev", f"src={STACK}denied-directory,dst=/dev"),
    ("--env=PATH=/usr/bin", "--env=PATH=/usr/bin\n--env=PATH=/workspace"),
    (f"--mount=type=bind,src={STACK}denied-file,dst=/etc/hosts", "--mount=type=bind,src=/etc/hosts,dst=/etc/hosts"),
    *{"podman": [
        ("dst=/input,bind-nonrecursive,readonly,nosuid,", "dst=/input,bind-nonrecursive,readonly,"),
        ("dst=/usr/bin,bind-nonrecursive,readonly,nosuid,nodev", "dst=/usr/bin,bind-nonrecursive,readonly,nosuid,nodev,noexec"),
        ("--tmpfs=/workspace:rw,nosuid,nodev,noexec,", "--tmpfs=/workspace:rw,nosuid,nodev,"),  # Docker's own is noexec
        (NETWORK, "--network=container:agp-changed"),
    ], "docker": [
        ("dst=/input,bind-nonrecursive,readonly", "dst=/input,bind-nonrecursive,readonly,noexec"),
        ("src=/var/lib/agp/changed/denied-file,dst=/.dockerenv", "src=/var/lib/agp/other/denied-file,dst=/.dockerenv"),
        ("src=/var/lib/agp/changed/denied-file,dst=/.dockerenv", "src=./denied-file,dst=/.dockerenv"),
        ("--env=PATH=/usr/bin", "--env=PATH=/usr/bin\n--env=PATH=/usr/bin"),
        ("--read-only\n", "--read-only\n--read-only-tmpfs=false\n"),
        (NETWORK, "--network=ns:/run/netns/agp-changed"),
        (NETWORK, NETWORK + "\n--hostname=x"),
    ]}[ENGINE],
]


class Changes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="agp-changes-"))
        record = json.loads(subprocess.run([AGP, "targets", "linux-6.18"], capture_output=True, check=True).stdout)
        (cls.home / "target.json").write_text(json.dumps({**record, "name": "here", "stack": ENGINE}))
        (cls.home / "agp.toml").write_text("")
        (cls.home / "changed.agp").write_text(POLICY)
        cls.out = cls.home / "out"
        done = cls.agp("build", "changed.agp", "-o", "out")
        assert done.returncode == 0, done.stdout + done.stderr
        cls.args = (cls.out / ENGINE / "run.args").read_text()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    @classmethod
    def agp(cls, *words):
        return subprocess.run([AGP, *words, "--target", "target.json"], cwd=cls.home, capture_output=True, text=True, timeout=60, check=False)

    def found(self, text):
        """Codes of what was refuted or refused; that the file is no longer the manifest's is not counted."""
        (self.out / ENGINE / "run.args").write_text(text)
        done = self.agp("verify", "changed.agp", "out", "--format", "concise")
        return set(re.findall(r"AGP500[124]", done.stdout + done.stderr)), done.stdout + done.stderr

    def test_unchanged(self):
        self.assertEqual(self.found(self.args)[0], set())

    def test_each_line_is_needed(self):
        lines = self.args.splitlines(keepends=True)
        for i, line in enumerate(lines):
            codes, text = self.found("".join(lines[:i] + lines[i + 1:]))
            with self.subTest(line.strip()):
                self.assertEqual(bool(codes), line.strip() not in WITHOUT, text)

    def test_changes(self):
        for old, new in CHANGES:
            with self.subTest(new):
                self.assertEqual(self.args.count(old), 1, old)
                codes, text = self.found(self.args.replace(old, new))
                self.assertTrue(codes, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
