#!/usr/bin/python3
"""Runs agp_fuzz_layers from seeds made of every artifact in the repository.

  layers.py BINARY CORPUS [--seconds N] [--seed N]

BINARY comes from a build with -DAGP_FUZZ=ON and clang. CORPUS is a directory that is made if it is not there and may be
kept between runs. Exits with 1 when something was found: the input stays in CORPUS.found, and becomes a case of
tests/unit/hostile once it is mended.
"""
import argparse
import hashlib
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATHS = ["*.nft", "egress.json", "dnsmasq.conf", "resolv.conf", "filter.*.txt", "profile.json", "config.json", "ruleset.json",
         "approvals.json", "alerts.json", "podman/run.args", "manifest.json", "*.json", "*.json", "kern.log", "strace",
         "pod.json", "network-policy.json", "docker/run.args"]
FOLDERS = ("packets", "landlock", "oci", "seccomp", "nftables", "dns", "advisory", "linux", "cli", "kubernetes")
MANIFEST, COUNT = 11, len(PATHS)
WORDS = """table chain set map elements type filter hook input output forward priority policy accept drop goto jump vmap ct state
established related invalid untracked meta skuid l4proto ip ip6 daddr saddr tcp udp dport sport th flags interval timeout inet
icmp icmpv6 counter comment reject with log server= local= address= nftset= no-resolv filter-rr= nameserver defaultAction
architectures SCMP_ARCH_X86_64 syscalls names action args index value valueTwo op SCMP_CMP_MASKED_EQ SCMP_ACT_ALLOW
errnoRet abi ruleset handledAccessFs pathBeneath allowedAccess parent netPort port variable literal scoped read_file execute
mounts destination source options bind rw ro process capabilities linux namespaces resources seccomp agp-manifest/1 files
nftables add rule expr match left right payload concat prefix range vmap 18446744073709551615 0x7fff0000 agp-approvals/1 rules
effect tools except risk until agp-alerts/1 matches unreported severity --mount=type=bind,src=,dst= bind-nonrecursive nosuid
--tmpfs= --cap-add=CAP_ --security-opt=seccomp=profile.json --user=1:1 localhost/agp-root:latest includes excludes minKernel
archMap subArchitectures agp-target/1 kernel landlock_abi loaders audit: type=1326 type=1423 P= R= OUT= DST= PROTO= DPT=""".split()


def filters(text):
    """Raw filters stand in the repository as listings: instructions of any kind, made up, do as well."""
    yield b"".join(struct.pack("<HBBI", *i) for i in [(0x20, 0, 0, 4), (0x15, 1, 0, 0xc000003e), (6, 0, 0, 0x80000000),
                                                      (0x20, 0, 0, 0), (0x35, 0, 1, 0x40000000), (6, 0, 0, 0x50001),
                                                      (0x20, 0, 0, 16), (2, 0, 0, 1), (0x60, 0, 0, 1), (0x54, 0, 0, 0xf),
                                                      (0x45, 0, 1, 3), (6, 0, 0, 0x7fff0000), (6, 0, 0, 0x50001)])


def seeds():
    for which, pattern in enumerate(PATHS):
        for top in ("tests/artifacts", "tests/cli", "build/out"):
            for path in sorted((ROOT / top).rglob(pattern)):
                texts = filters(path) if which == 4 else [path.read_bytes()]
                yield from (bytes([which]) + t for t in texts)
    yield bytes([MANIFEST]) + b'{"schema": "agp-manifest/1", "files": ["manifest.json", "a/b"]}'
    for text in sorted((ROOT / "tests/unit").rglob("*_test.cpp")):
        for raw in re.findall(r'R"\((.*?)\)"', text.read_text(), re.S):
            for which in range(COUNT) if text.parent.name in FOLDERS else ():
                yield bytes([which]) + raw.encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.corpus.mkdir(parents=True, exist_ok=True)
    found = args.corpus.with_name(args.corpus.name + ".found")
    found.mkdir(exist_ok=True)
    kinds = set()
    for text in seeds():
        kinds.add(text[0])
        (args.corpus / hashlib.sha1(text).hexdigest()).write_bytes(text)
    if kinds != set(range(COUNT)):
        sys.exit(f"no seed of {', '.join(PATHS[k] for k in range(COUNT) if k not in kinds)}")
    words = args.corpus.with_name(args.corpus.name + ".words")
    words.write_text("".join(f'"{w}"\n' for w in WORDS))
    with tempfile.TemporaryDirectory(prefix="agp-fuzz-", dir="/dev/shm") as memory:
        run = subprocess.run([args.binary, f"-max_total_time={args.seconds}", f"-seed={args.seed}", f"-dict={words}",
                              "-max_len=40000", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1",
                              f"-artifact_prefix={found}/", args.corpus],
                             env=os.environ | {"TMPDIR": memory}, capture_output=True, text=True, errors="replace", check=False)
    stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)", run.stderr, re.M))
    edges = re.findall(r"cov: (\d+)", run.stderr)
    print(f"seed: {args.seed}")
    print(f"result: layers: {stats.get('number_of_executed_units', '?')} inputs in {args.seconds} s, {edges[-1] if edges else '?'} edges, "
          f"{'nothing found' if run.returncode == 0 else 'found: ' + str(found)}")
    if run.returncode:
        print(run.stderr[-6000:])
    sys.exit(1 if run.returncode else 0)


if __name__ == "__main__":
    main()
