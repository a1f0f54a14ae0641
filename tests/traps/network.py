#!/usr/bin/python3
"""network.py AGP: packet and name rules that look right and are not, each by one edit of what `agp build` wrote.

Each edit is refuted by `agp verify` with a witness, and then loaded: in namespaces of this test's own, what the policy
refuses passes, or what it permits fails, and the unedited rules answer the other way. Exits 77 without root.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

NET = pathlib.Path(__file__).resolve().parent.parent / "runtime/net"
sys.path.insert(0, str(NET))
from traffic import REFUSED  # noqa: E402
from world import AGENT, Report, World, need, run  # noqa: E402

METADATA, UPSTREAM = "169.254.169.254", "10.0.0.53"
POLICY = """agp 1
policy traps {
  net {
    allow connect tcp 10.0.1.50:443
    allow connect tcp [fd00:1::50]:443
    allow connect tcp registry.internal:443
    resolver 10.0.0.53
  }
  run { command "/bin/true" user 65534:65534 }
}
"""
TABLE = {"registry.internal": [["A", "10.0.1.60"]], "*": [["A", METADATA]]}
SCRIPT, CONF = "nftables/egress.nft", "dns/dnsmasq.conf"


class Traps:
    def __init__(self, agp, folder, world, report):
        self.agp, self.world, self.report = agp, world, report
        self.policy, self.built = folder / "traps.agp", folder / "out"
        (folder / "agp.toml").write_text("")
        self.policy.write_text(POLICY)
        done = subprocess.run([agp, "build", "-q", self.policy, "-o", self.built], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            sys.exit(f"agp build: {done.returncode}\n{done.stdout}{done.stderr}")
        self.original = {name: (self.built / name).read_text() for name in (SCRIPT, CONF)}

    def edited(self, name, *edits):
        """The artifact with each first occurrence replaced; an edit that does not apply ends the test."""
        text = self.original[name]
        for what, by in edits:
            if what not in text:
                sys.exit(f"{name} has no {what!r}:\n{text}")
            text = text.replace(what, by, 1)
        return text

    def write(self, name, text):
        (self.built / name).write_text(text)
        return self.built / name

    def refuted(self, trap, name, text, direction, part):
        """`agp verify` names a witness that has `part` in it; the original is proved."""
        for content, wanted in ((self.original[name], "proved"), (text, "refuted")):
            self.write(name, content)
            done = subprocess.run([self.agp, "verify", "--format", "json", self.policy, self.built], capture_output=True,
                                  text=True, check=False)
            found = [o for o in json.loads(done.stdout)["obligations"]
                     if o["artifact"] == name and o["direction"] == direction]
            verdicts = [o["verdict"] for o in found]
            self.report.expect(verdicts == [wanted], f"{trap}: {direction}: {verdicts}, not {wanted}")
        witness = json.dumps(found[0]["witness"]) if found else ""
        self.report.expect(part in witness, f"{trap}: the witness {witness} has no {part!r}")

    def load(self, text):
        self.world.clear()
        done = self.world.load(str(self.write(SCRIPT, text)))
        self.report.expect(done.returncode == 0, f"load: {done.stderr}")
        for name in (self.world.box, self.world.peer):   # neighbours are found anew
            run("ip", "-n", name, "neigh", "flush", "all")

    def connects(self, trap, address, port, good):
        answer = self.world.attempt([{"protocol": "tcp", "address": address, "port": port}])[0]
        self.report.expect((answer == "ok") if good else answer in REFUSED, f"{trap}: {address}:{port}: {answer}, not {good}")

    def nft(self, *words):
        return run("ip", "netns", "exec", self.world.box, "nft", *words).stdout


def without_neighbours(t):
    """Default drop without neighbour discovery, on input or on output: no IPv6 at all."""
    t.load(t.original[SCRIPT])
    t.connects("neighbours", "fd00:1::50", 443, True)
    for hook in ("hook input", "hook output"):
        head, tail = t.original[SCRIPT].split(hook)
        what = ", untracked : goto on_untracked"
        t.report.expect(what in tail, f"neighbours: {hook} has no such part")
        text = head + hook + tail.replace(what, "", 1)
        t.refuted("neighbours", SCRIPT, text, "no loss", "ICMP type")
        t.load(text)
        t.connects("neighbours", "fd00:1::50", 443, False)
        t.connects("neighbours", "10.0.1.50", 443, True)


def unspecified_is_loopback(t):
    """`lo` left open because nothing is bound to 127.0.0.1 by name: 0.0.0.0 and :: lead there."""
    server = t.world.start(t.world.box, "traffic.py", "serve", "9000")
    t.world.ready(server)
    text = t.original[SCRIPT]
    for hook, word in (("input", "iifname"), ("output", "oifname")):
        base = f"hook {hook} priority 0; policy drop;"
        t.report.expect(base in text, f"loopback: no {base}")
        text = text.replace(base, f'{base}\n    {word} "lo" accept')
    t.refuted("loopback", SCRIPT, text, "no excess", "over lo")
    for rules, good in ((text, True), (t.original[SCRIPT], False)):
        t.load(rules)
        for address in ("0.0.0.0", "::", "127.0.0.1", "::1"):
            t.connects("loopback", address, 9000, good)


def metadata_by_name(t):
    """A name that is permitted answers with the metadata service's address: it is in the set now."""
    text = t.edited(SCRIPT, ("ip daddr @never_by_name_4 goto refused", ""))
    t.refuted("metadata by name", SCRIPT, text, "no excess", "as an address of registry.internal")
    for rules, good in ((text, True), (t.original[SCRIPT], False)):
        t.load(rules)
        for name in names_4(t):
            t.nft("add", "element", *name, "{ 10.0.1.60, %s }" % METADATA)
        t.connects("metadata by name", "10.0.1.60", 443, True)
        t.connects("metadata by name", METADATA, 443, good)


def names_4(t):
    """(family, table, set) of the sets that the resolver fills with IPv4 addresses."""
    for one in json.loads(t.nft("-j", "list", "sets"))["nftables"]:
        if "set" in one and one["set"]["name"].startswith("n_") and one["set"]["name"].endswith("_4"):
            yield one["set"]["family"], one["set"]["table"], one["set"]["name"]


def elements_that_expire(t):
    """A second answer does not make an element stay longer: it goes while the answer is in use."""
    at = t.original[SCRIPT].index("set n_")
    at = t.original[SCRIPT].index("type ipv4_addr\n", at) + len("type ipv4_addr\n")
    text = t.original[SCRIPT][:at] + "    flags timeout\n    timeout 1h\n" + t.original[SCRIPT][at:]
    t.refuted("expiry", SCRIPT, text, "no loss", "as an address of registry.internal")
    t.load(text)
    name = next(iter(names_4(t)))

    def left():
        elements = json.loads(t.nft("-j", "list", "set", *name))["nftables"][-1]["set"]["elem"]
        return elements[0]["elem"]["expires"]

    t.nft("add", "element", *name, "{ 10.0.1.60 }")
    first = left()
    while left() >= first:   # until the kernel shows a second less
        time.sleep(0.1)
    later = left()
    t.nft("add", "element", *name, "{ 10.0.1.60 }")
    t.report.expect(left() <= later < first, f"expiry: {first}, {later}, after adding again {left()}")


def packet_sockets(t):
    """What AF_PACKET sends meets no hook. Refuted where it can be: the capability, ContainerTraps.PacketSockets…"""
    ear = subprocess.Popen(["ip", "netns", "exec", t.world.peer, sys.executable, "-c",
                            "import socket\ns = socket.socket(17, 3, 0x300)\nprint('ready', flush=True)\n"
                            "while b'agp-packet' not in s.recv(2000): pass\nprint('heard', flush=True)"],
                           stdout=subprocess.PIPE, text=True)
    try:
        t.world.ready(ear)
        t.load(t.original[SCRIPT])
        answer = t.world.attempt([{"protocol": "udp", "address": "10.9.0.1", "port": 9}])[0]
        t.report.expect(answer in REFUSED, f"packet sockets: by an ordinary socket: {answer}")
        send = ("import socket\ns = socket.socket(17, 3)\ns.bind(('eth0', 0x88b5))\n"
                "s.send(b'\\xff' * 6 + b'\\x02' * 6 + b'\\x88\\xb5' + b'agp-packet' + b'.' * 50)")
        agent = ["setpriv", "--reuid", str(AGENT), "--regid", str(AGENT), "--clear-groups"]
        for caps, good in (([], False), (["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"], True)):
            done = run("ip", "netns", "exec", t.world.box, *agent, *caps, sys.executable, "-c", send, check=False)
            t.report.expect((done.returncode == 0) == good, f"packet sockets: {caps}: {done.stderr[-200:]}")
        t.report.expect(ear.stdout.readline() == "heard\n", "packet sockets: the frame did not arrive")
    finally:
        ear.kill()
        ear.wait()


def names_beneath(t):
    """`server=/registry.internal/…` alone forwards every name beneath it: a channel out."""
    line = "local=/*.registry.internal/\n"
    text = t.edited(CONF, (line, ""))
    t.refuted("names beneath", CONF, text, "no excess", "resolve agp-other.registry.internal")
    world = t.world
    run("ip", "netns", "exec", world.peer, "nft", f"insert rule inet nat pre ip daddr {UPSTREAM} return")
    run("ip", "-n", world.peer, "addr", "add", UPSTREAM, "dev", "lo")
    upstream = world.start(world.peer, "dns.py", "serve", UPSTREAM, json.dumps(TABLE))
    world.ready(upstream)
    log = upstream.stdout.fileno()
    os.set_blocking(log, False)
    for conf, code, forwarded in ((text, 0, b"secret.registry.internal A\n"), (t.original[CONF], 3, b"")):
        t.load(t.original[SCRIPT])
        pid = t.built / "pid"
        run("ip", "netns", "exec", world.box, "dnsmasq", "-C", str(t.write(CONF, conf)), f"--pid-file={pid}",
            "--log-facility=/dev/null")
        number = int(pid.read_text())
        try:
            got = world.agent("dns.py", "ask", {"server": "127.0.0.53", "name": "secret.registry.internal", "type": "A"})
            try:
                reached = os.read(log, 65536)
            except BlockingIOError:
                reached = b""
            t.report.expect(got[0] == code and reached == forwarded, f"names beneath: {got}, {reached}")
        finally:
            os.kill(number, 15)
            while os.path.exists(f"/proc/{number}"):
                time.sleep(0.01)


def main():
    need("ip", "nft", "setpriv", "sysctl", "dnsmasq", user="dnsmasq")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="agp-traps-") as folder, World() as world:
        os.chmod(folder, 0o755)
        t = Traps(sys.argv[1], pathlib.Path(folder), world, report)
        for trap in (without_neighbours, unspecified_is_loopback, metadata_by_name, elements_that_expire, packet_sockets,
                     names_beneath):
            trap(t)
            for name, text in t.original.items():
                t.write(name, text)
    report.finish()


if __name__ == "__main__":
    main()
