"""Two network namespaces and a link between them, for tests of packet and name rules.

`box` stands for the sandbox (10.9.0.2, fd09::2): the ruleset under test is loaded there and attempts are made in it as
an unprivileged user. `peer` stands for everything else: it answers on every address and every port (tcp, udp, icmp), so
that an attempt which no rule stops succeeds."""
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = 65534
SKIP = 77


def run(*command, check=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIP)


def need(*programs, user=None):
    """Ends the test as skipped, with the reason, where this machine can't run it."""
    from shutil import which
    for program in programs:
        if not which(program):
            skip(f"`{program}` is not installed")
    if os.geteuid() != 0:
        skip("not root: network namespaces can't be made")
    if run("unshare", "-n", "nft", "list", "ruleset", check=False).returncode:
        skip("nft does not work in a new network namespace here")
    if user:
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            skip(f"there is no user `{user}`")


def artifacts(program, uid, drawn=0):
    """The directory with the artifacts of the test policies, `drawn` of them random (AGP_SEED, AGP_COUNT)."""
    out = tempfile.TemporaryDirectory(prefix="agp-net-")
    seed, count = os.environ.get("AGP_SEED", "1"), int(os.environ.get("AGP_COUNT", drawn)) if drawn else 0
    if count:
        print(f"{count} random policies, seed {seed}")
    run(program, out.name, str(uid), seed, str(count))
    return out


class World:
    def __init__(self):
        self.box, self.peer = f"agpt{os.getpid()}b", f"agpt{os.getpid()}p"
        self.children, self.agents = [], {}
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))   # and not without cleaning up

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.wait()
        for name in (self.box, self.peer):
            run("ip", "netns", "del", name, check=False)

    def make(self):
        for name in (self.box, self.peer):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.box, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.peer)
        for name, hosts in ((self.box, ["2"]), (self.peer, ["1", "3", "4"])):
            run("ip", "-n", name, "link", "set", "eth0", "up")
            for host in hosts:
                run("ip", "-n", name, "addr", "add", f"10.9.0.{host}/24", "dev", "eth0")
                run("ip", "-n", name, "addr", "add", f"fd09::{host}/64", "dev", "eth0", "nodad")
        run("ip", "-n", self.box, "route", "add", "default", "via", "10.9.0.1")
        run("ip", "-n", self.box, "-6", "route", "add", "default", "via", "fd09::1")
        # every address is the peer's own, and every port one server's
        run("ip", "-n", self.peer, "route", "add", "local", "default", "dev", "lo", "table", "main")
        run("ip", "-n", self.peer, "-6", "route", "add", "local", "default", "dev", "lo", "table", "main")
        run("ip", "netns", "exec", self.peer, "nft", "-f", "-", input="""
            table inet nat {
              chain pre {
                type nat hook prerouting priority dstnat
                meta l4proto { tcp, udp } redirect to :7
              }
            }""")
        self.ready(self.start(self.peer, "traffic.py", "serve", "7"))
        # the kernel sends a remote peer few ICMP errors a second: the test asks more often
        run("ip", "netns", "exec", self.box, "sysctl", "-q", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        run("ip", "netns", "exec", self.box, "sysctl", "-q", "net.ipv4.ping_group_range=0 2147483647")
        run("ip", "netns", "exec", self.peer, "sysctl", "-q", "net.ipv4.ping_group_range=0 2147483647")

    def start(self, name, script, *arguments, before=(), cgroup=None):
        """A Python program of this folder, in a namespace; its standard input and output are pipes. `cgroup`: a
        directory of cgroup2 that it starts in."""
        program = [sys.executable, os.path.join(HERE, script), *arguments]
        into = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup] if cgroup else []
        child = subprocess.Popen([*into, "ip", "netns", "exec", name, *before, *program], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        return child

    @staticmethod
    def ready(child):
        line = child.stdout.readline()
        if line != "ready\n":
            sys.exit(f"a server did not start: {line!r}")

    def load(self, path):
        form = ["-j"] if path.endswith(".json") else []
        return run("ip", "netns", "exec", self.box, "nft", *form, "-f", path, check=False)

    def clear(self):
        run("ip", "netns", "exec", self.box, "nft", "flush", "ruleset")

    def agent(self, script, argument, value, name=None, uid=AGENT, cgroup=None):
        """Asks a program of this folder that runs as the agent's user: a line of JSON in, a line of JSON out."""
        name = name or self.box
        key = name, script, uid, cgroup
        if key not in self.agents:
            user = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
            self.agents[key] = self.start(name, script, argument, before=user, cgroup=cgroup)
        child = self.agents[key]
        print(json.dumps(value), file=child.stdin, flush=True)
        return json.loads(child.stdout.readline())

    def attempt(self, attempts, name=None, **who):
        """Makes the attempts; the answers in order: `ok`, the name of an errno, `timeout`, `closed`."""
        return self.agent("traffic.py", "attempt", attempts, name, **who)


class Report:
    """Counts what was expected and what was not; the last line is the test's answer."""

    def __init__(self):
        self.good = self.bad = 0

    def expect(self, condition, text):
        if condition:
            self.good += 1
        else:
            self.bad += 1
            print(f"FAIL: {text}")

    def finish(self):
        print(f"{self.good} as expected, {self.bad} not")
        sys.exit(1 if self.bad or not self.good else 0)
