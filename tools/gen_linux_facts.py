#!/usr/bin/env python3
"""Writes the tables of compiler/linux/tables from tools/data and the installed kernel headers.

In:  tools/data/*.tsv (each names its own source) and the headers of the
     packages linux-libc-dev and libc6-dev, whose macros and enumerators the C compiler evaluates.
Out: compiler/linux/tables/*.inc, sorted, the same bytes for the same input.

Constants are x86_64's, with those of another architecture where they differ (constants_arch.tsv, which
tools/survey_arch_constants makes).
    tools/gen_linux_facts.py            writes
    tools/gen_linux_facts.py --check    compares with what is committed: 0 the same, 1 different, 77 headers missing
Sources by class: numbers, versions, prototypes and masks: tools/data; constants: linux-libc-dev, where tools/data does
not add newer ones or another architecture's; errno: asm-generic/errno.h; capabilities: linux/capability.h.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "tools" / "data"
TABLES = ROOT / "compiler" / "linux" / "tables"
HEADERS = pathlib.Path("/usr/include/x86_64-linux-gnu/asm")
ARCHES = ["x86_64", "i386", "x32", "aarch64", "riscv64"]  # as enum Arch
# The first kernel of an architecture, or "older than 3.0": what since.tsv leaves out.
OLDEST = {"x86_64": (2, 6), "i386": (2, 6), "x32": (3, 4), "aarch64": (3, 7), "riscv64": (4, 15)}
X32_BIT = 0x40000000
PACKAGE_SERIES = "6.1."  # Debian 12's linux-libc-dev; another series would give other constants
WIDTH = {"i32": 32, "u32": 32, "u16": 16, "i64": 64, "u64": 64, "ptr": 64}
MASK = {0: "0", 16: "w16", 32: "w32", 64: "w64"}

# No constants for a policy: limits, unions of all known bits and other sentinels, which move from kernel to kernel;
# what stands only behind a pointer (BPF program types, io_uring operations: constant_groups.tsv leaves them out); and
# ETH_P_*, which the register holds in network byte order, so that a comparison with the constant would never match.
SKIP = re.compile(r"_(MAX|LAST|NR|SIZEOF|MAXNAME|NUM|BITS|LAST_CAP|SUPPORTED|SUPPORTED_MASK|ALL_CMD|SHIFT|LATEST)$"
                  r"|__|_SIZE_VER|^UFFD_API_|^TCP_(NLA|FLAG|MD5SIG|CA|ACCECN)_|^CLONE_ARGS|^KVM_RUN_|^MNT_ID_REQ"
                  r"|^(RLIM_INFINITY|FUTEX_CMD_MASK|RLIM_NLIMITS|SIGSTKSZ|MPOL_USER_NODEMASK_FLAGS|PTRACE_O_MASK)$"
                  r"|^SCHED_FLAG_ALL$|^SIGRTMAX$|^PTRACE_CFI_")


def read_table(name):
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def fail(message):
    sys.exit(f"gen_linux_facts: {message}")


# --- system calls -----------------------------------------------------------------------------------------------------


def parse_arguments(where, text):
    """[(primary name or "", aliases, type)]"""
    arguments = []
    for field in [] if text in ("void", "*") else text.split(" "):
        names, kind = field.rsplit(":", 1)
        primary, *aliases = names.split("=")
        for name in [primary, *aliases]:
            if name != "-" and (not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or re.fullmatch(r"arg[0-5]", name)):
                fail(f"{where}: {name} can't name an argument")
        arguments.append(("" if primary == "-" else primary, aliases, kind))
    names = [n for a in arguments for n in [a[0], *a[1]] if n]
    if len(arguments) > 6 or len(set(names)) != len(names):
        fail(f"{where}: more than six arguments, or one name for two of them")
    return arguments


def load_masks(prototypes):
    """(call, argument's name) -> bits or None for unclassified"""
    masks = {}
    for call, argument, bits, _ in read_table("masks.tsv"):
        kinds = {a[0] or f"arg{i}": a[2] for i, a in enumerate(prototypes[call])}
        if argument not in kinds:
            fail(f"masks.tsv: {call} has no argument {argument}")
        if (call, argument) in masks or kinds[argument] == "ptr":
            fail(f"masks.tsv: {call} {argument}: written twice, or a pointer")
        masks[call, argument] = None if bits == "?" else int(bits)
    return masks


def load_prototypes():
    """architecture -> call -> ([argument], [mask's bits or None for unclassified])"""
    common = {}
    for call, text in read_table("prototypes.tsv"):
        if call in common:
            fail(f"prototypes.tsv: {call}: written twice")
        common[call] = parse_arguments(f"prototypes.tsv: {call}", text)
    masks = load_masks(common)
    rows = {arch: {call: (call, arguments) for call, arguments in common.items()} for arch in ARCHES}
    for arch, call, text in read_table("prototypes_arch.tsv"):
        where = f"prototypes_arch.tsv: {arch} {call}"
        source = text[1:] if text.startswith("=") else call
        arguments = common[source] if text.startswith("=") else parse_arguments(where, text)
        if rows[arch].get(call, (source, None)) == (source, arguments):
            fail(f"{where}: as in prototypes.tsv")
        rows[arch][call] = (source, arguments)
    return {arch: {call: (arguments, [mask_of(arch, source, a, i, masks) for i, a in enumerate(arguments)])
                   for call, (source, arguments) in calls.items()} for arch, calls in rows.items()}


def mask_of(arch, call, argument, index, masks):
    width = WIDTH[argument[2]]
    bits = masks.get((call, argument[0] or f"arg{index}"), width)
    if arch == "i386":  # a register has 32 bits, and a long too: nothing is shifted out
        return min(32, width if bits in (None, 0) else bits)
    # what another argument decides is all of it where the register is no wider than the narrower choice
    return (width if width <= 32 else None) if bits is None else min(width, bits)


def load_numbers():
    """architecture -> call -> number as seccomp_data.nr has it"""
    table = {arch: {} for arch in ARCHES}
    for name, *values in read_table("numbers.tsv"):
        for arch, value in zip(ARCHES, values, strict=True):
            if value != "-":
                table[arch][name] = int(value) | (X32_BIT if arch == "x32" else 0)
    return table


def load_since():
    """architecture -> call -> (major, minor), for the calls that since.tsv names there"""
    table = {arch: {} for arch in ARCHES}
    for call, *versions in read_table("since.tsv"):
        for arch, version in zip(ARCHES, versions, strict=True):
            if version != "-":
                table[arch][call] = tuple(map(int, version.split(".")))
    return table


def compare_with_headers(numbers):
    for arch, header in (("x86_64", "unistd_64.h"), ("i386", "unistd_32.h"), ("x32", "unistd_x32.h")):
        text = (HEADERS / header).read_text(encoding="utf-8")
        rows = re.findall(r"^#define __NR_(\w+) (\(__X32_SYSCALL_BIT \+ )?(\d+)\)?$", text, re.M)
        if len(rows) < 300:
            fail(f"{header}: {len(rows)} numbers")
        for name, bit, number in rows:
            number = int(number) | (X32_BIT if bit else 0)
            if numbers[arch].get(name) != number:
                fail(f"numbers.tsv: {name} is {numbers[arch].get(name)} on {arch}, {number} in {header}")


def write_syscalls(numbers, since, prototypes):
    """One file for each architecture's calls, and one for the arguments, which most of them share."""
    shared = {}
    for arch in ARCHES:
        calls = sorted(numbers[arch].items(), key=lambda item: item[1])
        if len({number for _, number in calls}) != len(calls):
            fail(f"numbers.tsv: one number twice on {arch}")
        lines = [f"inline constexpr Syscall {arch}_calls[] = {{"]
        for name, number in calls:
            if name not in prototypes[arch]:
                fail(f"prototypes_arch.tsv: {name} of {arch} has no arguments")
            arguments, bits = prototypes[arch][name]
            fields = []
            for (argument, _, kind), mask in zip(arguments, bits, strict=True):
                known, pointer = ("true" if flag else "false" for flag in (mask is not None, kind == "ptr"))
                fields.append(f'{{"{argument}", {pointer}, {MASK[64 if mask is None else mask]}, {known}}}')
            fields += ["unused"] * (6 - len(arguments))
            index = shared.setdefault(", ".join(fields), len(shared))
            major, minor = since[arch].get(name, OLDEST[arch])
            shown = f"x32_bit | {number - X32_BIT}" if arch == "x32" else number
            lines.append(f'    {{"{name}", {shown}, Arch::{arch}, {{{major}, {minor}}}, {len(arguments)}, args_{index}}},')
        lines += ["};", "", f"// Indices into {arch}_calls in the order of the names.",
                  f"inline constexpr std::uint16_t {arch}_by_name[] = {{"]
        order = sorted(range(len(calls)), key=lambda i: calls[i][0])
        emit(f"syscalls_{arch}.inc", "\n".join(lines + wrap([str(i) for i in order]) + ["};"]) + "\n")
    lines = [f"inline constexpr Argument args_{i}[] = {{{fields}}};" for fields, i in shared.items()]
    emit("arguments.inc", "\n".join(lines) + "\n")


def write_aliases(numbers, prototypes):
    """Rows by call, alias; the architectures where the alias names that register as the bits 1 << Arch."""
    rows = {}
    for bit, arch in enumerate(ARCHES):
        for call in numbers[arch]:
            for i, (_, aliases, _) in enumerate(prototypes[arch][call][0]):
                for alias in aliases:
                    rows[call, alias, i] = rows.get((call, alias, i), 0) | 1 << bit
    lines = ["inline constexpr Alias aliases[] = {"]
    lines += [f'    {{"{call}", "{alias}", {i}, {archs:#x}}},' for (call, alias, i), archs in sorted(rows.items())]
    emit("aliases.inc", "\n".join(lines + ["};"]) + "\n")


def write_names(numbers):
    names = sorted({name for arch in ARCHES for name in numbers[arch]})
    lines = ["inline constexpr std::string_view names_anywhere[] = {"] + wrap([f'"{n}"' for n in names]) + ["};"]
    emit("names.inc", "\n".join(lines) + "\n")


# --- constants --------------------------------------------------------------------------------------------------------


DROPPED = set()


COMPILER = ["cc"]  # survey_arch_constants asks another one


def compile_c(arguments, text):
    return subprocess.run([*COMPILER, "-std=gnu11", "-w", "-x", "c", *arguments, "-"], input=text, text=True,
                          capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=False)


def includes(headers):
    """The headers, after the types that the ioctl numbers among their macros measure."""
    return "#define _GNU_SOURCE\n" + "".join(f"#include <{h}>\n" for h in ["stddef.h", "linux/ioctl.h", *headers])


def names_in(headers, pattern):
    """Object-like macros and enumerators that the headers define and the pattern takes."""
    macros = compile_c(["-E", "-dM"], includes(headers))
    if macros.returncode != 0:
        fail(f"{headers}: {macros.stderr.strip()}")
    found = set(re.findall(r"^#define ([A-Za-z_]\w*) \S", macros.stdout, re.M))
    expanded = re.sub(r"^#.*$", "", compile_c(["-E"], includes(headers)).stdout, flags=re.M)
    for body in re.findall(r"\benum\b[^{;]*\{([^}]*)\}", expanded):
        depth_free = re.sub(r"\([^()]*\)", "", body)
        found |= {part.split("=")[0].strip() for part in depth_free.split(",")}
    return {n for n in found if re.fullmatch(r"[A-Z][A-Z0-9_]*", n) and re.match(pattern, n) and not SKIP.search(n)}


def constants_in(output):
    """(name, value) of each constant in what the compiler wrote."""
    return re.findall(r"^agp_(\w+):\n\t\.(?:quad\t(-?\d+)|zero\t8)$", output, re.M)


def evaluate(headers, names):
    """name -> value as unsigned 64 bits, for those that are integer constants in C."""
    names = sorted(names)
    prelude = includes(headers)
    while names:
        # One definition a line, so an error's line number names the macro that is no integer constant.
        body = "".join(f"const long long agp_{n} = (long long)({n}); _Static_assert(__builtin_constant_p({n}), \"\");\n"
                       for n in names)
        result = compile_c(["-S", "-O1", "-o", "-"], prelude + '#line 1 "names"\n' + body)
        bad = {int(line) - 1 for line in re.findall(r"^names:(\d+):\d+: error", result.stderr, re.M)}
        if result.returncode == 0:
            values = constants_in(result.stdout)
            if len(values) != len(names):
                fail(f"{headers}: {len(names)} constants, {len(values)} in the compiler's output")
            return {n: int(v or 0) & (2**64 - 1) for n, v in values}
        if not bad:
            fail(f"{headers}: {result.stderr.strip()}")
        DROPPED.update(names[i] for i in bad)
        names = [n for i, n in enumerate(names) if i not in bad]
    return {}


def load_constants_x86_64():
    constants = {}
    for headers, pattern in read_table("constant_groups.tsv"):
        headers = headers.split(" ")
        for name, value in evaluate(headers, names_in(headers, pattern)).items():
            constants.setdefault(name, value)
    for name, value, *_ in read_table("constants.tsv"):
        if constants.get(name, int(value, 0)) != int(value, 0):
            fail(f"constants.tsv: {name} is {value}, {constants[name]:#x} in the headers")
        constants[name] = int(value, 0)
    return constants


def load_constants():
    """name -> value on x86_64 or None, and (architecture, name) -> value or None where that differs"""
    constants, other = load_constants_x86_64(), {}
    for name, here, *cells in read_table("constants_arch.tsv"):
        here = None if here == "-" else int(here, 0)
        if constants.setdefault(name, here) != here:
            fail(f"constants_arch.tsv: {name} is {here:#x} on x86_64, {constants[name]:#x} in the headers")
        for arch, cell in zip(ARCHES[1:], cells, strict=True):
            if cell != "=":
                other[arch, name] = None if cell == "-" else int(cell, 0)
    return constants, other


def write_constants(constants, other):
    names = sorted(constants)
    lines = ["inline constexpr std::string_view constant_name_table[] = {"]
    lines += wrap([f'"{n}"' for n in names]) + ["};", "", "// On x86_64; 0 for a name that only another one has.",
                                                "inline constexpr std::uint64_t constant_value_table[] = {"]
    lines += wrap([f"{constants[n] or 0:#x}" for n in names]) + ["};", ""]
    rows = [(ARCHES.index(arch), names.index(name), value) for (arch, name), value in other.items()]
    rows += [(0, i, None) for i, name in enumerate(names) if constants[name] is None]
    lines += ["// By architecture, index of the name: where it is another one than x86_64's, or is not there.",
              "inline constexpr ArchConstant arch_constant_table[] = {"]
    lines += [f"    {{Arch::{ARCHES[arch]}, {index}, {'false' if value is None else 'true'}, {value or 0:#x}}},"
              f"  // {names[index]}" for arch, index, value in sorted(rows, key=lambda r: r[:2])] + ["};"]
    emit("constants.inc", "\n".join(lines) + "\n")


def write_errnos():
    names = names_in(["asm/errno.h"], r"E[A-Z0-9]+$")
    values = evaluate(["asm/errno.h"], names)
    by_value = {}
    for name, value in sorted(values.items()):
        by_value.setdefault(value, []).append(name)
    # EWOULDBLOCK and EDEADLOCK are the second names of EAGAIN and EDEADLK (asm-generic/errno.h).
    second = {"EWOULDBLOCK", "EDEADLOCK"}
    names = sorted(values)
    lines = ["inline constexpr Errno errno_table[] = {"] + [f'    {{"{n}", {values[n]}}},' for n in names] + ["};", ""]
    lines += ["// By value; empty where no error has it.", "inline constexpr std::string_view errno_names[] = {"]
    top = max(values.values())
    rows = []
    for value in range(top + 1):
        candidates = [n for n in by_value.get(value, []) if n not in second]
        if len(candidates) > 1:
            fail(f"errno {value} has the names {candidates}")
        rows.append(f'"{candidates[0] if candidates else ""}"')
    emit("errnos.inc", "\n".join(lines + wrap(rows)) + "\n};\n")


def write_capabilities():
    names = names_in(["linux/capability.h"], r"CAP_")
    values = {n: v for n, v in evaluate(["linux/capability.h"], names).items() if v < 64}
    order = sorted(values, key=values.get)
    if [values[n] for n in order] != list(range(len(order))):
        fail("linux/capability.h: the capabilities are not 0, 1, 2, …")
    lines = ["inline constexpr std::string_view capability_table[] = {"] + wrap([f'"{n}"' for n in order]) + ["};"]
    emit("capabilities.inc", "\n".join(lines) + "\n")


def write_loader_needs():
    """For each release the calls it needs, and one row that names them."""
    releases = {}
    for loader, release, _, call, condition, _, reason in read_table("loader_needs.tsv"):
        argument, mask = ("-1", "0") if condition == "-" else condition.split("&")
        releases.setdefault((loader, release), []).append(f'    {{"{call}", "{reason}", {argument}, {mask}}},')
    lines, rows = [], []
    for index, ((loader, release), needs) in enumerate(releases.items()):
        if len(set(needs)) != len(needs) or needs != sorted(needs):
            fail(f"loader_needs.tsv: {loader} {release}: not sorted, or a call twice")
        major, minor = re.match(r"(\d+)\.(\d+)", release).groups()
        lines += [f"inline constexpr LoaderNeed needs_{index}[] = {{", *needs, "};"]
        rows.append(f'    {{"{loader}", {{{major}, {minor}}}, "{release}", needs_{index}}},')
    emit("loader_needs.inc", "\n".join([*lines, "inline constexpr MeasuredLoader measured_table[] = {", *rows, "};"]) + "\n")


# --- output -----------------------------------------------------------------------------------------------------------

outputs = {}


def wrap(items):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 118:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return lines + [line]


def emit(name, text):
    outputs[name] = "// Generated by tools/gen_linux_facts.py, which names the sources. Do not edit.\n" + text


def headers_present():
    try:
        query = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "linux-libc-dev"], capture_output=True,
                               text=True, check=False)
    except FileNotFoundError:
        return "dpkg-query is not here"
    if query.returncode != 0 or not query.stdout:
        return "package linux-libc-dev is not installed"
    if not query.stdout.startswith(PACKAGE_SERIES):
        return f"linux-libc-dev is {query.stdout}, not {PACKAGE_SERIES}x"
    if not (HEADERS / "unistd_64.h").exists():
        return "no x86_64 headers"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    missing = headers_present()
    if missing:
        print(f"gen_linux_facts: skipped: {missing}", file=sys.stderr)
        return 77
    prototypes = load_prototypes()
    numbers = load_numbers()
    compare_with_headers(numbers)
    write_syscalls(numbers, load_since(), prototypes)
    write_aliases(numbers, prototypes)
    write_names(numbers)
    write_constants(*load_constants())
    write_errnos()
    write_capabilities()
    write_loader_needs()
    different = 0
    TABLES.mkdir(exist_ok=True)
    for name, text in sorted(outputs.items()):
        path = TABLES / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        different += 1
        print(f"{'differs' if options.check else 'wrote'}: {path.relative_to(ROOT)}")
        if not options.check:
            path.write_text(text, encoding="utf-8")
    return 1 if options.check and different else 0


if __name__ == "__main__":
    sys.exit(main())
