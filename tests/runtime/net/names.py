"""`names.py PROGRAM`: the generated resolver beside the generated ruleset, against an upstream that answers every name.

What reaches the upstream is read from its own log. The upstream gives the metadata service's address for names that it
has no record of: an answer must not open that address."""
import json
import os
import sys
import time

from world import Report, World, artifacts, need, run

NOERROR, NXDOMAIN = 0, 3
METADATA = "169.254.169.254"
TABLE = {
    "registry.internal": [["A", "10.0.1.60"], ["AAAA", "fd00:1::60"], ["TXT", "secret"], ["MX", "secret"]],
    "bounded.internal": [["A", "10.0.1.50"], ["A", "10.0.1.70"], ["A", "10.0.1.52"]],
    "alias.internal": [["CNAME", "target.elsewhere"]],
    "target.elsewhere": [["A", "10.0.1.80"]],
    "inner.wild.example": [["A", "10.0.1.81"]],
    "a.wild.example": [["A", "10.0.1.82"]],
    "deep.a.wild.example": [["A", "10.0.1.83"]],
    "six.internal": [["A", "10.0.1.66"], ["AAAA", "fd00:1::66"]],
    "postgres": [["A", "10.0.1.84"]],
    "a.wide.example": [["A", "10.0.1.61"], ["A", "10.0.1.62"]],
    "*": [["A", METADATA], ["TXT", "secret"]],
}
DENIED = {"ECONNREFUSED", "EPERM", "EHOSTUNREACH", "EACCES"}


class Names:
    def __init__(self, world, report, directory):
        self.world, self.report = world, report
        self.directory, self.upstreams = directory, []
        for address, header in (("10.0.0.53", "ip"), ("fd00::53", "ip6")):
            run("ip", "netns", "exec", world.peer, "nft", f"insert rule inet nat pre {header} daddr {address} return")
            run("ip", "-n", world.peer, "addr", "add", address, "dev", "lo")
            upstream = world.start(world.peer, "dns.py", "serve", address, json.dumps(TABLE))
            world.ready(upstream)
            os.set_blocking(upstream.stdout.fileno(), False)
            self.upstreams.append(upstream.stdout.fileno())

    def use(self, policy, form):
        """Loads the ruleset and starts the resolver as the stack does."""
        base = os.path.join(self.directory, policy)
        self.world.clear()
        loaded = self.world.load(os.path.join(base, "nftables", "egress." + form))
        self.report.expect(loaded.returncode == 0, f"{policy}: {loaded.stderr}")
        conf, pid = os.path.join(base, "dns", "dnsmasq.conf"), os.path.join(base, "pid")
        run("dnsmasq", "--test", "-C", conf)
        run("ip", "netns", "exec", self.world.box, "dnsmasq", "-C", conf, f"--pid-file={pid}",
            "--log-facility=/dev/null")
        with open(pid, encoding="ascii") as f:   # written before the parent returns
            return int(f.read())

    def ask(self, **question):
        """Asks as the agent; the answer with what reached the upstream meanwhile."""
        code, records = self.world.agent("dns.py", "ask", {"server": "127.0.0.53", **question})
        return code, records, self.reached()

    def reached(self):
        """What the upstreams have written since; they write before they answer."""
        out = []
        for log in self.upstreams:
            try:
                out += os.read(log, 65536).decode().splitlines()
            except BlockingIOError:
                pass
        return out

    def query(self, name, kind, code, answers=None, forwarded=None, **more):
        got_code, got, reached = self.ask(name=name, type=kind, **more)
        values = sorted(v for k, v in got if k == kind)
        what = f"{name} {kind} {more or ''}"
        self.report.expect(got_code == code, f"{what}: code {got_code}, not {code}")
        if answers is not None:
            self.report.expect(values == sorted(answers), f"{what}: {values}, not {answers}")
        if forwarded is not None:
            wanted = [f"{name} {kind}"] if forwarded else []
            self.report.expect(reached == wanted, f"{what}: reached the upstream: {reached}")

    def connect(self, address, port, good, protocol="tcp"):
        answer = self.world.attempt([{"protocol": protocol, "address": address, "port": port}])[0]
        self.report.expect((answer == "ok") if good else answer in DENIED,
                           f"{protocol} {address}:{port}: {answer}, permitted: {good}")


def permitted(n):
    # before anything is resolved, nothing is open
    n.connect("10.0.1.60", 443, False)
    n.query("registry.internal", "A", NOERROR, ["10.0.1.60"], forwarded=True)
    n.connect("10.0.1.60", 443, True)
    n.connect("::ffff:10.0.1.60", 443, True)
    n.connect("10.0.1.60", 444, False)
    n.connect("10.0.1.60", 443, False, "udp")
    n.connect("fd00:1::60", 443, False)
    n.query("registry.internal", "AAAA", NOERROR, ["fd00:1::60"], forwarded=True)
    n.connect("fd00:1::60", 443, True)
    n.query("postgres", "A", NOERROR, ["10.0.1.84"], forwarded=True)
    n.connect("10.0.1.84", 5432, True)
    n.connect("10.0.1.84", 443, False)
    # over tcp too
    n.query("a.wild.example", "A", NOERROR, ["10.0.1.82"], forwarded=True, tcp=True)
    n.connect("10.0.1.82", 443, True)
    # the addresses of an alias are the name's own; its target's name is not permitted, also when it is known by now
    n.query("alias.internal", "A", NOERROR, ["10.0.1.80"], forwarded=True)
    n.connect("10.0.1.80", 443, True)
    n.query("target.elsewhere", "A", NXDOMAIN, [], forwarded=False)


def refused(n):
    for name in ("elsewhere.example", "internal", "xregistry.internal", "secret.registry.internal",
                 "a.b.registry.internal", "x.postgres", "wild.example", "awild.example", "localhost",
                 "1.0.0.127.in-addr.arpa"):
        for kind in ("A", "AAAA", "TXT", "PTR"):
            n.query(name, kind, NXDOMAIN, [], forwarded=False)
    # one label with a dot of its own is not two labels
    for labels in (["registry.internal"], ["secret.registry", "internal"], ["x.registry.internal"]):
        code, got, reached = n.ask(name=[label.encode().hex() for label in labels], type="A")
        n.report.expect(code == NXDOMAIN and not got and not reached, f"labels {labels}: {code} {got} {reached}")
    # other types of a permitted name: asked upstream (a reported channel), answered empty
    for kind in ("TXT", "MX", "NULL", "HTTPS", "CAA"):
        n.query("registry.internal", kind, NOERROR, [], forwarded=True)
    # nothing but the resolver's user reaches the upstream
    for protocol in ("udp", "tcp"):
        n.connect("10.0.0.53", 53, False, protocol)


def addresses(n):
    # an answer that points to the metadata service opens nothing, unless the rule's `within` includes it
    n.query("evil.wild.example", "A", NOERROR, [METADATA], forwarded=True)
    n.connect(METADATA, 443, False)
    n.query("meta.internal", "A", NOERROR, [METADATA], forwarded=True)
    n.connect(METADATA, 80, True)
    n.connect(METADATA, 443, False)
    # `within` bounds the answers, an address deny beats them
    n.query("bounded.internal", "A", NOERROR, ["10.0.1.50", "10.0.1.52", "10.0.1.70"], forwarded=True)
    n.connect("10.0.1.50", 443, True)
    n.connect("10.0.1.52", 443, False)
    n.connect("10.0.1.70", 443, False)
    # `inner.wild.example` has another port than the names beside it, so those beneath it do not resolve
    n.query("inner.wild.example", "A", NOERROR, ["10.0.1.81"], forwarded=True)
    n.connect("10.0.1.81", 80, True)
    n.connect("10.0.1.81", 443, True)
    n.query("x.inner.wild.example", "A", NXDOMAIN, [], forwarded=False)
    n.query("deep.a.wild.example", "A", NOERROR, ["10.0.1.83"], forwarded=True)
    n.connect("10.0.1.83", 443, True)
    n.connect("10.0.1.83", 80, False)
    # exceptions, by name and by address
    n.query("secret.wide.example", "A", NXDOMAIN, [], forwarded=False)
    n.query("x.secret.wide.example", "A", NOERROR, [METADATA], forwarded=True)
    n.query("a.wide.example", "A", NOERROR, ["10.0.1.61", "10.0.1.62"], forwarded=True)
    n.connect("10.0.1.61", 443, False)
    n.connect("10.0.1.62", 443, True)


def over_ipv6(n):
    n.query("six.internal", "AAAA", NOERROR, ["fd00:1::66"], forwarded=True)
    n.connect("fd00:1::66", 443, True)
    n.connect("fd00:1::67", 443, False)
    n.connect("fd00::53", 53, False)
    n.query("six.internal", "A", NOERROR, ["10.0.1.66"], forwarded=True)
    n.connect("10.0.1.66", 443, False)
    n.query("x.six.internal", "AAAA", NXDOMAIN, [], forwarded=False)


def same_user(world, report, directory):
    """The agent would be the resolver's user: the ruleset does not load."""
    for form in ("nft", "json"):
        world.clear()
        loaded = world.load(os.path.join(directory, "same-user", "nftables", "egress." + form))
        refused = loaded.returncode != 0 and "File exists" in loaded.stderr
        report.expect(refused, f"same user: {loaded.returncode} {loaded.stderr}")


def stop(pid):
    os.kill(pid, 15)
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.01)


def main(program):
    uid = need("ip", "nft", "setpriv", "dnsmasq", user="dnsmasq")
    report = Report()
    with artifacts(program, uid) as directory, World() as world:
        os.chmod(directory, 0o755)
        n = Names(world, report, directory)
        for policy, form, parts in (("names", "nft", (permitted, refused, addresses)),
                                    ("names", "json", (permitted, refused, addresses)),
                                    ("names-6", "nft", (over_ipv6,))):
            pid = n.use(policy, form)
            try:
                for part in parts:
                    part(n)
            finally:
                stop(pid)
        same_user(world, report, directory)
    report.finish()


if __name__ == "__main__":
    main(sys.argv[1])
