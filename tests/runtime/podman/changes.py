"""changes.py AGP ENGINE: arguments of `podman run` or `docker run` that somebody changed. Each change that permits or takes away
something is refuted or refused by `agp verify`, and what means the same is not. Needs no engine."""
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
"""
PODMAN = ENGINE == "podman"
ACCEPT = "" if PODMAN else 'accept wider read "/input/**" because "a bind mount of Docker has no noexec"'
NETWORK = "--network=" + ("ns:/run/netns/agp-changed" if PODMAN else "container:agp-changed")
OWN = "./" if PODMAN else "/var/lib/agp/changed/"   # what `prepare` makes
DEV = ",nosuid,nodev,noexec" if PODMAN else ""      # flags of the mount at /dev
IMAGE = "localhost/agp-root:" + ("latest" if PODMAN else "changed")
# Without these lines the container is the same, or another one that the policy permits as well.
WITHOUT = {"--hostname=changed", "--ulimit=core=0:0", "--workdir=/", "--ulimit=nproc=32768:32768", "--cpu-period=100000",
           "--mount=type=bind,src=/dev/null,dst=/dev/null,bind-nonrecursive" + (",nosuid,noexec" if PODMAN else "")}
# What the engines read differently (docs/decisions/0018): the other's word, and what the same word means here.
OF_PODMAN = [
    ("--read-only-tmpfs=false\n", ""),
    ("dst=/usr/bin,bind-nonrecursive,readonly,nosuid,nodev", "dst=/usr/bin,bind-nonrecursive,readonly,nosuid,nodev,noexec"),
    ("dst=/input,bind-nonrecursive,readonly,nosuid,", "dst=/input,bind-nonrecursive,readonly,"),
    ("dst=/input,bind-nonrecursive,readonly,nosuid,nodev,noexec", "dst=/input,bind-nonrecursive,readonly,nosuid,nodev"),
    ("--tmpfs=/workspace:rw,nosuid,nodev,noexec,", "--tmpfs=/workspace:rw,nosuid,nodev,"),     # is exec
    (NETWORK, "--network=container:agp-changed"),
    (IMAGE, "localhost/agp-root:changed"),                                                       # of Docker's daemon
]
OF_DOCKER = [
    ("--read-only\n", "--read-only\n--read-only-tmpfs=false\n"),                                # no option
    (NETWORK, NETWORK + "\n--hostname=changed"),                                                 # refused beside it
    (NETWORK, "--network=ns:/run/netns/agp-changed"),                                            # no network
    (NETWORK, "--network=container:changed"),                                                    # another one
    ("--pids-limit=32\n", ""),                                                                   # no bound, where Podman has 2048
    ("dst=/input,bind-nonrecursive,readonly", "dst=/input,bind-nonrecursive,readonly,nosuid,nodev,noexec"),   # no words
    ("--tmpfs=/workspace:rw,nosuid,nodev,noexec,", "--tmpfs=/workspace:rw,nosuid,nodev,exec,"),  # is noexec without it
    ("--cap-drop=ALL\n", ""),                                                                    # also CAP_NET_RAW, CAP_MKNOD
    ("--cap-drop=ALL", "--cap-drop=ALL\n--cap-add=CAP_MKNOD"),                                   # no mount has nodev
    (f"--mount=type=bind,src={OWN}denied-file,dst=/.dockerenv,bind-nonrecursive,readonly\n", ""),
    ("--tmpfs=/sys:ro,nosuid,nodev,noexec,size=4096,mode=0555\n", ""),
    (f"src={OWN}denied-file,dst=/.dockerenv", "src=/var/lib/agp/other/denied-file,dst=/.dockerenv"),
    (f"src={OWN}denied-file,dst=/.dockerenv", "src=./denied-file,dst=/.dockerenv"),              # no absolute path
    (IMAGE, "localhost/agp-root:latest"), (IMAGE, "localhost/agp-root:other"), (IMAGE, "localhost/agp-root:"),
]
# Here the words differ and the container is the same.
SAME = [] if PODMAN else [("--tmpfs=/workspace:rw,nosuid,nodev,noexec,", "--tmpfs=/workspace:rw,nosuid,nodev,")]
# (old, new): one value or word that makes another container.
CHANGES = [
    *(OF_PODMAN if PODMAN else OF_DOCKER),
    (NETWORK, "--network=host"),
    (NETWORK, "--network=none"),
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
    ("--tmpfs=/workspace:rw,nosuid,nodev,noexec,", "--tmpfs=/workspace:rw,nosuid,nodev,noexec,exec,"),
    ("--tmpfs=/workspace:rw,nosuid,", "--tmpfs=/workspace:rw,"),
    ("--tmpfs=/workspace:rw,", "--tmpfs=/workspace:ro,"),
    ("size=16777216", "size=16777217"),
    ("mode=0777", "mode=0755"),
    (IMAGE, "docker.io/library/debian:12"),
    (f"{IMAGE}\n/usr/bin/true", f"{IMAGE}\n/usr/bin/false"),
    ("--read-only\n", "--read-only=false\n"),
    ("--pull=never", "--pull=always"),
    ("/usr/bin/true\n--user=0:0\n", "/usr/bin/true\n--user=0:0"),
    ("src=/usr/bin,dst=/usr/bin", f"src={OWN}dev,dst=/usr/bin"),
    (f"src={OWN}dev,dst=/dev", f"src={OWN}denied-directory,dst=/dev"),
    (f"--mount=type=bind,src={OWN}dev,dst=/dev,bind-nonrecursive,readonly{DEV}", "--tmpfs=/dev:rw,nosuid,nodev"),
    ("--env=PATH=/usr/bin", "--env=PATH=/usr/bin\n--env=PATH=/workspace"),
    (f"--mount=type=bind,src={OWN}denied-file,dst=/etc/hosts", "--mount=type=bind,src=/etc/hosts,dst=/etc/hosts"),
]


class Changes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="agp-changes-"))
        record = json.loads(subprocess.run([AGP, "targets", "linux-6.18"], capture_output=True, check=True).stdout)
        (cls.home / "target.json").write_text(json.dumps({**record, "name": "here", "stack": ENGINE}))
        (cls.home / "agp.toml").write_text("")
        (cls.home / "changed.agp").write_text(POLICY.replace("ACCEPT", ACCEPT))
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

    def test_the_same_in_other_words(self):
        for old, new in SAME:
            with self.subTest(new):
                self.assertEqual(self.args.count(old), 1, old)
                self.assertEqual(self.found(self.args.replace(old, new))[0], set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
