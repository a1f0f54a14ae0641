"""`traffic.py PROGRAM`: real traffic under the generated rulesets, against the model's decisions.

Every attempt is first made without a ruleset and must succeed, so that a refusal afterwards is the ruleset's. Refusals
must come at once: a time-out fails the test. `traffic.py serve PORT…` and `traffic.py attempt` are its helpers inside
the namespaces."""
import concurrent.futures
import errno
import json
import os
import select
import selectors
import socket
import struct
import sys

IPPROTO_MPTCP = 262
SECONDS = 8   # far above what an answer takes here, below what a dropped SYN takes


def serve(ports):
    """Answers on tcp and udp, both families, on each port of the list, for ever."""
    pick = selectors.DefaultSelector()
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            s = socket.socket(socket.AF_INET6, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            if kind == socket.SOCK_DGRAM:   # answer from the address that was asked
                s.setsockopt(socket.IPPROTO_IP, 8, 1)                          # IP_PKTINFO
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            s.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                s.listen(100)
            pick.register(s, selectors.EVENT_READ, kind)
    print("ready", flush=True)
    while True:
        for key, _ in pick.select():
            if key.data == socket.SOCK_STREAM:
                connection, _ = key.fileobj.accept()
                connection.sendall(b"hello")
                connection.close()
            else:
                data, info, _, peer = key.fileobj.recvmsg(100, 1000)
                info = [i for i in info if i[1] == socket.IPV6_PKTINFO]
                key.fileobj.sendmsg([data], info, 0, peer)


def hear(*ports):
    """Prints what comes first by udp, to the first of the ports if to several at once."""
    ears = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in ports]
    for s, port in zip(ears, ports):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", port))
    print("ready", flush=True)
    print(select.select(ears, [], [])[0][0].recv(10).decode(), flush=True)
    sys.stdin.read()


def icmp(s, address):
    v6 = s.family == socket.AF_INET6
    s.connect((address, 0))
    s.send(struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 1, 1) + b"echo")
    return s.recv(100)


def attempt(a):
    if a["protocol"] == "icmp":
        v6 = ":" in a["address"]
        s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM,
                          socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
    else:
        s = socket.socket(socket.AF_INET6 if ":" in a["address"] else socket.AF_INET,
                          socket.SOCK_DGRAM if a["protocol"] == "udp" else socket.SOCK_STREAM,
                          IPPROTO_MPTCP if a["protocol"] == "mptcp" else 0)
    with s:
        s.settimeout(SECONDS)
        try:
            if a.get("peer"):
                s.bind((a["peer"], 0))
            if a["protocol"] == "icmp":
                icmp(s, a["address"])
                return "ok"
            s.connect((a["address"], a["port"]))
            if a["protocol"] == "udp":
                s.send(b"hello")
            return "ok" if s.recv(5) == b"hello" else "closed"
        except TimeoutError:
            return "timeout"
        except OSError as e:
            return errno.errorcode.get(e.errno, str(e))


REFUSED = {"ECONNREFUSED", "EPERM", "EHOSTUNREACH", "EACCES"}


def policy(world, report, directory, name):
    attempts = json.load(open(os.path.join(directory, name, "attempts.json")))
    out, into = ([a for a in attempts if a["direction"] == d] for d in ("connect", "listen"))

    def both():
        return list(zip(out + into, world.attempt(out) + world.attempt(into, world.peer)))

    world.clear()
    for a, answer in both():
        report.expect(answer == "ok", f"{name}: {a['what']} without rules: {answer}")
    for form in ("nft", "json"):
        world.clear()
        loaded = world.load(os.path.join(directory, name, "nftables", "egress." + form))
        report.expect(loaded.returncode == 0, f"{name}: {form}: {loaded.stderr}")
        for a, answer in both():
            wanted = {"ok"} if a["permitted"] else REFUSED
            report.expect(answer in wanted, f"{name}: {form}: {a['what']}: {answer}, permitted: {a['permitted']}")
    print(f"{name}: {len(attempts)} attempts, {sum(a['permitted'] for a in attempts)} of them permitted")


def mapped(world, report, directory):
    """An IPv6 socket reaches IPv4 through ::ffff:0:0/96, 0.0.0.0 is loopback: neither goes around a rule."""
    world.clear()
    world.load(os.path.join(directory, "code-execution", "nftables", "egress.nft"))
    for address, wanted in (("::ffff:10.0.1.50", {"ok"}), ("::ffff:10.0.1.51", REFUSED), ("0.0.0.0", REFUSED),
                            ("::", REFUSED), ("127.0.0.1", REFUSED), ("10.9.0.2", REFUSED), ("fd09::2", REFUSED)):
        port = 9000 if wanted == REFUSED and not address.startswith("::ffff") else 443
        answer = world.attempt([{"protocol": "tcp", "address": address, "port": port}])[0]
        report.expect(answer in wanted, f"tcp [{address}]:{port}: {answer}")


def logged(world, report, directory):
    """The kernel's log says which rule refused; hostile names arrive in one piece."""
    switch = "/proc/sys/net/netfilter/nf_log_all_netns"
    before = open(switch).read().strip()
    try:
        open(switch, "w").write("1")
    except OSError as e:
        print(f"SKIP of log lines: {switch}: {e}")
        return
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(log, 0, os.SEEK_END)
        world.clear()
        world.load(os.path.join(directory, "hostile", "nftables", "egress.nft"))
        world.attempt([{"protocol": "tcp", "address": f"10.{n}.0.{h}", "port": 443}
                       for n in (1, 3) for h in range(1, 14)])
        lines = []
        while True:
            try:
                lines.append(os.read(log, 8192).decode().split(";", 1)[1])
            except BlockingIOError:
                break
            except BrokenPipeError:   # overwritten before it was read
                continue
        os.close(log)
    finally:
        open(switch, "w").write(before)
    words = [line.split("IN=")[0] for line in lines if "DST=10.1.0." in line or "DST=10.3.0." in line]
    expected = {"a%22%3B%20%7D%20drop", "line%0Aflush%20ruleset%0A", "%7D", "%24variable", "back%5Cslash%5C",
                "%F0%9F%94%92%20lock", "100%25%20%25s%20%25n", "%1B%5B31m", "%23%20not%20a%20comment", "", "%FF%FE",
                "%64efault", "default"}
    begin = "agp P=hostile R="
    seen = {word[len(begin):-1] for word in words if word.startswith(begin) and word.endswith(" ")}
    long_one = {s for s in seen if s.startswith("#")}
    report.expect(len(words) >= 26, f"log lines: {len(words)} of 26")
    report.expect(seen - long_one == expected and len(long_one) == 1, f"log prefixes: {sorted(seen ^ expected)}")


def main(program):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from world import Report, World, artifacts, need
    uid = need("ip", "nft", "setpriv", "sysctl", user="dnsmasq")
    report = Report()
    with artifacts(program, uid, drawn=12) as directory, World() as world:
        ports = [8079, 8080, 8081, 8082, 9000, 9001, 9002]
        world.ready(world.start(world.box, "traffic.py", "serve", *map(str, ports)))
        drawn = sorted(name for name in os.listdir(directory) if name.startswith("random-"))
        for name in ["code-execution", "shapes", "listens", "hostile", "large", *drawn]:
            policy(world, report, directory, name)
        mapped(world, report, directory)
        logged(world, report, directory)
    report.finish()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve([int(p) for p in sys.argv[2:]])
    elif sys.argv[1] == "hear":
        hear(*map(int, sys.argv[2:]))
    elif sys.argv[1] == "attempt":
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for line in sys.stdin:
                print(json.dumps(list(pool.map(attempt, json.loads(line)))), flush=True)
    else:
        main(sys.argv[1])
