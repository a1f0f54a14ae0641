"""Stand-ins for what lives outside a sandbox: listeners, a resolver, peers that knock.

Run inside a network namespace as `python3 standins.py PLAN.json`. The plan names the endpoints; `ready` on standard output
says that all of them are open. Ends with its standard input. Every DNS question is one line in the plan's log file,
written before it is answered: whoever has the answer may read the log.
"""
import json
import select
import socket
import struct
import sys

TYPES = {1: "A", 10: "NULL", 15: "MX", 16: "TXT", 28: "AAAA", 65: "HTTPS", 255: "ANY"}


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bound(kind, address, port):
    s = socket.socket(family(address), kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    s.setblocking(False)
    return s


class Resolver:
    """Answers every name: listed ones with their addresses, all others with one of the documentation's."""

    def __init__(self, answers, log):
        self.answers, self.log = answers, open(log, "a", buffering=1, encoding="utf-8")

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace").lower())
            at += 1 + query[at]
        kind, name = struct.unpack("!H", query[at + 1 : at + 3])[0], ".".join(labels)
        self.log.write(json.dumps({"name": name, "type": TYPES.get(kind, str(kind))}) + "\n")
        records = []
        if kind == 1:
            records = [socket.inet_aton(a) for a in self.answers.get(name, ["203.0.113.99"]) if ":" not in a]
        elif kind == 28:
            records = [socket.inet_pton(socket.AF_INET6, a) for a in self.answers.get(name, []) if ":" in a]
        elif kind in (16, 255):
            records, kind = [b"\x09agp-probe"], 16
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 5, len(r)) + r for r in records)
        return query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(records), 0, 0) + query[12 : at + 5] + body


def serve(plan):
    streams, datagrams, resolvers = [], [], []
    for address, port in plan["tcp"]:
        streams.append(bound(socket.SOCK_STREAM, address, port))
    for address, port in plan["udp"]:
        datagrams.append(bound(socket.SOCK_DGRAM, address, port))
    resolver = Resolver(plan["answers"], plan["log"]) if plan["resolvers"] else None
    for address in plan["resolvers"]:
        resolvers.append(bound(socket.SOCK_DGRAM, address, 53))
    print("ready", flush=True)
    sources = [sys.stdin, *streams, *datagrams, *resolvers]
    while True:
        knocks = [knock(*k) for k in plan["knock"]]
        readable, _, _ = select.select(sources, [], [], 0.05 if knocks else None)
        for k in filter(None, knocks):
            k.close()
        for s in readable:
            if s is sys.stdin:
                if not sys.stdin.readline():
                    return
            elif s in streams:
                s.accept()[0].close()
            else:
                try:
                    data, peer = s.recvfrom(4096)
                    s.sendto(resolver.answer(data) if s in resolvers else data, peer)
                except (OSError, IndexError, struct.error):
                    continue


def knock(protocol, address, port):
    """One try to get into the sandbox; the next comes with the next turn of the loop."""
    s = socket.socket(family(address), socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    s.setblocking(False)
    try:
        s.connect((address, port))
        if protocol == "udp":
            s.send(b"agp-probe")
    except OSError:
        pass
    return s


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as f:
        serve(json.load(f))
