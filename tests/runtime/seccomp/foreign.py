#!/usr/bin/python3
"""foreign.py VECTORS SOURCE FOLDER: filters for aarch64 and riscv64, and for i386 beside x86_64.

For each other architecture a static program is built by Debian's cross compiler, which first has to agree with agp's
tables on every number that its headers name; then it runs under qemu-user. qemu-user 7.2 has no seccomp(2) (ENOSYS, and
EINVAL from prctl), so no filter can be loaded there: the program interprets it, by that machine's own structures. For
aarch64 the same filters are then loaded by Debian's cloud kernel in QEMU (FOLDER, in the build tree, keeps it; it is
unpacked and never installed). For i386 the calls are made by int $0x80, in the running kernel where it serves that, and
under Debian's. What can't run is skipped, counted and named.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

VECTORS, SOURCE, FOLDER = sys.argv[1:4]
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path.insert(0, str(HERE.parent / "landlock"))
import kernels  # noqa: E402

LIMIT = 300  # seconds for one boot, by emulation on a busy machine
COUNT = 24
passed, skipped, failed = 0, 0, 0


def run(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300)


def note(holds, what, more=""):
    global passed, failed
    passed, failed = passed + holds, failed + (not holds)
    if not holds:
        print(f"failed: {what}\n{more}")


def numbers(column):
    for line in (ROOT / "tools/data/numbers.tsv").read_text().splitlines():
        fields = line.split("\t")
        if not line.startswith("#") and fields[column] != "-":
            yield fields[0], fields[column]


def headers_agree(compiler, column, scratch):
    """Every number of the table that the architecture's own headers have, by its compiler."""
    text = "#include <sys/syscall.h>\n#include <stdio.h>\nint main(void) {\n int n = 0;\n"
    for name, number in numbers(column):
        text += f'#ifdef __NR_{name}\n _Static_assert(__NR_{name} == {number}, "{name}"); ++n;\n#endif\n'
    source = scratch / "numbers.c"
    source.write_text(text + ' printf("%d\\n", n);\n return 0;\n}\n')
    built = run(compiler, "-static", "-o", scratch / "numbers", source)
    note(built.returncode == 0, f"{compiler}: numbers", built.stderr)
    return scratch / "numbers" if built.returncode == 0 else None


def vectors(machine, archs, scratch):
    made = run(VECTORS, machine, archs, COUNT, scratch)
    note(made.returncode == 0, f"vectors for {archs}", made.stderr)
    return range(COUNT) if made.returncode == 0 else ()


def other(arch, column):
    global skipped
    compiler, emulator = f"{arch}-linux-gnu-gcc", f"qemu-{arch}-static"
    for tool, package in ((compiler, f"gcc-{arch}-linux-gnu"), (emulator, "qemu-user-static")):
        if not shutil.which(tool):
            print(f"skipped: {arch}: no {tool} (package {package})")
            skipped += 1
            return
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        program = scratch / "foreign"
        built = run(compiler, "-static", "-O1", "-Wall", "-Werror", "-o", program, SOURCE)
        note(built.returncode == 0, f"{arch}: build", built.stderr)
        table = headers_agree(compiler, column, scratch)
        if table:
            known = int(run(emulator, table).stdout or 0)
            note(known > 250, f"{arch}: {known} numbers")
            print(f"{arch}: {known} numbers agree with Debian's headers")
        total = 0
        for n in vectors(arch, arch, scratch):
            done = run(emulator, program, "interpret", scratch / f"{n}.bpf", scratch / f"{n}.txt")
            note(done.returncode == 0, f"{arch}: filter {n}", done.stdout + done.stderr)
            total += int((re.findall(r"(\d+) of \d+ agree", done.stdout) or [0])[0])
        load = run(emulator, program, "kernel", scratch / "0.bpf", scratch / "0.txt")
        note(load.returncode == 77, f"{arch}: qemu-user loads filters now: let it", load.stdout)
        print(f"{arch}: {COUNT} filters, {total} calls interpreted under {emulator}")
        if arch in MACHINES:
            in_its_kernel(arch, "kernel", compiler, program, scratch)


def skip(why):
    global skipped
    skipped += 1
    print(f"skipped: {why}")


# How a machine is emulated: its program's options, and Debian's kernel for it.
MACHINES = {
    "aarch64": (["-M", "virt", "-cpu", "cortex-a57"], "ttyAMA0", "arm64", "linux-image-cloud-arm64", "qemu-system-arm"),
    "x86_64": (["-M", "q35", "-cpu", "max,-cx16"], "ttyS0", "amd64", "linux-image-cloud-amd64", "qemu-system-x86"),
}


def in_its_kernel(arch, way, compiler, program, scratch):
    """The filters that stand in `scratch`, loaded by a kernel of that architecture."""
    options, console, debian, image, package = MACHINES[arch]
    if not shutil.which(f"qemu-system-{arch}"):
        return skip(f"{way}: no qemu-system-{arch} (package {package})")
    folder = pathlib.Path(FOLDER) if arch == "x86_64" else pathlib.Path(FOLDER, arch)
    if not kernels.kernel("bookworm", folder):
        if why := kernels.download("bookworm", folder, debian, image):
            return skip(f"{way}: no kernel for {arch}: {why}")
    root = scratch / "root"
    (root / "dev").mkdir(parents=True)
    shutil.copy(program, root / "foreign")
    built = run(compiler, "-static", "-O1", "-Wall", "-Werror", "-o", root / "init", HERE / "init.c")
    note(built.returncode == 0, f"{arch}: build of init", built.stderr)
    for n in range(COUNT):
        for kind in ("bpf", "txt"):
            shutil.copy(scratch / f"{n}.{kind}", root)
    file = scratch / "initramfs"
    file.write_bytes(kernels.archive(root))
    words = [f"qemu-system-{arch}", *options, "-accel", "tcg", "-m", "512", "-nographic", "-no-reboot", "-nic", "none", "-kernel",
             kernels.kernel("bookworm", folder), "-initrd", str(file), "-append", f"console={console} panic=-1 quiet -- {way}"]
    said = ""
    for _ in range(2):
        try:
            said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            continue
        if "END" in said:
            break
    results = dict(re.findall(r"RESULT (\d+) (-?\d+)", said))
    for n in range(COUNT):
        note(results.get(str(n)) == "0", f"{way}: filter {n} in {arch}'s kernel", said[-3000:] if n == 0 else "")
    total = sum(int(a) for a in re.findall(r"(\d+) of \d+ agree", said))
    print(f"{way}: {len(results)} filters, {total} calls under Debian's {debian} kernel in QEMU")


def native(archs, way):
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        program, total = scratch / "foreign", 0
        built = run("cc", "-static", "-O1", "-Wall", "-Werror", "-o", program, SOURCE)
        note(built.returncode == 0, "native: build", built.stderr)
        for n in vectors("x86_64", archs, scratch):
            done = run(program, way, scratch / f"{n}.bpf", scratch / f"{n}.txt")
            if done.returncode == 77:
                skip(f"{archs} in the running kernel: {done.stdout.strip()}")
                break
            note(done.returncode == 0, f"{archs}: filter {n}", done.stdout[-2000:] + done.stderr)
            total += int((re.findall(r"(\d+) of \d+ agree", done.stdout) or [0])[0])
        print(f"{archs}: {total} calls, {way}")
        if way == "i386":
            in_its_kernel("x86_64", way, "cc", program, scratch)


other("aarch64", 4)
other("riscv64", 5)
native("x86_64", "kernel")
native("x86_64,i386", "interpret-i386")
native("x86_64,i386", "i386")
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
