#!/usr/bin/python3
"""How long `agp verify` takes: a cold process, no cache, no manifest.

  verify_bench.py AGP [LIBSECCOMP PROFILE]

LIBSECCOMP is the test program agp_libseccomp, PROFILE Docker's default profile (moby, profiles/seccomp/default.json): the
filter that libseccomp makes of it is then verified as well. Prints one line for each case: wall seconds (the best of three,
the machine may be busy), processor seconds and peak memory of that run, verdict; and the bound that it should keep."""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]


def measured(words):
    """Wall and processor time of the best of three runs, the highest peak in MB, the last run's status and output."""
    best, peak = None, 0
    for _ in range(3):
        with tempfile.TemporaryFile("w+") as out:
            start = time.monotonic()
            child = subprocess.Popen([str(w) for w in words], stdout=out, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(child.pid, 0)
            wall = time.monotonic() - start
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            text = out.read()
        peak = max(peak, used.ru_maxrss / 1024)
        if best is None or wall < best[0]:
            best = (wall, used.ru_utime + used.ru_stime)
    return *best, peak, child.returncode, text


def report(name, bound, words, expect):
    wall, cpu, memory, status, text = measured(words)
    verdict = "as expected" if status == expect else f"exit {status} instead of {expect}"
    print(f"{name:44} {wall:7.2f} s  cpu {cpu:6.2f} s  peak {memory:5.0f} MB  bound {bound:4} s  {verdict}", flush=True)
    if status != expect:
        print(text[-900:])


def policy(body):
    return f'agp 1\n\npolicy bench {{\n{body}  run {{ command "/bin/true" user 65534:65534 }}\n}}\n'


def addresses(n):
    r, out = random.Random(1), set()
    while len(out) < n:
        out.add(f"10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(1, 255)}")
    return sorted(out)


def long_filter(conditions, flipped=None):
    """4,096 instructions: `lseek` is permitted with any of these 64-bit values as its second argument, each compared
    on its own, word by word; the rest is padding."""
    def ins(code, jt, jf, k):
        return struct.pack("<HBBI", code, jt, jf, k)

    allow, deny = ins(6, 0, 0, 0x7fff0000), ins(6, 0, 0, 0x50001)
    out = [ins(0x20, 0, 0, 4), ins(0x15, 1, 0, 0xc000003e), deny, ins(0x20, 0, 0, 0), ins(0x15, 1, 0, 8), deny]
    values = [v ^ 1 if i == flipped else v for i, v in enumerate(conditions)]
    for first in range(0, len(values), 50):
        block = values[first:first + 50]
        for i, v in enumerate(block):
            to_allow = 4 * len(block) + 1 - (4 * i + 3) - 1
            out += [ins(0x20, 0, 0, 28), ins(0x15, 0, 2, v >> 32), ins(0x20, 0, 0, 24),
                    ins(0x15, to_allow, 0, v & 0xffffffff)]
        out += [ins(0x05, 0, 0, 1), allow]
    assert len(out) < 4096
    out += [ins(0x20, 0, 0, 4)] * (4095 - len(out))
    return b"".join(out + [deny])


def main():
    agp = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        example = ROOT / "docs/examples/code-execution.agp"
        subprocess.run([agp, "build", "-q", example, "-o", work / "example"], capture_output=True, check=True)
        (work / "example/manifest.json").unlink()
        report("the example, whole directory", 0.3, [agp, "verify", "-q", example, work / "example"], 0)

        values = [0x100000000 * (i % 61 + 1) + 0x9e3779b1 * (i + 1) % 0x100000000 for i in range(1010)]
        names = "".join(f"    allow lseek(arg1 == {v:#x})\n" for v in values)
        text = work / "long.agp"
        text.write_text(policy("  syscall {\n" + names + "  }\n"))
        for name, flipped, expect in (("4,096 instructions", None, 0), ("… one constant flipped", 700, 1)):
            bpf = work / "long.bpf"
            bpf.write_bytes(long_filter(values, flipped))
            report(f"{name}, {len(values)} 64-bit conditions", 10,
                   [agp, "verify", "-q", text, "--seccomp", bpf, "--arch", "x86_64"], expect)

        hosts = addresses(10_000)
        net = work / "net.agp"
        net.write_text(policy("  net { allow connect tcp [" + ", ".join(hosts) + "]:443 }\n"))
        subprocess.run([agp, "build", "-q", "--no-verify", net, "-o", work / "net"], capture_output=True, check=True)
        for form, option in (("nft", "--nft"), ("json", "--nft-json")):
            rules = work / f"net/nftables/egress.{form}"
            report(f"10,000 elements, {form}", 2, [agp, "verify", "-q", net, option, rules], 0)
            near = work / f"near.{form}"   # another address in one element
            near.write_text(rules.read_text().replace(hosts[5000], "11.0.0.1", 1))
            report(f"… one element changed, {form}", 2, [agp, "verify", "-q", net, option, near], 1)
        report("check of a list of 10,000 addresses", "-", [agp, "check", "-q", net], 0)

        if len(sys.argv) > 3:
            plain = json.loads(pathlib.Path(sys.argv[3]).read_text())
            entries = [{k: e[k] for k in ("names", "action", "errnoRet", "args") if e.get(k) is not None}
                       for e in plain["syscalls"] if not (e.get("includes") or {}).get("caps")
                       and "amd64" in ((e.get("includes") or {}).get("arches") or ["amd64"])]
            profile = work / "plain.json"
            profile.write_text(json.dumps({"defaultAction": plain["defaultAction"], "syscalls": entries,
                                           "architectures": ["SCMP_ARCH_X86_64"]}))
            done = subprocess.run([agp, "import", "--from", "oci-seccomp", sys.argv[3]], capture_output=True, text=True,
                                  check=False)
            (work / "docker.agp").write_text(done.stdout)
            subprocess.run([sys.argv[2], profile, work / "docker.bpf"], check=True)
            # refuted by the known hole: socket(AF_VSOCK + 2^32)
            report("Docker's filter as libseccomp makes it", 1,
                   [agp, "verify", "-q", work / "docker.agp", "--seccomp", work / "docker.bpf", "--arch", "x86_64"], 1)
        else:
            print("skipped: Docker's profile, or the program agp_libseccomp, was not given")


os.environ["SOURCE_DATE_EPOCH"] = "1748736000"
main()
