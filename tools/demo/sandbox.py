"""Starts a built bundle by the commands of its own manifest, with stand-ins for the world outside.

Nothing here knows how a stack is started: the argument arrays come from manifest.json, and only `{dir}`, `{run}` and `{id}`
are filled in. What a demonstration changes it changes in a copy of the built directory, never in the directory itself.
"""
import contextlib
import copy
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROBE_MOUNT = "/.agp-probe"
# RFC 2544's block for tests of network devices: on no real network.
INSIDE, OUTSIDE = "198.18.0.1", "198.18.0.2"
INSIDE6, OUTSIDE6 = "fd5a:6770::1", "fd5a:6770::2"
SECRETS = {"AWS_SECRET_ACCESS_KEY": "not-for-the-agent", "GITHUB_TOKEN": "not-for-the-agent", "SSH_AUTH_SOCK": "/nowhere"}


class Failed(Exception):
    """Something outside the sandbox went wrong: the demonstration can't say anything."""


def command(*words, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(str(w) for w in words)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def with_probe(config, directory):
    """The one way in which a probed bundle differs from the built one."""
    probed = copy.deepcopy(config)
    probed["process"]["args"] = [PROBE_MOUNT + "/agp-probe", PROBE_MOUNT + "/attempts"]
    probed["mounts"].append({"destination": PROBE_MOUNT, "type": "bind", "source": str(directory),
                             "options": ["bind", "ro", "nosuid", "nodev"]})
    return probed


class World:
    """The namespace outside: every address that an attempt asks for answers there, so that a refusal is the sandbox's."""

    def __init__(self, lines, resolvers, work):
        self.lines, self.resolvers, self.work = lines, resolvers, pathlib.Path(work)
        self.name = f"agp-demo-world-{os.getpid()}"
        self.log = self.work / "questions"

    def plans(self):
        """Endpoints outside, endpoints on the sandbox's own loopback."""
        tcp, udp, knock, answers, local = set(), set(), set(), {}, set()
        for line in self.lines:
            a = line["attempt"]
            if a["kind"] == "connect":
                address = a["address"].removeprefix("::ffff:")
                where = local if address.startswith("127.") or address in ("0.0.0.0", "::1", "::") else None
                if where is not None and line["expected"] != "denied":
                    continue  # something of the sandbox's own answers there
                if where is not None:
                    local.add((a["protocol"], "::1" if ":" in address else "127.0.0.1", a["port"]))
                elif a["protocol"] != "icmp":
                    (tcp if a["protocol"] == "tcp" else udp).add((address, a["port"]))
                else:
                    tcp.add((address, 9))
            if a["kind"] == "connect-name":
                given = answers.setdefault(a["name"], [])
                for key in ("answer", "address"):
                    if key in a and a[key] not in given:
                        given.insert(0 if key == "answer" else len(given), a[key])
            if a["kind"] == "listen":
                knock.add((a["protocol"], INSIDE6 if ":" in a["address"] else INSIDE, a["port"]))
        for line in self.lines:
            a = line["attempt"]
            if a["kind"] == "connect-name":
                (tcp if a["protocol"] == "tcp" else udp).update((x, a["port"]) for x in answers[a["name"]])
        udp -= {(r, 53) for r in self.resolvers}
        outside = {"tcp": sorted(tcp), "udp": sorted(udp), "knock": sorted(knock), "answers": answers,
                   "resolvers": self.resolvers, "log": str(self.log)}
        inside = {"tcp": sorted(x[1:] for x in local if x[0] == "tcp"), "udp": sorted(x[1:] for x in local if x[0] == "udp"),
                  "knock": [], "answers": {}, "resolvers": [], "log": str(self.log)}
        return outside, inside

    @contextlib.contextmanager
    def started(self):
        outside, _ = self.plans()
        command("ip", "netns", "add", self.name)
        try:
            command("ip", "-n", self.name, "link", "set", "lo", "up")
            addresses = {a for a, _ in outside["tcp"] + outside["udp"]} | set(self.resolvers)
            for a in sorted(addresses):
                # an IPv6 address is tentative, and can't be bound, until a kernel worker has had its turn
                command("ip", "-n", self.name, "address", "add", *((a + "/128", "nodad") if ":" in a else (a + "/32",)), "dev", "lo")
            with standins(self.name, outside, self.work / "outside.json"):
                yield self
        finally:
            command("ip", "netns", "del", self.name)

    def join(self, namespace):
        """A cable between the sandbox's namespace and this one; it goes with either of them."""
        command("ip", "link", "add", "agp0", "netns", namespace, "type", "veth", "peer", "name", "agp1", "netns", self.name)
        for name, device, four, six in ((namespace, "agp0", INSIDE, INSIDE6), (self.name, "agp1", OUTSIDE, OUTSIDE6)):
            command("ip", "-n", name, "address", "add", four + "/30", "dev", device)
            command("ip", "-n", name, "address", "add", six + "/64", "dev", device, "nodad")
            command("ip", "-n", name, "link", "set", device, "up")
        command("ip", "-n", namespace, "route", "add", "default", "via", OUTSIDE)
        command("ip", "-n", namespace, "-6", "route", "add", "default", "via", OUTSIDE6)

    def leave(self):
        """Takes the cable away at once: a namespace that is deleted lives on for a moment, and its devices with it."""
        subprocess.run(["ip", "-n", self.name, "link", "del", "agp1"], capture_output=True, check=False)

    def forget(self):
        self.log.write_text("")

    def asked(self):
        """The questions that reached the resolver outside, as (name, type)."""
        if not self.log.exists():
            return set()
        return {(q["name"], q["type"]) for q in map(json.loads, self.log.read_text().splitlines())}


@contextlib.contextmanager
def standins(namespace, plan, file):
    file.write_text(json.dumps(plan))
    process = subprocess.Popen(["ip", "netns", "exec", namespace, "/usr/bin/python3", HERE / "standins.py", file],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            raise Failed(f"the stand-ins in {namespace} did not start")
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Sandbox:
    """One run of a bundle. `change(tree)` edits the copied directory first; `after(namespace)` runs once it is prepared."""

    def __init__(self, built, world, change=None, after=None, commands=None):
        self.built, self.world = pathlib.Path(built), world
        self.change, self.after, self.edit = change, after, commands
        self.process = None
        self.id = f"agp-demo-{os.getpid()}-{time.monotonic_ns() % 1000000000}"

    def fill(self, words):
        for key, value in (("{dir}", self.tree), ("{run}", self.run_dir), ("{id}", self.id)):
            words = [w.replace(key, str(value)) for w in words]
        return words

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        try:
            top = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="agp-demo-")))
            os.chmod(top, 0o755)  # what is bound from here is read by the agent's own user
            self.tree, self.run_dir = top / "built", top / "run"
            shutil.copytree(self.built, self.tree)
            if self.change:
                self.change(self.tree)
            self.commands = json.loads((self.tree / "manifest.json").read_text())["stack"]["commands"]
            if self.edit:
                self.edit(self.commands)
            config = json.loads((self.tree / "oci/config.json").read_text())
            paths = [n.get("path") for n in config["linux"]["namespaces"] if n["type"] == "network"]
            self.cgroup = config["linux"].get("cgroupsPath", "/" + self.id)
            self.namespace = pathlib.Path(paths[0]).name
            if pathlib.Path(paths[0]).exists():
                raise Failed(f"the network namespace {self.namespace} exists already: remove it with 'ip netns del {self.namespace}'"
                             " if nothing uses it")
            self.stack.callback(self.finish)
            for words in self.commands["prepare"]:
                command(*self.fill(words))
            self.world.join(self.namespace)
            if self.after:
                self.after(self)
            _, inside = self.world.plans()
            self.stack.enter_context(standins(self.namespace, inside, top / "inside.json"))
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def finish(self):
        """The manifest's own last commands, each whatever the others said."""
        self.world.leave()
        self.end_run()
        self.finish_commands()

    def finish_commands(self):
        for words in self.commands["finally"]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(self.fill(words), capture_output=True, timeout=60, check=False)

    def run_dir_rootfs(self):
        """The root directory that the run's copy of the bundle names, as `prepare` made it."""
        for config in sorted(self.run_dir.rglob("config.json")):
            root = pathlib.Path(json.loads(config.read_text())["root"]["path"])
            return root if root.is_absolute() else config.parent / root
        raise Failed("prepare made no bundle in the run directory")

    def start(self):
        *first, last = self.commands["run"]
        for words in first:
            command(*self.fill(words))
        self.process = subprocess.Popen(self.fill(last), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={**os.environ, **SECRETS}, start_new_session=True)
        return self.process

    def end_run(self):
        """`finally` comes after the run command has ended: runc's state names processes as its own pid namespace numbers
        them, so only the end of that namespace ends the container. KILL on the whole session is what timeout(1) gives."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()

    def run(self, patience):
        """Exit status and output of the stack's run command; killed with its session when it takes too long."""
        process = self.start()
        try:
            out, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            raise Failed(f"no end within {patience} s") from None
        return process.returncode, out, err

    def processes(self):
        """Everything that is in the container's control groups, by number."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    paths = [g.split(":", 2)[2] for g in (entry / "cgroup").read_text().splitlines()]
                    if any(p == self.cgroup or p.startswith(self.cgroup + "/") for p in paths):
                        found.append(int(entry.name))
        return found
