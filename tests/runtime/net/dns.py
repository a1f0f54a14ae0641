"""A stand-in for the upstream resolver, and a client: just enough DNS (RFC 1035) for the tests.

`dns.py serve ADDRESS TABLE` answers from a table (JSON) over UDP and TCP and prints one line `NAME TYPE` for each query
that reaches it, so that a test can show what was forwarded and what was not. `dns.py ask` makes a query
for each line of JSON and prints the answer."""
import json
import socket
import struct
import sys
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65, "ANY": 255,
         "NULL": 10, "CAA": 257, "TYPE65280": 65280}
NAMES = {v: k for k, v in TYPES.items()}
NOERROR, NXDOMAIN, REFUSED = 0, 3, 5


def encode_name(name):
    """`name` is text, or a list of labels (bytes) where a label has a dot of its own."""
    labels = name if isinstance(name, list) else [p.encode() for p in name.rstrip(".").split(".") if p]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def decode_name(data, at):
    labels, jumped = [], None
    while data[at]:
        if data[at] & 0xC0:
            jumped = jumped or at + 2
            at = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            continue
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels), (jumped or at + 1)


def ask(server, name, kind, extra=b"", additional=0, tcp=False):
    """-> [rcode, [[type, text], …]]. `extra` stands behind the question, as `additional` records."""
    number = TYPES[kind] if kind in TYPES else int(kind[4:])
    message = (struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, additional) + encode_name(name)
               + struct.pack("!2H", number, 1) + extra)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((server, 53))
        s.sendall(struct.pack("!H", len(message)) + message if tcp else message)
        data = s.recv(65535)
        while tcp and len(data) < 2 + struct.unpack_from("!H", data)[0]:
            data += s.recv(65535)
    if tcp:
        data = data[2:]
    flags, questions, answers = struct.unpack_from("!2xHHH", data)
    at = 12
    for _ in range(questions):
        at = decode_name(data, at)[1] + 4
    out = []
    for _ in range(answers):
        _, at = decode_name(data, at)
        kind_no, _, _, length = struct.unpack_from("!2HIH", data, at)
        at += 10
        body = data[at:at + length]
        at += length
        text = (socket.inet_ntop(socket.AF_INET, body) if kind_no == 1
                else socket.inet_ntop(socket.AF_INET6, body) if kind_no == 28 else body.hex())
        out.append([NAMES.get(kind_no, str(kind_no)), text])
    return [flags & 15, out]


def record(owner, kind, value):
    body = (socket.inet_pton(socket.AF_INET, value) if kind == "A"
            else socket.inet_pton(socket.AF_INET6, value) if kind == "AAAA"
            else encode_name(value) if kind == "CNAME"
            else bytes([len(value)]) + value.encode())
    return owner + struct.pack("!2HIH", TYPES[kind], 1, 3600, len(body)) + body


def answer(data, table):
    """The table is {name: [[type, value], …]}; an alias is followed. A name that is not in it has the records of `*`,
    so that whatever is forwarded is also answered."""
    name, end = decode_name(data, 12)
    kind = struct.unpack_from("!H", data, end)[0]
    print(f"{name.lower()} {NAMES.get(kind, 'TYPE' + str(kind))}", flush=True)
    answers, owner, at = [], b"\xc0\x0c", name.lower()
    while True:
        records = table.get(at, table["*"])
        alias = [v for k, v in records if k == "CNAME"]
        answers += [record(owner, k, v) for k, v in records if TYPES[k] == kind]
        if not alias:
            break
        answers.append(record(owner, "CNAME", alias[0]))
        owner, at = encode_name(alias[0]), alias[0]
    return struct.pack("!2sH4H", data[:2], 0x8180, 1, len(answers), 0, 0) + data[12:end + 4] + b"".join(answers)


def serve(address, table):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    stream, datagram = socket.socket(family, socket.SOCK_STREAM), socket.socket(family, socket.SOCK_DGRAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind((address, 53))
    datagram.bind((address, 53))
    stream.listen(100)

    def streams():
        while True:
            connection, _ = stream.accept()
            with connection:
                data = connection.recv(65535)
                if len(data) > 2:
                    out = answer(data[2:], table)
                    connection.sendall(struct.pack("!H", len(out)) + out)

    threading.Thread(target=streams, daemon=True).start()
    print("ready", flush=True)
    while True:
        data, peer = datagram.recvfrom(65535)
        datagram.sendto(answer(data, table), peer)


def from_json(name):
    return [bytes.fromhex(label) for label in name] if isinstance(name, list) else name


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], json.loads(sys.argv[3]))
    else:
        for line in sys.stdin:
            q = json.loads(line)
            try:
                reply = ask(q["server"], from_json(q["name"]), q["type"], bytes.fromhex(q.get("extra", "")),
                            q.get("additional", 0), q.get("tcp", False))
            except OSError as e:
                reply = [type(e).__name__, []]
            print(json.dumps(reply), flush=True)
