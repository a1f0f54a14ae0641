"""podman.py AGP ENGINE: the stack `podman` or `docker` by the commands of its manifest. Each attempt that the policy refuses is made in a container with all
capabilities first, with the same programs and files, where it must succeed: a refusal is then the layer's. Docker's daemon is one of this
run's own, without a network; its files are gone with it."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP, ENGINE = sys.argv[1:3]
NAME = f"{ENGINE}-test-{os.getpid()}"   # of the network namespace and the control groups, which are the machine's

POLICY = """agp 1

policy {name} {{
  isolation container ephemeral
  file {{
    allow read, exec "/tools/**"
    allow read, write "/workspace/**"
    allow read "/input/**"
    deny write "/workspace/keep/**"
  }}
  syscall {{ allow @default }}
  env {{ set "PATH" = "/tools" }}
  limit {{
    cpu 1
    memory 128 MiB
    pids 32
    time {time}
    files 256
  }}
  run {{
    command "/tools/busybox", "sh", "/input/{script}"
    user 65534:65534
    mount "{home}/tools" at "/tools" readonly
    mount "{home}/input" at "/input" readonly
    mount tmpfs at "/workspace" writable size 16 MiB
  }}
  accept narrower write "/workspace/keep/**" because "it is a mount point"
  {accept}
}}
"""
# A bind mount of Docker's has no `noexec`.
ACCEPT = {"podman": "", "docker": 'accept wider read "/input/**" because "what is there is text"'}

# id -> (shell text that succeeds or fails, does it succeed under the policy?). All succeed without it.
ATTEMPTS = {
    "read input": ("cat /input/file", True),
    "write work": ("echo x > /workspace/file && cat /workspace/file", True),
    "run a tool": ("/tools/busybox true", True),
    "null device": ("echo x > /dev/null", True),
    "write input": ("echo x > /input/new", False),
    "run from work": ("cp /tools/busybox /workspace/true && chmod 755 /workspace/true && /workspace/true", False),
    "write a refused directory": ("mkdir -p /workspace/keep && echo x > /workspace/keep/x", False),
    "put another directory there": ("mkdir -p /workspace/keep && mv /workspace/keep /workspace/other", False),
    "write the root": ("echo x > /new", False),
    "write below /run": ("mkdir -p /run && echo x > /run/new", False),
    "read the hosts file": ("cat /etc/hosts", False),
    "read the passwd file": ("cat /etc/passwd", False),
    "list terminals": ("ls /dev/pts", False),
    "read the files of /sys": ("cat /sys/kernel/mm/transparent_hugepage/enabled || cat /sys/kernel/uevent_seqnum", False),
    "open a random device": ("head -c 1 /dev/urandom", False),
    "mount": ("mkdir -p /workspace/m && mount -t tmpfs none /workspace/m", False),
    "own namespaces": ("unshare -U true", False),
    "300 open files": ("ulimit -n 300", False),
    "200 MiB": ("dd if=/input/large of=/dev/null bs=200M count=1", False),
    "other networks": ("test $(ls /proc/sys/net/ipv4/conf | grep -cvE '^(all|default|lo)$') != 0", False),
    "many processes": ("for i in $(seq 64); do sleep 60 & p=\"$p $!\"; done; kill $p; set -- $p; test $# = 64", False),
}


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def run(words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, **more)


class Daemon:
    """A dockerd that the whole run shares, and the variable by which its client finds it."""

    def __init__(self, home):
        os.environ["DOCKER_HOST"] = f"unix://{home}/docker.sock"
        with open(home / "log", "w") as log:
            self.process = subprocess.Popen(
                ["dockerd", f"--host={os.environ['DOCKER_HOST']}", f"--data-root={home}/data", f"--exec-root={home}/exec",
                 f"--pidfile={home}/pid", "--storage-driver=vfs", "--exec-opt=native.cgroupdriver=cgroupfs", "--bridge=none",
                 "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"], stdout=log, stderr=log)
        while run(["docker", "version"]).returncode != 0:
            if self.process.poll() is not None:
                self.refused = (home / "log").read_text().splitlines()[-1]
                return
        self.refused = None

    def end(self):
        self.process.terminate()
        self.process.wait(60)


class Containers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix=f"agp-{ENGINE}-"))
        cls.home.chmod(0o755)
        if ENGINE == "docker":
            (cls.home / "daemon").mkdir()
            cls.daemon = Daemon(cls.home / "daemon")
            if cls.daemon.refused:
                cls.tearDownClass()
                raise unittest.SkipTest(f"dockerd does not run here: {cls.daemon.refused}")
        for name in ("tools", "input"):
            (cls.home / name).mkdir(mode=0o755)
        busybox = cls.home / "tools/busybox"
        shutil.copy(shutil.which("busybox"), busybox)
        for applet in run([busybox, "--list"]).stdout.split():
            if applet != "busybox":
                (cls.home / "tools" / applet).symlink_to("busybox")
        (cls.home / "input/file").write_text("x")
        with open(cls.home / "input/large", "wb") as large:
            large.truncate(300 << 20)
        lines = [f"( {text} ) >/dev/null 2>&1 && echo '{name}=yes' || echo '{name}=no'" for name, (text, _) in ATTEMPTS.items()]
        (cls.home / "input/attempts").write_text("\n".join(["echo user=$(id -u):$(id -g)", "echo files=$(ulimit -n)",
                                                           "echo set=$(env | cut -d= -f1 | sort | tr '\\n' ' ')",
                                                           "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status", *lines]) + "\n")
        (cls.home / "input/wait").write_text(f"exec sleep 1000.{os.getpid()}\n")
        record = json.loads(run([AGP, "targets", "linux-6.18"]).stdout)
        record.update(name=f"{ENGINE}-here", stack=ENGINE)
        (cls.home / "target.json").write_text(json.dumps(record))
        (cls.home / "agp.toml").write_text("")

    @classmethod
    def tearDownClass(cls):
        if ENGINE == "docker":
            cls.daemon.end()
        shutil.rmtree(cls.home)

    def build(self, script, time):
        policy = self.home / f"{script}.agp"
        policy.write_text(POLICY.format(name=NAME, accept=ACCEPT[ENGINE], time=time, script=script, home=self.home))
        out = self.home / f"{script}.out"
        done = run([AGP, "build", policy, "--target", self.home / "target.json", "-o", out])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return out

    def start(self, out):
        """The stack's commands in their order: what `run` gave, and what stands where afterwards."""
        stack = json.loads((out / "manifest.json").read_text())["stack"]
        self.assertEqual(stack["name"], ENGINE)
        values = {"{dir}": str(out), "{run}": str(self.home / "run"), "{id}": f"agp-{os.getpid()}"}

        def filled(command):
            for mark, value in values.items():
                command = [word.replace(mark, value) for word in command]
            return command

        try:
            for command in stack["commands"]["prepare"]:
                done = run(filled(command))
                self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
            done = run(filled(stack["commands"]["run"][0]))
        finally:
            for command in stack["commands"]["finally"]:
                run(filled(command))
        self.assertFalse((self.home / "run").exists())
        self.assertEqual(list(pathlib.Path("/sys/fs/cgroup").glob(f"**/agp-{NAME}")), [])
        self.assertFalse(pathlib.Path("/run/netns", f"agp-{NAME}").exists())
        self.assertFalse(pathlib.Path("/var/lib/agp", NAME).exists())
        if ENGINE == "docker":
            self.assertEqual(run(["docker", "ps", "--all", "--quiet"]).stdout, "")
        return done

    @staticmethod
    def results(text):
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def without(self):
        """The same attempts by a root with all capabilities, whose directories are writable and executable."""
        words = [f"--volume={self.home}/{name}:/{name}" for name in ("tools", "input", "workspace")] + ["--user=0:0"]
        script = ["/tools/busybox", "sh", "/input/attempts"]
        if ENGINE == "docker":
            run(["tar", "-cf", self.home / "root.tar", "--files-from=/dev/null"])
            self.assertEqual(run(["docker", "import", self.home / "root.tar", "loose"]).returncode, 0)
            (self.home / "workspace").mkdir()
            return run(["docker", "run", "--rm", "--privileged", "--network=host", "--env=PATH=/tools", *words, "loose", *script])
        storage = self.home / "loose"
        podman = ["env", "CONTAINERS_CONF=/dev/null", "podman", "--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none",
                  "--storage-driver=vfs", f"--root={storage}/storage", f"--runroot={storage}/state", f"--tmpdir={storage}/tmp"]
        root = self.home / "root"
        root.mkdir()
        (self.home / "workspace").mkdir()
        tools = words[0]
        limits = ["--ulimit=nproc=32768:32768", "--ulimit=nofile=4096:4096"]  # Podman's own may be above this process's
        try:
            plainest = run([*podman, "run", "--rm", "--network=host", *limits, tools, "--rootfs", root, "/tools/busybox",
                             "true"])
            if plainest.returncode != 0:
                self.skipTest(f"Podman starts no container here: {plainest.stderr.strip()}")
            return run([*podman, "run", "--rm", "--cap-add=ALL",
                        "--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL", "--network=host", *limits,
                        "--env=PATH=/tools", *words, "--rootfs", root, *script])
        finally:
            shutil.rmtree(storage, ignore_errors=True)
            (self.home / "input/new").unlink(missing_ok=True)

    def test_attempts(self):
        loose = self.without()
        before = self.results(loose.stdout)
        impossible = [name for name in ATTEMPTS if before.get(name) != "yes"]
        for name in impossible:
            print(f"skipped `{name}`: this kernel refuses it without the layer too")
        self.assertLessEqual(len(impossible), 3, loose.stdout + loose.stderr)
        done = self.start(self.build("attempts", "60 s"))
        after = self.results(done.stdout)
        for name, (_, permitted) in ATTEMPTS.items():
            if name not in impossible:
                with self.subTest(name):
                    self.assertEqual(after.get(name), "yes" if permitted else "no", done.stdout + done.stderr)
        self.assertEqual((after["user"], after["files"]), ("65534:65534", "256"))
        self.assertLessEqual(set(after["set"].split()), {"HOME", "HOSTNAME", "PATH", "PWD", "SHLVL", "TERM", "container"})
        status = dict(line.split(":\t") for line in done.stdout.splitlines() if ":\t" in line)
        self.assertEqual((int(status["CapBnd"], 16), status["NoNewPrivs"], status["Seccomp"]), (0, "1", "2"))

    def test_the_time_ends_every_process(self):
        done = self.start(self.build("wait", "5 s"))
        self.assertIn(done.returncode, (137, -9), done.stderr)
        alive = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if f"1000.{os.getpid()}".encode() in (p.read_bytes() if p.exists() else b"")]
        self.assertEqual(alive, [])


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("needs root, for a network namespace and a container")
    for program in (*{"podman": ["podman"], "docker": ["dockerd", "docker", "containerd"]}[ENGINE], "runc", "busybox", "nft", "ip"):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    outcome = unittest.main(argv=sys.argv[:1], exit=False).result
    for _, reason in outcome.skipped:
        print(f"skipped: {reason}")
    sys.exit(1 if not outcome.wasSuccessful() else 77 if outcome.skipped else 0)
