"""Mutators: one field of an artifact, drawn uniformly over its fields, gets another value. Each returns the changed
artifact and whether it differs by one value or address alone (and not by a field more, less or elsewhere)."""
import copy
import ipaddress
import json
import re
import struct


def number(r, value, most):
    return r.choice([(value + 1) & most, (value - 1) & most, value ^ (1 << r.randrange(most.bit_length())),
                     r.randint(0, most)])


CODES = [0x15, 0x25, 0x35, 0x45, 0x20, 0x54, 0x06, 0x05]


def bpf(r, data, _):
    program = [list(struct.unpack("<HBBI", data[i:i + 8])) for i in range(0, len(data), 8)]
    at, field = r.randrange(len(program)), r.randrange(4)
    insn, value = program[at], False
    klass = insn[0] & 7
    if field == 0:
        insn[0] = r.choice([c for c in CODES if c != insn[0]])
    elif field in (1, 2):
        if klass != 5 or insn[0] == 5:
            insn[3], value = number(r, insn[3], 0xffffffff), True
        else:
            insn[field] = number(r, insn[field], 0xff) % max(1, len(program) - at)
    elif insn[0] == 0x06:
        insn[3], value = r.choice([0x7fff0000, 0x50001, 0x50026, 0x80000000, 0x30000, 0x7ff00000, 0x7ffc0000]), True
    elif insn[0] == 0x20:
        insn[3] = 4 * r.randrange(16)
    else:
        insn[3], value = number(r, insn[3], 0xffffffff), True
    return b"".join(struct.pack("<HBBI", *i) for i in program), value


def leaves(tree, path=()):
    """Every value and every element or member, as paths."""
    yield path
    if isinstance(tree, dict):
        for key in tree:
            yield from leaves(tree[key], path + (key,))
    elif isinstance(tree, list):
        for i, one in enumerate(tree):
            yield from leaves(one, path + (i,))


def at(tree, path):
    for step in path:
        tree = tree[step]
    return tree


def ip(r, text):
    """A neighbour of an address or a prefix, or the same address with a bit flipped; else None."""
    head, slash, length = text.partition("/")
    try:
        address = ipaddress.ip_address(head)
    except ValueError:
        return None
    if slash and r.random() < 0.5:
        return f"{head}/{max(0, min(address.max_prefixlen, int(length) + r.choice([-1, 1])))}" if length.isdigit() else None
    value = (int(address) + r.choice([-1, 1, 1 << r.randrange(12), 256])) % (1 << address.max_prefixlen)
    return str(type(address)(value)) + slash + length


# Words of rules that stand in the same place.
GROUPS = [{"accept", "drop", "reject", "continue", "return"}, {"input", "output", "forward"}, {"tcp", "udp", "icmp", "icmpv6"},
          {"daddr", "saddr"}, {"dport", "sport"}, {"ip", "ip6"}, {"goto", "jump"},
          {"established", "related", "invalid", "untracked", "new"}, {"broadcast", "multicast", "other"},
          {"nd-neighbor-solicit", "nd-neighbor-advert", "nd-router-solicit", "nd-router-advert", "echo-request",
           "packet-too-big", "time-exceeded", "destination-unreachable", "parameter-problem"}, {"syn", "rst", "fin", "ack"},
          {"server", "local", "address"}, {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG"},
          {"SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_GT", "SCMP_CMP_GE", "SCMP_CMP_MASKED_EQ"},
          {"ro", "rw"}, {"exec", "noexec"}, {"bind", "rbind"}, {"lo", "eth0"}, {"==", "!="}, {"input", "output"}]


MEANT = set().union(*GROUPS)


def word(r, text, others):
    """Another text for one in a JSON file: an address beside it, a number in it changed, a word of its kind."""
    near = ip(r, text)
    if near:
        return near, True
    kin = sorted({w for group in GROUPS if text in group for w in group} - {text})
    if kin and r.random() < 0.9:
        return r.choice(kin), True
    if re.search(r"\d", text) and not re.match(r"[a-z_]", text):
        return re.sub(r"\d+", lambda m: str(number(r, int(m[0]), 0xffff)), text, count=1), True
    if re.search(r"\d", text) and r.random() < 0.5:
        spans = list(re.finditer(r"\d+", text))
        m = r.choice(spans)
        return text[:m.start()] + str(number(r, int(m[0]), 0xffff)) + text[m.end():], True
    kin = sorted(o for o in others if o != text and (o[:3] == text[:3] or r.random() < 0.3))
    if kin and r.random() < 0.8:
        return r.choice(kin), True
    return text + r.choice(["x", "/", "y/"]), True


SECTION = ("linux", "seccomp", "syscalls")   # of a container's configuration: it has a kind of its own


def tree(r, data, pool):
    """JSON. `pool` holds texts of artifacts of this kind, for words that mean something there."""
    whole = json.loads(data)
    places = [p for p in leaves(whole) if p and (p[:3] != SECTION or len(p) == 3)]
    path = r.choice(places)
    while isinstance(at(whole, path[:-1]), dict) and isinstance(at(whole, path), (dict, list)) and r.random() < 0.95:
        path = r.choice(places)   # a member that is missing is mostly a file that nobody reads
    parent, key, here = at(whole, path[:-1]), path[-1], at(whole, path)
    value = False
    if isinstance(here, bool):
        parent[key] = not here
        value = True
    elif isinstance(here, int):
        parent[key], value = number(r, here, (1 << max(8, here.bit_length())) - 1), True
    elif isinstance(here, str) and r.random() < 0.75:
        parent[key], value = word(r, here, pool)
    elif isinstance(parent, list):
        what = r.randrange(4)
        if what == 0 and len(parent) > 1:
            other = r.randrange(len(parent))
            parent[key], parent[other] = parent[other], parent[key]
        elif what == 1:
            parent.insert(r.randrange(len(parent) + 1), copy.deepcopy(here))
        elif what == 2 and isinstance(here, str):
            parent.insert(key, word(r, here, pool)[0])
        else:
            del parent[key]
    else:
        del parent[key]
    return json.dumps(whole).encode(), value


def texts(tree_):
    return {at(tree_, p) for p in leaves(tree_) if isinstance(at(tree_, p), str)}


TOKEN = re.compile(rb"[0-9a-fA-F]*[.:][0-9a-fA-F.:]*(?:/\d+)?|\d+|[A-Za-z_*][\w.*-]*")


def lines(r, data, pool):
    """A script or a configuration of lines."""
    rows = data.split(b"\n")
    full = [i for i, row in enumerate(rows) if row.strip() and not row.strip().startswith(b"#")]
    i = r.choice(full)
    what = r.randrange(10)
    if what < 7:
        spans = [m for m in TOKEN.finditer(rows[i]) if re.search(rb"[\d.]", m[0]) or MEANT & {m[0].decode()}
                 or r.random() < 0.05]
        while not spans and r.random() < 0.95:   # words of the grammar are mostly left alone
            i = r.choice(full)
            spans = [m for m in TOKEN.finditer(rows[i]) if re.search(rb"[\d.]", m[0]) or MEANT & {m[0].decode()}]
        if spans:
            m = r.choice(spans)
            new, value = word(r, m[0].decode(), pool)
            rows[i] = rows[i][:m.start()] + new.encode() + rows[i][m.end():]
            return b"\n".join(rows), value
    if what == 7:
        del rows[i]
    elif what == 8:
        j = r.choice(full)
        rows[i], rows[j] = rows[j], rows[i]
    else:
        rows.insert(r.choice(full), rows[i])
    return b"\n".join(rows), False


def words(data):
    return {m[0].decode() for m in TOKEN.finditer(data)}


def arguments(r, data, pool):
    """Arguments, one a line: a line more, less or elsewhere, or one part of a line's list. `pool` has the parts of others."""
    rows = data.decode().split("\n")[:-1]
    i, what = r.randrange(len(rows)), r.randrange(20)
    if what == 0:
        del rows[i]
    elif what == 1:
        j = r.randrange(len(rows))
        rows[i], rows[j] = rows[j], rows[i]
    elif what == 2:
        rows.insert(r.randrange(len(rows) + 1), rows[i])
    else:
        name, equals, value = rows[i].partition("=")
        first = re.split(r"([,:])", value if equals else name)   # parts, and the signs between them
        k = 2 * r.randrange((len(first) + 1) // 2)
        key, sign, last = first[k].rpartition("=")
        digits = re.fullmatch(r"(\d+)(\D?)", last)
        near = sorted(o for o in pool if o[:1] == first[k][:1] and o != first[k])
        value = True
        if what < 14 and digits:
            new = str(number(r, int(digits[1]), (1 << max(8, int(digits[1]).bit_length())) - 1)) + digits[2]
            if key == "mode":
                new = f"0{number(r, int(last, 8), 0o777):o}"
            first[k] = key + sign + new
        elif what < 17 and near:
            first[k] = r.choice(near)
        elif what < 18 and len(first) > 1:
            del first[max(0, k - 1):k + 1]
            value = False
        elif what < 19 and equals:
            first[k] += "," + r.choice(sorted(pool))
            value = False
        else:
            first[k] += r.choice(["x", "/x", "s"])
        rows[i] = name + equals + "".join(first) if equals else "".join(first)
        return ("\n".join(rows) + "\n").encode(), value
    return ("\n".join(rows) + "\n").encode(), False


def parts(data):
    return {part for row in data.decode().split("\n") for part in re.split(r"[,:]", row.partition("=")[2] or row) if part}
