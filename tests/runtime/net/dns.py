"""A stand-in for the upstream resolver, and a client: just enough DNS (RFC 1035) for the tests, over UDP.

The server answers A, AAAA and TXT from a table and writes one line `NAME TYPE BYTES` for each query that reaches it, so
that a test can show what was forwarded and what was not."""
import socket
import struct

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


def query(server, name, kind, extra=b"", timeout=5, port=53, additional=0):
    """-> (rcode, [(type, text)])"""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        number = TYPES[kind] if kind in TYPES else int(kind[4:])
        s.sendto(struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, additional) + encode_name(name)
                 + struct.pack("!2H", number, 1) + extra, (server, port))
        data = s.recv(65535)
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
        out.append((NAMES.get(kind_no, str(kind_no)), text))
    return flags & 15, out


def record(owner, kind, value):
    body = (socket.inet_pton(socket.AF_INET, value) if kind == "A"
            else socket.inet_pton(socket.AF_INET6, value) if kind == "AAAA"
            else encode_name(value) if kind == "CNAME"
            else value)
    return owner + struct.pack("!2HIH", TYPES[kind], 1, 3600, len(body)) + body


def serve(address, table, log):
    """Answers for ever. `table`: {name: [(type, value)]}; a CNAME is followed. A name that is not in it gets the records of
    `*`, so that whatever is forwarded is also answered."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    log.write("ready\n")
    log.flush()
    while True:
        data, peer = sock.recvfrom(65535)
        name, end = decode_name(data, 12)
        kind = struct.unpack_from("!H", data, end)[0]
        log.write(f"{name} {NAMES.get(kind, kind)} {len(data)}\n")
        log.flush()
        answers, owner, at = [], b"\xc0\x0c", name.lower()
        while True:
            records = table.get(at, table.get("*", []))
            alias = [v for k, v in records if k == "CNAME"]
            answers += [record(owner, k, v) for k, v in records if TYPES[k] == kind]
            if not alias:
                break
            answers.append(record(owner, "CNAME", alias[0]))
            owner, at = encode_name(alias[0]), alias[0]
        sock.sendto(struct.pack("!2sH4H", data[:2], 0x8180, 1, len(answers), 0, 0) + data[12:end + 4] + b"".join(answers), peer)
