#!/usr/bin/python3
"""needs.py LAUNCHER: which system calls the launcher can't go on without under a filter that is on already (the stack
`oci+landlock`). Each call that it makes is refused alone with EPERM; the calls without which the command does not start
are compiler/linux/loader_needs.cpp's table. Exits 77 where no ruleset can be applied."""
import ctypes
import os
import re
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LIBC = ctypes.CDLL(None, use_errno=True)
# x86_64; what the launcher was seen to call, by strace
CALLS = dict(read=0, write=1, close=3, mmap=9, mprotect=10, munmap=11, brk=12, fcntl=72, readlink=89, capget=125, prctl=157,
             arch_prctl=158, set_tid_address=218, openat=257, newfstatat=262, set_robust_list=273, prlimit64=302, getrandom=318,
             rseq=334, close_range=436, landlock_create_ruleset=444, landlock_add_rule=445, landlock_restrict_self=446)
OF_RUNC = {"openat"}  # in runc's table already


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def refuse(number):
    code = b"".join(struct.pack("HBBI", *i) for i in
                    [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)])
    buffer = ctypes.create_string_buffer(code)
    program = Program(4, ctypes.cast(buffer, ctypes.c_void_p))
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.syscall(317, 1, 0, ctypes.byref(program)):
        os._exit(99)


def starts(launcher, ruleset, number):
    child = os.fork()
    if child == 0:
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 2)
        if os.getuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        if number is not None:
            refuse(number)
        os.execv(launcher, [launcher, "--ruleset", ruleset, "--pass-env", "*", "--", "/bin/busybox", "true"])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main():
    launcher = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="agp-landlock-needs-") as scratch:
        os.chmod(scratch, 0o755)
        ruleset = os.path.join(scratch, "ruleset.json")
        with open(ruleset, "w") as f:
            f.write('{"abi":1,"ruleset":[{"handledAccessFs":["abi.all"]}],'
                    '"pathBeneath":[{"allowedAccess":["execute","read_file"],"parent":["/usr/"]}]}')
        if not os.path.exists("/bin/busybox") or not starts(launcher, ruleset, None):
            print("skipped: no static busybox, or no Landlock here")
            sys.exit(77)
        found = {name for name, number in CALLS.items() if not starts(launcher, ruleset, number)}
    source = open(os.path.join(HERE, "../../../compiler/linux/loader_needs.cpp")).read()
    table = set(re.findall(r'\{"(\w+)"', source.split("constexpr LoaderNeed launcher[]")[1].split("};")[0]))
    print("needed:", " ".join(sorted(found)))
    if found - OF_RUNC != table:
        sys.exit(f"the table differs: missing {sorted(found - OF_RUNC - table)}, too many {sorted(table - found)}")


if __name__ == "__main__":
    main()
