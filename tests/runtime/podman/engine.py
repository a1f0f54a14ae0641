"""engine.py AGP podman | engine.py AGP docker FOLDER: the stack by the commands of its manifest. Each attempt that the policy
refuses is made in a container without the layer first, with the same programs and files, where it must succeed: a
refusal is then the layer's. FOLDER (in the build tree) keeps Debian's Docker, which runs in namespaces of this test's own."""
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import unittest

import dockerd

AGP, ENGINE = sys.argv[1:3]
MARK = secrets.randbelow(10 ** 8)
NAME = f"{ENGINE}-test-{MARK}"   # of the network namespace and the control groups, which are the machine's

POLICY = """agp 1

policy {name} {{
  isolation container ephemeral
  file {{
    allow read, exec "/tools/**"
    allow read, write "/workspace/**"
    allow read "/input/**"
    deny write "/workspace/keep/**"
    allow read, write "/dev/shm/**"
    allow read, write, exec "/host/**"
  }}
  net {{
    allow connect tcp api.internal:443 within 10.0.0.0/8
    resolver 10.0.0.53
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
    mount tmpfs at "/dev/shm" writable size 1 MiB
    mount "{home}/host" at "/host" writable
  }}
  accept narrower write "/workspace/keep/**" because "it is a mount point"
  {accept}
}}
"""

ACCEPT = {"podman": "", "docker": 'accept wider read "/input/**" because "a bind mount of Docker has no noexec"'}
OWN_FILE = {"podman": "/run/.containerenv", "docker": "/.dockerenv"}[ENGINE]
VARIABLES = {"HOME", "HOSTNAME", "PATH", "PWD", "SHLVL"} | {"podman": {"TERM", "container"}, "docker": set()}[ENGINE]

# id -> (shell text that succeeds or fails, does it succeed under the policy?). All succeed without it.
ATTEMPTS = {
    "read input": ("cat /input/file", True),
    "write work": ("echo x > /workspace/file && cat /workspace/file", True),
    "run a tool": ("/tools/busybox true", True),
    "write shared memory": ("echo x > /dev/shm/file", True),
    "run from the host": ("cp /tools/busybox /host/true && /host/true", True),
    "the generated resolver": ("grep 127.0.0.53 /etc/resolv.conf || test -d /workspace/loose", True),
    "null device": ("echo x > /dev/null", True),
    "write input": ("echo x > /input/new", False),
    "run from work": ("cp /tools/busybox /workspace/true && chmod 755 /workspace/true && /workspace/true", False),
    "run from input": ("/input/true", ENGINE == "docker"),
    "write a refused directory": ("mkdir -p /workspace/keep && echo x > /workspace/keep/x", False),
    "put another directory there": ("mkdir -p /workspace/keep && mv /workspace/keep /workspace/other", False),
    "write the root": ("echo x > /new", False),
    "write below /run": ("mkdir -p /run && echo x > /run/new", False),
    "read the mark": (f"cat {OWN_FILE}", False),
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


class Engine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # in the test's own /run, which is gone with it
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix=f"agp-{ENGINE}-", dir="/run" if ENGINE == "docker" else None))
        cls.home.chmod(0o755)
        for name in ("tools", "input", "host"):
            (cls.home / name).mkdir(mode=0o755)
        os.chown(cls.home / "host", 65534, 65534)
        busybox = cls.home / "tools/busybox"
        shutil.copy(shutil.which("busybox"), busybox)
        for applet in run([busybox, "--list"]).stdout.split():
            if applet != "busybox":
                (cls.home / "tools" / applet).symlink_to("busybox")
        (cls.home / "input/file").write_text("x")
        shutil.copy(busybox, cls.home / "input/true")
        with open(cls.home / "input/large", "wb") as large:
            large.truncate(300 << 20)
        lines = [f"( {text} ) >/dev/null 2>&1 && echo '{name}=yes' || echo '{name}=no'" for name, (text, _) in ATTEMPTS.items()]
        (cls.home / "input/attempts").write_text("\n".join(["echo user=$(id -u):$(id -g)", "echo files=$(ulimit -n)",
                                                           "echo network=$(readlink /proc/self/ns/net)",
                                                           "echo set=$(env | cut -d= -f1 | sort | tr '\\n' ' ')",
                                                           "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status", *lines]) + "\n")
        (cls.home / "input/wait").write_text(f"exec sleep 1000.{MARK}\n")
        record = json.loads(run([AGP, "targets", "linux-6.18"]).stdout)
        record.update(name=f"{ENGINE}-here", stack=ENGINE)
        (cls.home / "target.json").write_text(json.dumps(record))
        (cls.home / "agp.toml").write_text("")
        if ENGINE == "docker":
            (cls.home / "daemon").mkdir()
            cls.daemon = dockerd.Daemon(cls.home / "daemon", NAME)
            if cls.daemon.refused:
                raise unittest.SkipTest(f"dockerd does not run here: {cls.daemon.refused}")
            run(["tar", "-cf", cls.home / "root.tar", "--files-from=/dev/null"])
            run(["docker", "import", cls.home / "root.tar", "loose"])

    @classmethod
    def tearDownClass(cls):
        if ENGINE == "docker":
            cls.daemon.end()   # its files are gone with the test's /run
        else:
            shutil.rmtree(cls.home)

    def build(self, script, time):
        policy = self.home / f"{script}.agp"
        policy.write_text(POLICY.format(name=NAME, accept=ACCEPT[ENGINE], time=time, script=script, home=self.home))
        out = self.home / f"{script}.out"
        done = run([AGP, "build", policy, "--target", self.home / "target.json", "-o", out])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return out

    def start(self, out):
        """The stack's commands in their order: what `run` gave, its network, and what stands where afterwards."""
        stack = json.loads((out / "manifest.json").read_text())["stack"]
        self.assertEqual(stack["name"], ENGINE)
        values = {"{dir}": str(out), "{run}": str(self.home / "run"), "{id}": f"agp-{MARK}"}

        def filled(command):
            for mark, value in values.items():
                command = [word.replace(mark, value) for word in command]
            return command

        try:
            for command in stack["commands"]["prepare"]:
                done = run(filled(command))
                self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
            done = run(filled(stack["commands"]["run"][0]))
            done.network = f"net:[{os.stat(f'/run/netns/agp-{NAME}').st_ino}]"
            done.left = run(["docker", "ps", "--quiet", f"--filter=name=agp-{MARK}"]).stdout if ENGINE == "docker" else ""
        finally:
            for command in stack["commands"]["finally"]:
                run(filled(command))
        self.assertFalse((self.home / "run").exists())
        self.assertEqual(list(pathlib.Path("/sys/fs/cgroup").glob(f"**/agp-{NAME}")), [])
        self.assertFalse(pathlib.Path("/run/netns", f"agp-{NAME}").exists())
        self.assertFalse(pathlib.Path("/var/lib/agp", NAME).exists())
        if ENGINE == "docker":
            left = run(["docker", "ps", "--all", "--quiet"]).stdout + run(["docker", "images", "--quiet", "localhost/agp-root"]).stdout
            self.assertEqual(left, "")
        return done

    @staticmethod
    def results(text):
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def without(self):
        """The same attempts by a root with the capabilities that they need, whose directories are writable and executable."""
        (self.home / "workspace/loose").mkdir(parents=True)
        volumes = [f"--volume={self.home}/{name}:/{name}" for name in ("tools", "input", "host", "workspace")]
        words = [*volumes, "--network=host", "--env=PATH=/tools", "--user=0:0"]
        script = ["/tools/busybox", "sh", "/input/attempts"]
        try:
            return self.without_podman(words, script) if ENGINE == "podman" else self.without_docker(words, script)
        finally:
            for made in ("input/new", "host/true"):
                (self.home / made).unlink(missing_ok=True)

    def without_docker(self, words, script):
        unconfined = [f"--security-opt={layer}=unconfined" for layer in ("seccomp", "apparmor", "systempaths")]
        return run(["docker", "run", "--rm", "--cap-add=CAP_SYS_ADMIN", *unconfined, *words, "loose", *script])

    def without_podman(self, words, script):
        storage = self.home / "loose"
        podman = ["env", "CONTAINERS_CONF=/dev/null", "podman", "--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none",
                  "--storage-driver=vfs", f"--root={storage}/storage", f"--runroot={storage}/state", f"--tmpdir={storage}/tmp"]
        root = self.home / "root"
        root.mkdir()
        limits = ["--ulimit=nproc=32768:32768", "--ulimit=nofile=4096:4096"]  # Podman's own may be above this process's
        try:
            plainest = run([*podman, "run", "--rm", "--network=host", *limits, words[0], "--rootfs", root, "/tools/busybox",
                             "true"])
            if plainest.returncode != 0:
                self.skipTest(f"Podman starts no container here: {plainest.stderr.strip()}")
            return run([*podman, "run", "--rm", "--cap-add=ALL", "--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL",
                        *limits, *words, "--rootfs", root, *script])
        finally:
            shutil.rmtree(storage, ignore_errors=True)

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
        self.assertEqual((after["user"], after["files"], after["network"]), ("65534:65534", "256", done.network))
        self.assertLessEqual(set(after["set"].split()), VARIABLES)
        status = dict(line.split(":\t") for line in done.stdout.splitlines() if ":\t" in line)
        self.assertEqual((int(status["CapBnd"], 16), status["NoNewPrivs"], status["Seccomp"]), (0, "1", "2"))

    def test_the_time_ends_every_process(self):
        done = self.start(self.build("wait", "5 s"))
        self.assertIn(done.returncode, (137, -9), done.stderr)
        if ENGINE == "docker":
            self.assertNotEqual(done.left, "")   # it goes on without its client: it is `finally` that ends it
        alive = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if f"1000.{MARK}".encode() in (p.read_bytes() if p.exists() else b"")]
        self.assertEqual(alive, [])

    if ENGINE == "docker":
        def docker(self, *words, script="cat /.dockerenv /proc/self/status /proc/self/mountinfo", config="none"):
            """A container of the empty image, with these words beside those that it needs to start."""
            return run(["docker", f"--config={self.home}/{config}", "run", "--rm", "--pull=never", "--read-only", "--ipc=none",
                        f"--volume={self.home}/tools:/tools:ro", "--env=PATH=/tools", *words, "loose", "/tools/busybox", "sh", "-c", script])

        def test_what_its_words_mean(self):
            """Where they mean something else than Podman's (docs/decisions/0018)."""
            (self.home / "dev").mkdir()
            (self.home / "dev/null").touch()
            done = self.docker("--network=none", "--user=65534:65534", "--cap-drop=ALL", "--cap-add=CAP_NET_RAW", "--tmpfs=/silent:rw",
                               "--tmpfs=/loud:rw,exec", "--tmpfs=/sys:ro", f"--mount=type=bind,src={self.home}/dev,dst=/dev,readonly",
                               "--mount=type=bind,src=/dev/null,dst=/dev/null")
            self.assertEqual(done.returncode, 0, done.stderr)   # /.dockerenv is there too
            status = dict(line.split(":\t") for line in done.stdout.splitlines() if line.startswith("Cap"))
            self.assertEqual([int(status[f"Cap{name}"], 16) for name in ("Bnd", "Prm", "Eff", "Inh", "Amb")], [1 << 13, 0, 0, 0, 0])
            lines = [line.split() for line in done.stdout.splitlines() if " - " in line]
            mounts = {line[4]: line[5].split(",") for line in lines}
            self.assertIn("noexec", mounts["/silent"])
            self.assertNotIn("noexec", mounts["/loud"])
            self.assertEqual({"nosuid", "nodev", "noexec"} & set(mounts["/dev"]), set())
            order = [line[4] for line in lines]
            self.assertGreater(order.index("/sys"), order.index("/sys/fs/cgroup"))
            self.assertEqual([at for at in order if at.startswith("/dev/")], ["/dev/null"])
            ask = "cat /sys/fs/cgroup/pids.max || cat /sys/fs/cgroup/pids/pids.max"
            self.assertEqual(self.docker("--network=none", "--cgroupns=private", script=ask).stdout, "max\n")

        def test_what_it_refuses(self):
            bind = f"--mount=type=bind,src={self.home}/input,dst=/x"
            self.assertEqual(self.docker("--network=none", bind, "--memory=6291456b").returncode, 0)
            for words in (["--network=none", "--read-only-tmpfs=false"], ["--network=ns:/proc/self/ns/net"],
                          ["--network=container:x", "--hostname=y"], ["--network=none", f"{bind},noexec"], ["--network=none", f"{bind},nodev"],
                          ["--network=none", "--mount=type=bind,src=./input,dst=/x"], ["--network=none", "--tmpfs=/:rw"],
                          ["--network=none", "--memory=6291455b"]):
                with self.subTest(words[-1]):
                    self.assertEqual(self.docker(*words).returncode, 125)

        def test_the_clients_configuration(self):
            """It names variables for every container: the stack's client has none."""
            (self.home / "caller").mkdir()
            (self.home / "caller/config.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": "http://10.0.0.1"}}}))
            self.assertIn("HTTP_PROXY=", self.docker("--network=none", script="env", config="caller").stdout)
            self.assertNotIn("HTTP_PROXY=", self.docker("--network=none", script="env").stdout)


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("needs root, for a network namespace and a container")
    for program in ("runc", "busybox", "nft", "ip", "dnsmasq", *(["podman"] if ENGINE == "podman" else [])):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    if ENGINE == "docker":
        try:
            dockerd.enter(pathlib.Path(sys.argv[3]))
        except dockerd.debian.Unavailable as why:
            skip(f"no Docker here: {why}")
    outcome = unittest.main(argv=sys.argv[:1], exit=False).result
    for _, reason in outcome.skipped:
        print(f"skipped: {reason}")
    sys.exit(1 if not outcome.wasSuccessful() else 77 if outcome.skipped else 0)
