"""`audit.py AGP`: what an audited policy's artifacts do in the running kernel, beside those of the same policy enforced.

The enforced twin refuses, so that what passes in audit passes because of it; then the kernel's log has a line for the
refused and none for the permitted. Where the log can't be read, that part is skipped, with the reason, and counted."""
import ctypes
import errno
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "net"), os.path.join(HERE, "..", "..", "support")]
from kernel_log import KernelLog  # noqa: E402
from world import AGENT, Report, World, need, run  # noqa: E402

RUN_BUNDLE = os.path.join(HERE, "..", "..", "..", "docs", "examples", "run-bundle")
SKIPS = []

SYSCALL = """agp 1
use std.runtime.python
policy {name} {{
  isolation container ephemeral
  mode {mode}
  include std.runtime.python
  syscall {{
    allow @default
    deny getpriority
    deny socket(domain == AF_INET6)
  }}
  run {{
    command "/usr/bin/python3.11", "-I", "-c", "{program}"
    user {user}:{user}
  }}
}}
"""
PROGRAM = ("import os, socket\\ndef attempt(f):\\n  try: f()\\n  except OSError as e: return e.errno\\n  return 0\\n"
           "print(attempt(lambda: os.getpriority(0, 0)), attempt(lambda: socket.socket(10, 1)),"
           " attempt(lambda: socket.socket(1, 1)), attempt(lambda: os.unshare(0)) if hasattr(os, 'unshare') else 0)")

NET = """agp 1
policy {name} {{
  isolation {isolation}
  mode {mode}
  net {{
    allow connect tcp 10.0.1.50:443, [fd00:1::50]:443
    allow connect icmp 10.0.1.50
    deny connect any 10.0.2.0/24:* as "not two" because "another team's"
    allow listen tcp 10.9.0.2:8080
  }}
  run {{ command "/usr/bin/true"  user {user}:{user} }}
  {accepts}
}}
"""


def build(agp, scratch, name, text):
    source, out = os.path.join(scratch, name + ".agp"), os.path.join(scratch, name)
    with open(source, "w") as f:
        f.write(text)
    done = run(agp, "build", source, "-o", out)
    return out, done.stderr


def numbers(text):
    return [int(n) for n in text.split()]


# ---- system calls ---------------------------------------------------------------------------------------------------

LIBC = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def under(filter_bytes, calls):
    """Makes the calls under a raw filter, in a process of its own; their errnos, and the process's number."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            buffer = ctypes.create_string_buffer(filter_bytes, len(filter_bytes))
            program = Program(len(filter_bytes) // 8, ctypes.addressof(buffer))
            assert LIBC.prctl(38, 1, 0, 0, 0) == 0                                    # PR_SET_NO_NEW_PRIVS
            assert LIBC.syscall(317, 1, 0, ctypes.byref(program)) == 0                # seccomp(SET_MODE_FILTER)
            got = []
            for call in calls:
                ctypes.set_errno(0)
                got.append(ctypes.get_errno() if LIBC.syscall(*call) < 0 else 0)
            os.write(write, json.dumps(got).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        text = answers.read()
    os.waitpid(child, 0)
    return json.loads(text), child


def raw_filter(agp, scratch, log, report):
    calls = [(140, 0, 0),            # getpriority: denied
             (41, 10, 1, 0),         # socket(AF_INET6, SOCK_STREAM): denied
             (41, 1, 1, 0),          # socket(AF_UNIX, SOCK_STREAM): allowed
             (165, 0, 0, 0, 0, 0),   # mount: no rule is about it
             (39,)]                  # getpid: allowed
    got = {}
    for mode in ("enforce", "audit for syscall"):
        out, _ = build(agp, scratch, "raw-" + mode.split()[0],
                       SYSCALL.format(name="raw", mode=mode, program="", user=65534))
        got[mode.split()[0]] = under(open(out + "/seccomp/filter.x86_64.bpf", "rb").read(), calls)
    without, _ = under(bytes([6, 0, 0, 0, 0, 0, 0xff, 0x7f]), calls)
    enforced, _ = got["enforce"]
    audited, pid = got["audit"]
    report.expect(without[:3] + without[4:] == [0] * 4 and without[3] != errno.EPERM, f"without a filter: {without}")
    report.expect(enforced == [errno.EPERM, errno.EPERM, 0, errno.EPERM, 0], f"enforced: {enforced}")
    report.expect(audited == without, f"audited: {audited}, without a filter {without}")
    seen(log, report, f" pid={pid} ", [140, 41, 165], [39])


def seen(log, report, part, wanted, never):
    """The numbers of the calls in the log's lines of type 1326 with `part` in them."""
    if log.missing:
        SKIPS.append(log.missing)
        return
    lines = [l for l in log.lines(part) if "type=1326" in l]
    calls = [int(re.search(r" syscall=(\d+) ", l)[1]) for l in lines]
    for number in wanted:
        report.expect(number in calls, f"call {number} was refused and is not in the log: {lines}")
    for number in never:
        report.expect(number not in calls, f"call {number} is allowed and in the log")
    report.expect(all("code=0x7ffc0000" in l for l in lines), f"reported as something else: {lines}")
    report.expect(calls.count(41) <= 1, f"a socket that is allowed is in the log: {lines}")


def container(agp, scratch, log, report):
    """config.json by runc: the profile's default is SCMP_ACT_LOG."""
    for program in ("runc", "ip", "nft"):
        if subprocess.run(["which", program], capture_output=True).returncode:
            SKIPS.append(f"`{program}` is not installed")
            return
    if not os.path.exists("/usr/bin/python3.11"):
        SKIPS.append("/usr/bin/python3.11 is not there")
        return
    got = {}
    for mode in ("enforce", "audit for syscall"):
        name = f"audit{os.getpid()}{mode.split()[0]}"
        out, _ = build(agp, scratch, name, SYSCALL.format(name=name, mode=mode, program=PROGRAM, user=61234))
        if not log.missing:
            log.lines("")   # what came before
        done = run(RUN_BUNDLE, out, check=False)
        report.expect(done.returncode == 0, f"runc, {mode}: exit {done.returncode}: {done.stdout}{done.stderr}")
        got[mode.split()[0]] = numbers(done.stdout)[:3]
    report.expect(got["enforce"] == [errno.EPERM, errno.EPERM, 0], f"runc, enforced: {got['enforce']}")
    report.expect(got["audit"] == [0, 0, 0], f"runc, audited: {got['audit']}")
    seen(log, report, " uid=61234 ", [140, 41], [39])


# ---- packets --------------------------------------------------------------------------------------------------------

# family, protocol, address, port, permitted, the rule that the line names
ATTEMPTS = [("tcp", "10.0.1.50", 443, True, None), ("tcp", "10.0.1.51", 443, False, "default"),
            ("tcp", "10.0.1.50", 444, False, "default"), ("tcp", "10.0.2.7", 443, False, "not%20two"),
            ("udp", "10.0.1.50", 443, False, "default"), ("icmp", "10.0.1.50", 0, True, None),
            ("tcp", "fd00:1::50", 443, True, None), ("tcp", "fd00:1::51", 443, False, "default"),
            ("udp", "fd00:1::50", 53, False, "default"), ("icmp", "fd00:1::50", 0, False, "default")]
REFUSED = {"ECONNREFUSED", "EPERM", "EHOSTUNREACH", "EACCES"}


def packets(agp, scratch, log, report):
    forms = [("container", "oci", ""),
             ("process", "launcher", "file { allow read, exec \"/usr/bin/true\" } accept wider read, exec \"/usr/bin/true\" because \"test\" accept unenforced listen tcp 10.9.0.2:8080 because \"test\"")]
    with World() as world:
        for isolation, stack, accepts in forms:
            for mode in ("enforce", "audit for net, syscall"):
                short = mode.split()[0]
                name = f"net{os.getpid()}{stack}{short}"
                out, said = build(agp, scratch, name, NET.format(name=name, mode=mode, isolation=isolation, user=AGENT,
                                                                 accepts=accepts))
                report.expect(("audit for net, syscall" in said) == (short == "audit"), f"the summary: {said}")
                for form in ("nft", "json"):
                    where = f"{stack}, {short}, {form}"
                    world.clear()
                    loaded = world.load(f"{out}/nftables/egress.{form}")
                    report.expect(loaded.returncode == 0, f"{where}: {loaded.stderr}")
                    for protocol, address, port, permitted, rule in ATTEMPTS:
                        what = f"{where}: {protocol} {address} {port}"
                        if not log.missing:
                            log.lines("")
                        answer = world.attempt([{"protocol": protocol, "address": address, "port": port}])[0]
                        report.expect(answer == "ok" if permitted or short == "audit" else answer in REFUSED,
                                      f"{what}: {answer}")
                        if short != "audit" or log.missing:
                            continue
                        lines = [l for l in log.lines(f"agp P={name} ") if f" DST={long(address)} " in l]
                        if permitted:
                            report.expect(not lines, f"{what} is permitted, and in the log: {lines}")
                        else:
                            report.expect(any(f"R={rule} " in l for l in lines), f"{what} is not in the log: {lines}")
    if log.missing:
        SKIPS.append(log.missing)


def long(address):
    import socket as s
    if ":" not in address:
        return address
    packed = s.inet_pton(s.AF_INET6, address)
    return ":".join(f"{packed[i]:02x}{packed[i + 1]:02x}" for i in range(0, 16, 2))


def main(agp):
    need("unshare", "nft", "ip", "setpriv")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="agp-audit-") as scratch, KernelLog() as log:
        raw_filter(agp, scratch, log, report)
        container(agp, scratch, log, report)
        packets(agp, scratch, log, report)
    for reason in SKIPS:
        print(f"SKIP of a part: {reason}")
    report.finish()


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
