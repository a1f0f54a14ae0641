"""Oracle of filters: classic BPF, run on one call after the other; a profile is first compiled by the real libseccomp as
runc does. Written from linux/bpf_common.h and runc's libcontainer/seccomp, not from agp."""
import ctypes
import errno
import itertools
import json
import os
import resource
import signal
import struct
import tempfile

X86_64 = 0xc000003e
ALLOW = {0x7fff0000, 0x7ffc0000}
ACTIONS = {"SCMP_ACT_ALLOW": 0x7fff0000, "SCMP_ACT_ERRNO": 0x50000, "SCMP_ACT_TRAP": 0x30000, "SCMP_ACT_LOG": 0x7ffc0000,
           "SCMP_ACT_KILL_PROCESS": 0x80000000, "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0}
OPS = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6,
       "SCMP_CMP_MASKED_EQ": 7}


class Refused(Exception):
    pass


class Hung(Refused):
    """The loader does not end."""


def bounded(seconds, work):
    """The bytes that WORK returns, made in a process of its own that may use SECONDS of a processor: libseccomp 2.5.4 adds
    some rules for ever. Raises Hung, what WORK refuses, and RuntimeError where it ends in any other way."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            try:
                answer = b"+" + work()
            except Refused as e:
                answer = b"-" + str(e).encode()
            with os.fdopen(there, "wb") as out:
                out.write(answer)
            code = 0
        finally:
            os._exit(code)   # nothing of the parent's is ended or flushed a second time
    os.close(there)
    with os.fdopen(here, "rb") as answered:
        answer = answered.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGXCPU:
        raise Hung(f"more than {seconds} s of processor time")
    if code:
        raise RuntimeError(f"exit {code}")
    if answer[:1] == b"-":
        raise Refused(answer[1:].decode())
    return answer[1:]


def load(data):
    if not data or len(data) % 8:
        raise Refused("no program")
    return [struct.unpack("<HBBI", data[i:i + 8]) for i in range(0, len(data), 8)]


def run(program, words, touched=None):
    """The return word for the sixteen words of seccomp_data."""
    a = x = pc = 0
    memory = [0] * 16
    while True:
        code, jt, jf, k = program[pc]
        pc += 1
        klass = code & 7
        if klass in (0, 1):
            mode = code & 0xe0
            v = words[k // 4] if mode == 0x20 else memory[k] if mode == 0x60 else 64 if mode == 0x80 else k
            if touched is not None and mode == 0x20:
                touched.add(k // 4)
            if klass == 0:
                a = v
            else:
                x = v
        elif klass == 2:
            memory[k] = a
        elif klass == 3:
            memory[k] = x
        elif klass == 4:
            s, op = (x if code & 8 else k), code & 0xf0
            if op == 0x30 and s == 0:
                return 0
            a = {0x00: a + s, 0x10: a - s, 0x20: a * s, 0x30: a // (s or 1), 0x40: a | s, 0x50: a & s,
                 0x60: a << s % 32, 0x70: a >> s % 32, 0x80: -a, 0xa0: a ^ s}[op] & 0xffffffff
        elif klass == 5:
            s, op = (x if code & 8 else k), code & 0xf0
            if op == 0:
                pc += k
            else:
                pc += jt if (a == s if op == 0x10 else a > s if op == 0x20 else a >= s if op == 0x30 else a & s) else jf
        elif klass == 6:
            return a if code & 0x18 == 0x10 else k
        elif code & 0x80:
            a = x
        else:
            x = a


def answer(program, arch, number, args, ip=0, touched=None):
    words = [number, arch, ip & 0xffffffff, ip >> 32]
    for v in args:
        words += [v & 0xffffffff, v >> 32]
    return run(program, words, touched)


def kind(word):
    """What counts for a policy: it runs, a supervisor decides, it is refused."""
    upper = word & 0xffff0000
    return "runs" if upper in ALLOW else "supervised" if upper in (0x7ff00000, 0x7fc00000) else "refused"


class Cmp(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def libseccomp():
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_init.argtypes = [ctypes.c_uint32]
    lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    lib.seccomp_arch_resolve_name.argtypes = [ctypes.c_char_p]
    lib.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    return lib


def compiled(data, lib=libseccomp()):
    """What runc 1.1 loads for a profile, its ENOSYS prefix for x86_64 included. Refused: runc or libseccomp would not."""
    return load(bounded(2, lambda: as_runc(data, lib)))


def as_runc(data, lib):
    try:
        profile = json.loads(data)
        default = action(profile, "defaultAction", "defaultErrnoRet")
        ctx = lib.seccomp_init(default)
        if not ctx:
            raise Refused("seccomp_init")
        largest = add_all(lib, ctx, profile, default)
        with tempfile.TemporaryFile() as out:
            if lib.seccomp_export_bpf(ctx, out.fileno()):
                raise Refused("export")
            os.lseek(out.fileno(), 0, 0)
            program = out.read()
    except (KeyError, TypeError, ValueError, AttributeError, ctypes.ArgumentError) as e:
        raise Refused(repr(e)) from e
    if default in ALLOW or not profile.get("architectures") or largest is None:
        return program
    prefix = [(0x20, 0, 0, 4), (0x15, 0, 4, X86_64), (0x20, 0, 0, 0), (0x45, 2, 0, 1 << 30), (0x25, 0, 1, largest),
              (0x06, 0, 0, 0x50026)]
    return b"".join(struct.pack("<HBBI", *i) for i in prefix) + program


def action(entry, key, number):
    word = ACTIONS[entry[key]]
    if word == 0x50000:
        value = entry.get(number, errno.EPERM)
        if not isinstance(value, int) or value < 0:
            raise Refused("errno")
        word |= value & 0xffff
    return word


def add_all(lib, ctx, profile, default):
    for name in profile.get("architectures") or []:
        token = {"SCMP_ARCH_X86_64": b"x86_64", "SCMP_ARCH_X86": b"x86", "SCMP_ARCH_X32": b"x32"}.get(name)
        if token is None:
            raise Refused(name)
        if lib.seccomp_arch_add(ctx, lib.seccomp_arch_resolve_name(token)) not in (0, -errno.EEXIST):
            raise Refused("arch")
    largest = None
    for entry in profile.get("syscalls") or []:
        word = action(entry, "action", "errnoRet")
        args = [Cmp(a["index"], OPS[a["op"]], a["value"], a.get("valueTwo", 0)) for a in entry.get("args") or []]
        for name in entry["names"]:
            if not name:
                raise Refused("empty name")
            n = lib.seccomp_syscall_resolve_name(name.encode())
            if n == -1:
                continue
            if n >= 0:
                largest = n if largest is None else max(largest, n)
            if word == default:
                continue
            repeated = len({a.arg for a in args}) < len(args)
            for rule in ([a] for a in args) if repeated else [args]:
                array = (Cmp * max(len(rule), 1))(*rule)
                if lib.seccomp_rule_add_array(ctx, word, n, len(rule), array):
                    raise Refused(f"rule for {name}")
    return largest


def constants(program):
    return {k for code, _, _, k in program if code & 7 in (4, 5) and code != 5}


def universe(one, two, most):
    """Calls at and around every constant of either program; (arch, number, args)."""
    near = sorted({v & 0xffffffff for k in constants(one) | constants(two) for v in (k - 1, k, k + 1)} |
                  {0, 1, 0xffffffff, 0x80000000} |
                  {k ^ (1 << b) for k in (constants(one) | constants(two)) if k > 0xffff for b in (0, 16, 31)})
    numbers = sorted({v for v in near if v < 1024} | set(range(0, 470)) | {0x40000000 + v for v in (0, 16, 41, 512, 521)})
    for arch in (X86_64, 0x40000003, 0xc00000b7):
        for n in numbers if arch == X86_64 else numbers[::16]:
            touched = set()
            for program in (one, two):
                for args in ([0] * 6, [~0 & (1 << 64) - 1] * 6, [2] * 6, [1 << 32] * 6):
                    answer(program, arch, n, args, touched=touched)
            used = sorted(w for w in touched if w >= 4)
            yield arch, n, [0] * 6
            if not used:
                continue
            # words are tried together: all combinations while they are few, else one word at a time
            values = near if len(near) ** len(used) <= most else None
            combos = (itertools.product(near, repeat=len(used)) if values else
                      (tuple(v if i == j else base for j in range(len(used)))
                       for base in (0, 1, 2) for i in range(len(used)) for v in near))
            for combo in combos:
                words = dict(zip(used, combo))
                yield arch, n, [words.get(4 + 2 * i, 0) | words.get(5 + 2 * i, 0) << 32 for i in range(6)]
