"""System calls: what a filter, as bytes or as a profile, answers to `struct seccomp_data`, and what the policy says."""
from .documents import field, known
from .formulas import Refuted, Unusable, bits, both, either, no

# ---- system calls: what a filter answers -----------------------------------------------------------------------------
# seccomp(2), kernel/seccomp.c, net/core/filter.c. A word's upper half is the action.
ALLOW, LOG, NOTIFY, TRACE, ERRNO, TRAP, KILL_THREAD, KILL_PROCESS = 0x7fff, 0x7ffc, 0x7fc0, 0x7ff0, 5, 3, 0, 0x8000
EPERM, ENOSYS = 1, 38


class Answers:
    """Words of these actions, and these words; or (`others`) all but them. With `demanded` the policy's side has to be
    within the artifact's, else it is the other way round."""

    def __init__(self, actions, words=(), others=False, demanded=False):
        self.actions, self.words, self.others, self.demanded = actions, words, others, demanded
        self.least = demanded != others                                          # where it is not known: fewer words

    def has(self, word):
        return "true" if word >> 16 in self.actions or word in self.words else "false"

    def holds(self, term):
        return either(*(f"(= ((_ extract 31 16) {term}) {bits(a, 16)})" for a in self.actions),
                      *(f"(= {term} {bits(w, 32)})" for w in self.words))

    def side(self, returned):
        return no(returned) if self.others else returned


def answers(direction, demands=None):
    """What the artifact's side of a statement is about. `demands` is a control's: another errno, or another action."""
    if demands and (direction, demands) not in (("errno", "EPERM"), ("audit: permits all", "SECCOMP_RET_ALLOW")):
        raise Refuted(f"`{demands}` is no control of this statement")
    return {"no excess": Answers((ALLOW, LOG, NOTIFY, TRACE)),
            "no loss": Answers((ALLOW, LOG), demanded=True),
            "errno": Answers((ALLOW, LOG, NOTIFY, TRACE), (ERRNO << 16 | (EPERM if demands else ENOSYS),), others=True),
            "audit: permits all": Answers((ALLOW,) if demands else (ALLOW, LOG), demanded=True),
            "audit: reports every refusal": Answers((ALLOW, NOTIFY, TRACE)),
            "audit: reports nothing else": Answers((LOG,), others=True, demanded=True)}[direction]


CALL = {"nr": 32, "arch": 32, "ip": 64, **{f"arg{i}": 64 for i in range(6)}}
JUMPS = {0x10: "(= {} {})", 0x20: "(bvugt {} {})", 0x30: "(bvuge {} {})", 0x40: "(distinct (bvand {} {}) (_ bv0 32))"}
ALU = {0x00: "bvadd", 0x10: "bvsub", 0x20: "bvmul", 0x30: "bvudiv", 0x40: "bvor", 0x50: "bvand", 0x60: "bvshl",
       0x70: "bvlshr", 0xa0: "bvxor"}


def word_of_data(offset):
    if offset % 4 or offset >= 64:
        raise Unusable(f"the program loads byte {offset} of seccomp_data")
    if offset < 8:
        return "arch" if offset else "nr"
    return f"((_ extract {'63 32' if offset % 8 else '31 0'}) {'ip' if offset < 16 else f'arg{offset // 8 - 2}'})"


def program(s, code, wanted):
    """A `struct sock_filter` array, instruction by instruction. Programs go forward only."""
    if not code or len(code) % 8 or len(code) > 8 * 4096:
        raise Unusable("the filter is not a whole number of instructions, at most 4096")
    length, outcome = len(code) // 8, []
    ways = [[] for _ in range(length)]  # into each instruction: when, and what A, X and the scratch words then are
    ways[0] = [("true", ("(_ bv0 32)", "(_ bv0 32)") + (None,) * 16)]

    def go(target, when, registers):
        if target >= length:
            raise Unusable("the program runs past its end")
        ways[target].append((when, tuple(registers)))

    for at in range(length):
        if not ways[at]:
            continue
        op, jt, jf, k = (int.from_bytes(code[8 * at + a:8 * at + b], "little") for a, b in ((0, 2), (2, 3), (3, 4), (4, 8)))
        here = s.define(f"at{at}", either(*(when for when, _ in ways[at])))
        r = []
        for n, values in enumerate(zip(*(registers for _, registers in ways[at]))):
            value = values[-1]
            if any(v != value for v in values) and op != 0x06:
                if None in values:
                    value = None  # the kernel refuses a program that reads it from here on
                else:
                    for (when, _), v in list(zip(ways[at], values))[-2::-1]:
                        value = v if v == value else f"(ite {when} {v} {value})"
                    value = s.define(f"r{n}.{at}", value, 32)
            r.append(value)
        kind, other = op & 7, r[1] if op & 8 else bits(k, 32)
        if op == 0x06:                                                           # return a constant
            outcome.append(both(here, wanted.has(k)))
            continue
        if op == 0x16:                                                           # return A
            outcome.append(both(here, wanted.holds(r[0])))
            continue
        if op == 0x05:
            go(at + 1 + k, here, r)
            continue
        if kind == 5 and op & 0xf0 in JUMPS and op >> 8 == 0:
            test = s.define(f"test{at}", JUMPS[op & 0xf0].format(r[0], other))
            go(at + 1 + jt, both(here, test), r)
            go(at + 1 + jf, both(here, no(test)), r)
            continue
        if op == 0x20:
            r[0] = s.define(f"a{at}", word_of_data(k), 32)
        elif op in (0x00, 0x01, 0x80, 0x81):                                     # a constant, or the length of the data
            r[op & 1] = bits(64 if op & 0x80 else k, 32)
        elif op in (0x60, 0x61, 0x02, 0x03) and k < 16:                          # scratch memory
            if kind > 1:
                r[2 + k] = r[kind - 2]
            elif r[2 + k] is None:
                raise Unusable("scratch memory is read before it is written")
            else:
                r[kind] = r[2 + k]
        elif op in (0x07, 0x87):
            r[op == 0x07] = r[op != 0x07]
        elif op == 0x84:
            r[0] = s.define(f"a{at}", f"(bvneg {r[0]})", 32)
        elif kind == 4 and op & 0xf0 in ALU and op >> 8 == 0:
            if op & 8 and op & 0xf0 in (0x60, 0x70):                             # a register's low five bits count
                other = f"(bvand {other} (_ bv31 32))"
            if op == 0x3c:                                                       # by zero: the program ends with 0
                here = both(here, f"(distinct {other} (_ bv0 32))")
            r[0] = s.define(f"a{at}", f"({ALU[op & 0xf0]} {r[0]} {other})", 32)
        else:
            raise Unusable(f"instruction {at} has the code {op:#x}, which seccomp does not take")
        go(at + 1, here, r)
    return wanted.side(either(*outcome))


# runc 1.1 with libseccomp 2.5: config-linux.md, seccomp_linux.go, patchbpf/enosys_linux.go, db.c.
WORDS = {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_LOG": LOG, "SCMP_ACT_NOTIFY": NOTIFY, "SCMP_ACT_TRACE": TRACE, "SCMP_ACT_ERRNO": ERRNO,
         "SCMP_ACT_TRAP": TRAP, "SCMP_ACT_KILL": KILL_THREAD, "SCMP_ACT_KILL_THREAD": KILL_THREAD, "SCMP_ACT_KILL_PROCESS": KILL_PROCESS}
COMPARE = {"SCMP_CMP_EQ": "(= {} {})", "SCMP_CMP_NE": "(distinct {} {})", "SCMP_CMP_LT": "(bvult {} {})",
           "SCMP_CMP_LE": "(bvule {} {})", "SCMP_CMP_GT": "(bvugt {} {})", "SCMP_CMP_GE": "(bvuge {} {})"}
ARCHS = {"SCMP_ARCH_X86_64": "x86_64", "SCMP_ARCH_X86": "i386", "SCMP_ARCH_X32": "x32", "SCMP_ARCH_AARCH64": "aarch64",
         "SCMP_ARCH_RISCV64": "riscv64"}
# Of i386, behind one number each, told apart by the first argument: uapi/linux/net.h, uapi/linux/ipc.h.
BEHIND = {**{name: ("socketcall", n) for n, name in enumerate((
    "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt "
    "getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg").split(), 1)},
    **{name: ("ipc", n) for name, n in zip("semop semget semctl semtimedop msgsnd msgrcv msgget msgctl shmat shmdt shmget shmctl".split(),
                                           (1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24))}}


def word(entry, action, data):
    """An action with its errno, which is EPERM where none is given."""
    errno, action = entry.get(data), WORDS[entry[action]]
    if errno is not None and (type(errno) is not int or not 0 <= errno <= 4095 or action not in (ERRNO, TRACE)):
        raise Unusable(f"an errno of the profile is not understood: {errno!r}")
    return action << 16 | ((EPERM if errno is None else errno) if action in (ERRNO, TRACE) else 0)


def comparison(c, low_word):
    """libseccomp compares 64 bits, and of an architecture of 32 bits the lower word (db.c, _db_rule_gen_32)."""
    known(c, ("index", "value", "valueTwo", "op"), "a condition of the profile")
    index, value, second, width = c["index"], c["value"], c.get("valueTwo") or 0, 32 if low_word else 64
    if any(type(v) is not int or not 0 <= v < 2 ** 64 for v in (index, value, second)) or index > 5:
        raise Unusable("a condition of the profile has no such argument or value")
    argument, keep = f"((_ extract 31 0) arg{index})" if low_word else f"arg{index}", 2 ** width - 1
    if c["op"] == "SCMP_CMP_MASKED_EQ":
        mask = value & keep
        return f"(= (bvand {argument} {bits(mask, width)}) {bits(second & mask, width)})" if mask else "true"
    return COMPARE[c["op"]].format(argument, bits(value & keep, width))


def profile(s, spec, policy, machine, wanted):
    known(spec, ("defaultAction", "defaultErrnoRet", "architectures", "flags", "syscalls"), "the profile")
    default = word(spec, "defaultAction", "defaultErrnoRet")
    listed = [ARCHS[a] for a in spec.get("architectures") or []]
    if spec.get("flags"):
        raise Unusable("the profile has flags")
    archs, rules, largest = dict.fromkeys([machine, *listed]), {}, {}
    for arch in archs:
        if arch not in policy["calls"]:
            raise Unusable(f"policy.json has no table of {arch}")
        table, audit = {c["name"]: c for c in policy["calls"][arch]["calls"]}, policy["calls"][arch]["audit"]
        for entry in spec.get("syscalls") or []:
            known(entry, ("names", "action", "errnoRet", "args"), "an entry of the profile")
            answer, conditions = word(entry, "action", "errnoRet"), entry.get("args") or []
            repeated = len({c["index"] for c in conditions}) < len(conditions)
            for name in entry["names"]:
                call = table.get(name)                                           # of one that there is not nothing is left
                behind, first = BEHIND.get(name, (None, 0)) if arch == "i386" else (None, 0)
                if call and not behind:
                    largest[arch] = max(largest.get(arch, 0), call["number"])
                if answer == default:
                    continue                                                     # runc skips it
                if call and call["named"] > policy["target"]["libseccomp_names"] and call["since"] <= policy["target"]["kernel"]:
                    raise Unusable(f"libseccomp may not know `{name}`")
                # a repeated argument makes its conditions alternatives
                for way in [[c] for c in conditions] if repeated else [conditions]:
                    if call:
                        when = both(*(comparison(c, arch in ("i386", "x32")) for c in way))
                        rules.setdefault((audit, call["number"]), []).append((when, wanted.has(answer)))
                    if behind:                                                   # it takes the first argument's place
                        when = both(f"(= ((_ extract 31 0) arg0) {bits(first, 32)})", *(comparison(c, True) for c in way if c["index"]))
                        rules.setdefault((audit, table[behind]["number"]), []).append((when, wanted.has(answer)))
    # runc answers ENOSYS above the largest number of an architecture that is listed, unless the default lets calls run
    above = {arch: f"(bvugt nr {bits(largest[arch], 32)})" if arch in listed and arch in largest and default >> 16 not in (ALLOW, LOG, TRACE)
             else "false" for arch in ARCHS.values()}
    returned = []
    for audit in dict.fromkeys(policy["calls"][arch]["audit"] for arch in archs):
        here = {number: ways for (a, number), ways in rules.items() if a == audit}
        numbers = [both(no(either(*(f"(= nr {bits(n, 32)})" for n in here))), wanted.has(default))]
        for number, ways in here.items():
            always = [runs for when, runs in ways if when == "true"][:1]         # one without conditions stands for all
            when = either(*(w for w, _ in ways))
            # whatever libseccomp tries first: all rules that match, or some
            runs = always[0] if always else either(
                both(when, *(either(no(w), r) for w, r in ways)) if wanted.least else either(*(both(w, r) for w, r in ways)),
                both(no(when), wanted.has(default)))
            numbers.append(s.define(f"{audit}.{number}.profile", both(f"(= nr {bits(number, 32)})", runs)))
        answer, (arch, *_) = either(*numbers), [a for a in archs if policy["calls"][a]["audit"] == audit]
        stub = above[arch]
        if arch in ("x86_64", "x32"):
            if "x32" not in archs:                                               # its numbers are another architecture's, but for -1
                answer = both(answer, f"(or (bvult nr {bits(1 << 30, 32)}) (= nr {bits(2 ** 32 - 1, 32)}))")
            x32 = "(= ((_ extract 30 30) nr) (_ bv1 1))"
            stub = either(both(x32, above["x32"]), both(no(x32), above["x86_64"]))
        answer = either(both(no(stub), answer), both(stub, wanted.has(ERRNO << 16 | ENOSYS)))
        returned.append(s.define(f"{audit}.profile", both(f"(= arch {bits(audit, 32)})", answer)))
    return wanted.side(either(*returned))


def section(document, pointer):
    """The profile in a document: itself, or what an engine finds at `/linux/seccomp`."""
    for name in pointer.split("/")[1:]:
        document = field(document, name, "the configuration")
    return document


# ---- system calls: what the policy says ------------------------------------------------------------------------------

def condition(test, call, refuses, registers):
    """One test of a pattern, under the bits that the kernel looks at. Where it is not known for sure whether it looks at
    the upper half, a refusal holds under either reading, a grant under both."""
    index, mask = test["argument"], int(call["masks"][test["argument"]], 16)
    values = [bits(int(v, 16), 64) for v in test["values"]]

    def under(m):
        x = f"(bvand {registers}{index} {bits(m & int(test.get('mask', hex(2 ** 64 - 1)), 16), 64)})"
        form = {"==": "(= {} {})", "in": "(= {} {})", "&": "(= {} {})", "!=": "(distinct {} {})", "<": "(bvult {} {})",
                "<=": "(bvule {} {})", ">": "(bvugt {} {})", ">=": "(bvuge {} {})"}[test["op"]]
        return either(*(form.format(x, v) for v in values))

    if index not in call.get("unclassified", []):
        return under(mask)
    return (either if refuses else both)(under(mask), under(mask & 0xffffffff))


def matches(patterns, arch, call, refuses, registers="arg"):
    return either(*(both(*(condition(t, call, refuses, registers) for t in p["tests"]))
                    for p in patterns if p["call"] == call["name"] and arch in p["arch"]))


def decided(policy, arch, call, only=lambda rule: True, registers="arg"):
    """Where rules allow a call, and where rules refuse it."""
    sides = {False: [], True: []}
    for rule in policy["rules"]:
        if rule["block"] == "syscall" and only(rule):
            refuses = rule["effect"] != "allow"
            inside = matches(rule["patterns"], arch, call, refuses, registers)
            sides[refuses].append(both(inside, no(matches(rule["except"], arch, call, not refuses, registers))))
    return either(*sides[False]), either(*sides[True])


def needed(policy, call):
    """What the loader calls for itself."""
    return either(*("true" if "argument" not in need else
                    f"(= (bvand arg{need['argument']} {bits(int(need['zero_under'], 16), 64)}) (_ bv0 64))"
                    for need in policy["loader_needs"] if need["call"] == call["name"]))


def is_call(table, call):
    return both(f"(= arch {bits(table['audit'], 32)})", f"(= nr {bits(call['number'], 32)})")


def policy_side(s, policy, machine, loader, direction):
    """What may run; or, of a statement that demands, what has to."""
    if direction == "errno":
        return errno_side(policy, machine, loader)
    demanded, out = answers(direction).demanded, []
    for arch, table in policy["calls"].items():
        if demanded and table["machine"] != machine:
            continue                                                             # this machine can't make its calls
        for call in table["calls"]:
            if demanded and call["since"] > policy["target"]["kernel"]:
                continue                                                         # the kernel has no such call
            allowed, refused = decided(policy, arch, call)
            gap = either(*(matches([g["pattern"]], arch, call, g["refuses"]) for g in policy["gaps"]
                           if g["block"] == "syscall" and (g["may"] == "lack") == demanded))
            if direction == "audit: permits all":
                may = "true"
            elif demanded:
                may = both(allowed, no(refused), no(gap))
            else:
                may = either(both(either(allowed, needed(policy, call) if loader else "false"), no(refused)), gap)
            if may != "false":
                out.append(s.define(f"{arch}.{call['name']}", both(is_call(table, call), may)))
    return either(*out)


def errno_side(policy, machine, loader):
    """All but a clone3 that is refused without an errno of its own, where `clone` has conditions: some registers, `yes`,
    with which it is allowed, and some, `no`, with which it is not. libc falls back from ENOSYS, and from nothing else."""
    wrong = []
    for arch, table, calls in tables_with_clone(policy, machine):
        conditions = clone_depends(policy, arch, calls)
        allowed, refused = decided(policy, arch, calls["clone3"])
        named = decided(policy, arch, calls["clone3"], lambda rule: "denial" in rule)[1]
        may = both(either(allowed, needed(policy, calls["clone3"]) if loader else "false"), no(refused))
        wrong.append(both(is_call(table, calls["clone3"]), no(either(named, may)), conditions))
    return no(either(*wrong))


def tables_with_clone(policy, machine):
    for arch, table in policy["calls"].items():
        calls = {call["name"]: call for call in table["calls"]}
        if table["machine"] == machine and {"clone", "clone3"} <= set(calls):
            yield arch, table, calls


def clone_depends(policy, arch, calls):
    allowed, refused = decided(policy, arch, calls["clone"], registers="yes")
    conditions = both(allowed, no(refused))
    allowed, refused = decided(policy, arch, calls["clone"], registers="no")
    return both(conditions, no(both(allowed, no(refused))))


def clone_conditions(policy, machine):
    """Satisfiable where `clone` has conditions: one formula for each table of the machine."""
    return [clone_depends(policy, arch, calls) for arch, _, calls in tables_with_clone(policy, machine)]


def inputs(direction):
    more = {f"{word}{i}": 64 for word in ("yes", "no") for i in range(6)} if direction == "errno" else {}
    return {**CALL, **more}
