"""System calls: what a filter, as bytes or as a profile, answers to `struct seccomp_data`, and what the policy says."""
from .formulas import Unusable, bits, both, either, no

# ---- system calls: what a filter answers -----------------------------------------------------------------------------
# seccomp(2), kernel/seccomp.c, net/core/filter.c. A word's upper half is the action: these run, or may be let run.
RUNS, MAY_RUN = (0x7fff, 0x7ffc), (0x7fff, 0x7ffc, 0x7fc0, 0x7ff0)
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


def program(s, code, demanded):
    """A `struct sock_filter` array, instruction by instruction. Programs go forward only."""
    if not code or len(code) % 8 or len(code) > 8 * 4096:
        raise Unusable("the filter is not a whole number of instructions, at most 4096")
    length, actions, outcome = len(code) // 8, RUNS if demanded else MAY_RUN, []
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
            outcome.append(both(here, "true" if k >> 16 in actions else "false"))
            continue
        if op == 0x16:                                                           # return A
            outcome.append(both(here, either(*(f"(= ((_ extract 31 16) {r[0]}) {bits(a, 16)})" for a in actions))))
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
    return either(*outcome)


# runc 1.1 with libseccomp 2.5: config-linux.md, seccomp_linux.go, patchbpf/enosys_linux.go, db.c.
WORDS = {"SCMP_ACT_ALLOW": 0x7fff, "SCMP_ACT_LOG": 0x7ffc, "SCMP_ACT_NOTIFY": 0x7fc0, "SCMP_ACT_TRACE": 0x7ff0,
         "SCMP_ACT_ERRNO": 5, "SCMP_ACT_TRAP": 3, "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x8000}
COMPARE = {"SCMP_CMP_EQ": "(= {} {})", "SCMP_CMP_NE": "(distinct {} {})", "SCMP_CMP_LT": "(bvult {} {})",
           "SCMP_CMP_LE": "(bvule {} {})", "SCMP_CMP_GT": "(bvugt {} {})", "SCMP_CMP_GE": "(bvuge {} {})"}
ARCHS = {"SCMP_ARCH_X86_64": "x86_64", "SCMP_ARCH_AARCH64": "aarch64", "SCMP_ARCH_RISCV64": "riscv64"}


def known(thing, keys, what):
    """Go takes a field's name in any case; only the written one is taken here."""
    if not isinstance(thing, dict) or any(k not in keys for k in thing):
        raise Unusable(f"{what} has fields that are not understood")
    return thing


def comparison(c):
    known(c, ("index", "value", "valueTwo", "op"), "a condition of the profile")
    argument, value = f"arg{c['index']}", c["value"]
    if c["index"] not in range(6) or not all(isinstance(v, int) and 0 <= v < 2 ** 64 for v in (value, c.get("valueTwo", 0))):
        raise Unusable("a condition of the profile has no such argument or value")
    if c["op"] == "SCMP_CMP_MASKED_EQ":
        wanted = c.get("valueTwo", 0) & value
        return f"(= (bvand {argument} {bits(value, 64)}) {bits(wanted, 64)})" if value else "true"
    return COMPARE[c["op"]].format(argument, bits(value, 64))


def profile(s, spec, policy, machine, demanded):
    known(spec, ("defaultAction", "defaultErrnoRet", "architectures", "flags", "syscalls"), "the profile")
    actions = RUNS if demanded else MAY_RUN
    lets = lambda word: "true" if word in actions else "false"
    default = (WORDS[spec["defaultAction"]], spec.get("defaultErrnoRet", 1))
    listed = [ARCHS[a] for a in spec.get("architectures") or []]
    if spec.get("flags"):
        raise Unusable("the profile has flags")
    answers = []
    for arch in dict.fromkeys([machine, *listed]):
        if arch not in policy["calls"]:
            raise Unusable(f"policy.json has no table of {arch}")
        table = {c["name"]: c for c in policy["calls"][arch]["calls"]}
        rules, largest = {}, 0
        for entry in spec.get("syscalls") or []:
            known(entry, ("names", "action", "errnoRet", "args"), "an entry of the profile")
            answer = (WORDS[entry["action"]], entry.get("errnoRet", 1))
            conditions = entry.get("args") or []
            repeated = len({c["index"] for c in conditions}) < len(conditions)
            for name in entry["names"]:
                if name not in table:
                    continue                                                     # libseccomp has no such call: dropped
                call = table[name]
                largest = max(largest, call["number"])
                if answer[0] == default[0] and (answer[0] != 5 or answer == default):
                    continue                                                     # runc skips it
                if call["named"] > policy["target"]["libseccomp_names"] and call["since"] <= policy["target"]["kernel"]:
                    raise Unusable(f"libseccomp may not know `{name}`")
                # a repeated argument makes its conditions alternatives
                for way in [[c] for c in conditions] if repeated else [conditions]:
                    rules.setdefault(call["number"], []).append((both(*map(comparison, way)), lets(answer[0])))
        numbers = [no(either(*(f"(= nr {bits(n, 32)})" for n in rules))) if lets(default[0]) == "true" else "false"]
        for number, ways in rules.items():
            always = [runs for when, runs in ways if when == "true"][:1]         # one without conditions stands for all
            when = either(*(w for w, _ in ways))
            # whatever libseccomp tries first: permitted if some rule that matches permits, demanded of all that match
            runs = always[0] if always else either(
                both(when, *(either(no(w), r) for w, r in ways)) if demanded else either(*(both(w, r) for w, r in ways)),
                both(no(when), lets(default[0])))
            numbers.append(s.define(f"{arch}.{number}.profile", both(f"(= nr {bits(number, 32)})", runs)))
        answer = either(*numbers)
        if arch in listed and largest and default[0] not in (0x7fff, 0x7ffc, 0x7ff0):
            stub = f"(bvugt nr {bits(largest, 32)})"                             # runc answers ENOSYS
            answer = both(answer, no(stub if arch != "x86_64" else both(stub, "(= ((_ extract 30 30) nr) (_ bv0 1))")))
        if arch == "x86_64":                                                     # x32, but for -1
            answer = both(answer, f"(or (bvult nr {bits(1 << 30, 32)}) (= nr {bits(2 ** 32 - 1, 32)}))")
        answers.append(both(f"(= arch {bits(policy['calls'][arch]['audit'], 32)})", answer))
    return either(*answers)


# ---- system calls: what the policy says ------------------------------------------------------------------------------

def condition(test, call, refuses):
    """One test of a pattern, under the bits that the kernel looks at. Where it is not known for sure whether it looks at
    the upper half, a refusal holds under either reading, a grant under both."""
    index, mask = test["argument"], int(call["masks"][test["argument"]], 16)
    values = [bits(int(v, 16), 64) for v in test["values"]]

    def under(m):
        x = f"(bvand arg{index} {bits(m & int(test.get('mask', hex(2 ** 64 - 1)), 16), 64)})"
        form = {"==": "(= {} {})", "in": "(= {} {})", "&": "(= {} {})", "!=": "(distinct {} {})", "<": "(bvult {} {})",
                "<=": "(bvule {} {})", ">": "(bvugt {} {})", ">=": "(bvuge {} {})"}[test["op"]]
        return either(*(form.format(x, v) for v in values))

    if index not in call.get("unclassified", []):
        return under(mask)
    return (either if refuses else both)(under(mask), under(mask & 0xffffffff))


def matches(patterns, arch, call, refuses):
    return either(*(both(*(condition(t, call, refuses) for t in p["tests"]))
                    for p in patterns if p["call"] == call["name"] and arch in p["arch"]))


def policy_side(s, policy, machine, loader, demanded):
    out = []
    for arch, table in policy["calls"].items():
        if demanded and table["machine"] != machine:
            continue                                                             # this machine can't make its calls
        for call in table["calls"]:
            if demanded and call["since"] > policy["target"]["kernel"]:
                continue                                                         # the kernel has no such call
            allowed, refused = [], []
            for rule in policy["rules"]:
                if rule["block"] != "syscall":
                    continue
                refuses = rule["effect"] != "allow"
                inside = matches(rule["patterns"], arch, call, refuses)
                if inside != "false":
                    (refused if refuses else allowed).append(both(inside, no(matches(rule["except"], arch, call, not refuses))))
            for need in policy["loader_needs"] if loader and not demanded else []:
                if need["call"] == call["name"]:
                    allowed.append("true" if "argument" not in need else
                                   f"(= (bvand arg{need['argument']} {bits(int(need['zero_under'], 16), 64)}) (_ bv0 64))")
            gap = either(*(matches([g["pattern"]], arch, call, g["refuses"]) for g in policy["gaps"]
                           if g["block"] == "syscall" and (g["may"] == "lack") == demanded))
            may = both(either(*allowed), no(either(*refused)))
            may = both(may, no(gap)) if demanded else either(may, gap)
            if may != "false":
                out.append(s.define(f"{arch}.{call['name']}", both(f"(= arch {bits(table['audit'], 32)})",
                                                                   f"(= nr {bits(call['number'], 32)})", may)))
    return either(*out)
