"""`attach.py PROGRAM`: the table among the host's packets. Real IPv4 and IPv6 traffic by user, by cgroup and by
interface, against the model's decisions.

Every attempt is first made without the table and must succeed. With it, the agent's attempts are decided as the policy
says, and the same attempts of somebody else in the same network namespace still succeed: the host is not cut off. What
the forms leave open is tried too, so that what `agp check` says about them is what happens."""
import contextlib
import json
import os
import sys
import tempfile

from traffic import REFUSED
from world import AGENT, Report, World, artifacts, need, run, skip

OTHER = 65533
PORTS = [str(p) for p in (8079, 8080, 8081, 8082, 9000, 9001)]


class Host(World):
    """`box` is the host; behind its interface tap0 is a guest (10.8.0.2, fd08::2), and `peer` is everything else."""

    def make(self):
        super().make()
        self.guest = f"agpt{os.getpid()}g"
        run("ip", "netns", "add", self.guest)
        run("ip", "-n", self.guest, "link", "set", "lo", "up")
        run("ip", "-n", self.box, "link", "add", "tap0", "type", "veth", "peer", "name", "eth0", "netns", self.guest)
        for name, device, host in ((self.box, "tap0", 1), (self.guest, "eth0", 2)):
            run("ip", "-n", name, "link", "set", device, "up")
            run("ip", "-n", name, "addr", "add", f"10.8.0.{host}/24", "dev", device)
            run("ip", "-n", name, "addr", "add", f"fd08::{host}/64", "dev", device, "nodad")
        run("ip", "-n", self.guest, "route", "add", "default", "via", "10.8.0.1")
        run("ip", "-n", self.guest, "-6", "route", "add", "default", "via", "fd08::1")
        run("ip", "netns", "exec", self.box, "sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        run("ip", "-n", self.peer, "route", "add", "10.8.0.0/24", "via", "10.9.0.2")
        run("ip", "-n", self.peer, "-6", "route", "add", "fd08::/64", "via", "fd09::2")
        run("ip", "netns", "exec", self.guest, "sysctl", "-q", "net.ipv4.ping_group_range=0 2147483647")

    def __exit__(self, *ended):
        super().__exit__(*ended)
        run("ip", "netns", "del", getattr(self, "guest", "none"), check=False)

    def load_in_cgroups(self, path):
        """nft resolves a cgroup's path under /sys/fs/cgroup; `ip netns exec` would hide that."""
        return run("unshare", "-m", "--propagation", "private", "sh", "-c",
                   'mount -t cgroup2 none /sys/fs/cgroup && exec nsenter --net="/run/netns/$0" nft -f "$1"', self.box,
                   path, check=False)


@contextlib.contextmanager
def cgroups(report):
    """Own cgroups: the agent's, one beneath it, and one beside it."""
    mounts = [line.split() for line in open("/proc/self/mounts")]
    root = next((m[1] for m in mounts if m[2] == "cgroup2"), None)
    own = None
    if not root:
        own = root = tempfile.mkdtemp(prefix="agp-cgroup-")
        if run("mount", "-t", "cgroup2", "none", root, check=False).returncode:
            os.rmdir(root)
            skip("cgroup2 can't be mounted")
    top = f"agpt{os.getpid()}"
    made = [os.path.join(root, top, *rest) for rest in ([], ["agent"], ["agent", "below"], ["beside"])]
    try:
        for directory in made:
            os.mkdir(directory)
        yield top, made[1], made[2], made[3]
    finally:
        for directory in reversed(made):
            try:
                os.rmdir(directory)
            except OSError as e:
                report.expect(False, f"the cgroup {directory} stays: {e}")
        if own:
            run("umount", own)
            os.rmdir(own)


def decided(report, form, attempts, answers):
    for a, answer in zip(attempts, answers):
        wanted = {"ok"} if a["permitted"] else REFUSED
        report.expect(answer in wanted, f"{form}: {a['what']}: {answer}, permitted: {a['permitted']}")


def all_pass(report, what, attempts, answers):
    for a, answer in zip(attempts, answers):
        report.expect(answer == "ok", f"{what}: {a['what']}: {answer}")


def split(directory, name):
    attempts = json.load(open(os.path.join(directory, name, "attempts.json")))
    print(f"{name}: {len(attempts)} attempts, {sum(a['permitted'] for a in attempts)} of them permitted")
    return [[a for a in attempts if a["direction"] == d] for d in ("connect", "listen")]


def loaded(report, what, done):
    report.expect(done.returncode == 0, f"{what}: {done.stderr}")


def by_user(world, report, directory):
    out, _ = split(directory, "by-user")
    world.clear()
    all_pass(report, "by user, without the table", out, world.attempt(out))
    for form in ("nft", "json"):
        world.clear()
        loaded(report, f"by user: {form}", world.load(os.path.join(directory, "by-user", "nftables", "egress." + form)))
        decided(report, f"by user: {form}", out, world.attempt(out))
        all_pass(report, f"by user: {form}: another user", out, world.attempt(out, uid=OTHER))
    mptcp = [{"protocol": "mptcp", "address": a, "port": p} for a in ("10.0.1.50", "8.8.8.8") for p in (443,)]
    answers = world.attempt(mptcp)
    report.expect(answers[0] == "ok" and answers[1] in REFUSED, f"by user: MPTCP: {answers}")
    # what the form leaves open, and says so: whoever comes in
    server = world.start(world.box, "traffic.py", "serve", "7070",
                         before=["setpriv", "--reuid", str(AGENT), "--clear-groups", "--regid", str(AGENT)])
    world.ready(server)
    come = [{"protocol": p, "address": "10.9.0.2", "port": 7070, "what": f"{p} in"} for p in ("tcp", "udp")]
    all_pass(report, "by user: what comes in is not decided", come, world.attempt(come, world.peer))


def by_cgroup(world, report, directory, groups):
    top, agent, below, beside = groups
    out, into = split(directory, "by-cgroup")
    script = open(os.path.join(directory, "by-cgroup", "nftables", "egress.nft")).read()
    report.expect(not os.path.exists(os.path.join(directory, "by-cgroup", "nftables", "egress.json")),
                  "by cgroup: libnftables' JSON has no level")
    path = os.path.join(directory, "by-cgroup", "here.nft")
    with open(path, "w") as f:
        f.write(script.replace('"agp-test/agent"', f'"{top}/agent"'))
    for where, name in ((agent, "the agent's"), (below, "one beneath it")):
        server = world.start(world.box, "traffic.py", "serve", *PORTS, cgroup=where)
        world.ready(server)
        world.clear()
        all_pass(report, "by cgroup, without the table", out, world.attempt(out, cgroup=where))
        all_pass(report, "by cgroup, without the table", into, world.attempt(into, world.peer))
        loaded(report, "by cgroup", world.load_in_cgroups(path))
        decided(report, f"by cgroup: in {name}", out, world.attempt(out, cgroup=where))
        decided(report, f"by cgroup: in {name}", into, world.attempt(into, world.peer))
        server.kill()
        server.wait()
    broadcasts(world, report, agent, beside)
    world.ready(world.start(world.box, "traffic.py", "serve", *PORTS, cgroup=beside))
    all_pass(report, "by cgroup: another cgroup", out, world.attempt(out, cgroup=beside))
    all_pass(report, "by cgroup: to another cgroup", into, world.attempt(into, world.peer))
    mptcp = [{"protocol": "mptcp", "address": a, "port": 443} for a in ("10.0.1.50", "8.8.8.8")]
    answers = world.attempt(mptcp, cgroup=agent)
    report.expect(answers[0] == "ok" and answers[1] in REFUSED, f"by cgroup: MPTCP: {answers}")


def broadcasts(world, report, agent, beside):
    """What the form leaves open, and says so: of several sockets that take one broadcast, the last stands for all."""
    heard = {}
    for name, order in (("agent last", (beside, agent)), ("agent first", (agent, beside))):
        ears = []
        for group in order:   # bound one after the other
            ears.append(world.start(world.box, "traffic.py", "hear", "7171", "8080" if group == agent else "8081",
                                    cgroup=group))
            world.ready(ears[-1])
        # and a permitted one after it on the same way, so that no clock is needed
        run("ip", "netns", "exec", world.peer, sys.executable, "-c", "import socket; s = socket.socket(2, 2); "
            "s.bind(('10.9.0.1', 0)); s.setsockopt(1, 6, 1); s.sendto(b'all', ('10.9.0.255', 7171)); "
            "s.sendto(b'end', ('10.9.0.2', 8080))")
        heard[name] = ears[order.index(agent)].stdout.readline().strip()
        for ear in ears:
            ear.kill()
            ear.wait()
    report.expect(heard == {"agent last": "end", "agent first": "all"}, f"by cgroup: broadcasts: {heard}")


def by_interface(world, report, directory):
    out, into = split(directory, "by-interface")
    world.clear()
    for where in (world.guest, world.box):
        world.ready(world.start(where, "traffic.py", "serve", *PORTS))
    host = [dict(a, peer=None, what=a["what"] + " from the host") for a in into if a["peer"] in ("10.9.0.4", "fd09::3")]
    for a in host:   # the host is a peer like another: only what all may reach
        a["permitted"] = a["protocol"] == "tcp" and a["port"] == 9000
    all_pass(report, "by interface, without the table", out, world.attempt(out, world.guest))
    all_pass(report, "by interface, without the table", into, world.attempt(into, world.peer))
    all_pass(report, "by interface, without the table", host, world.attempt(host))
    own = [a for a in out if not a["address"].startswith(("10.8.", "fd08::", "10.9.", "fd09::"))]
    for form in ("nft", "json"):
        world.clear()
        path = os.path.join(directory, "by-interface", "nftables", "egress." + form)
        loaded(report, f"by interface: {form}", world.load(path))
        for name in (world.guest, world.box):   # neighbours are found anew, under the table
            run("ip", "-n", name, "neigh", "flush", "all")
        decided(report, f"by interface: {form}", out, world.attempt(out, world.guest))
        decided(report, f"by interface: {form}", into, world.attempt(into, world.peer))
        decided(report, f"by interface: {form}", host, world.attempt(host))
        all_pass(report, f"by interface: {form}: the host itself", own, world.attempt(own))


def main(program):
    uid = need("ip", "nft", "setpriv", "sysctl", "nsenter", user="dnsmasq")
    report = Report()
    with artifacts(program, uid) as directory, cgroups(report) as groups:
        with Host() as world:
            world.ready(world.start(world.box, "traffic.py", "serve", "9000", "9001"))
            by_user(world, report, directory)
        with Host() as world:
            by_interface(world, report, directory)
        with Host() as world:
            by_cgroup(world, report, directory, groups)
    report.finish()


if __name__ == "__main__":
    main(sys.argv[1])
