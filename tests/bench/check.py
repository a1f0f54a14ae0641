#!/usr/bin/python3
"""How `agp check` grows, as whole processes: N rules of one kind in one file (the largest over 100 files), with and
without planted conflicts; and many files of the example's size, cold and from a cache. Prints Markdown tables with the
limits that are missed in bold, and counts planted conflicts that were not found.

  check.py AGP [rules [LARGEST]] [files [COUNT]] [--only KIND]      default: both, 100000 rules, 10000 files
"""
import json
import math
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

AGP = os.path.abspath(sys.argv[1])
EXAMPLE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/examples/code-execution.agp"
# with two arguments that are plain numbers, by their places
CALLS = {"socket": (0, 1), "lseek": (1, 2), "ioctl": (0, 1), "fcntl": (0, 1), "dup3": (0, 2), "listen": (0, 1),
         "shutdown": (0, 1), "getpriority": (0, 1), "setpriority": (0, 2), "prctl": (0, 1), "mprotect": (1, 2),
         "madvise": (1, 2), "mmap": (2, 3), "kill": (0, 1), "tgkill": (0, 2), "fallocate": (0, 1), "flock": (0, 1),
         "mremap": (1, 2), "msync": (1, 2), "personality": (0, 0), "alarm": (0, 0), "umask": (0, 0), "eventfd2": (0, 1),
         "fchmod": (0, 1), "setuid": (0, 0), "setgid": (0, 0), "getpgid": (0, 0), "accept4": (0, 3), "sendto": (0, 3),
         "recvfrom": (0, 3), "semget": (1, 2), "shmget": (1, 2), "msgget": (1, 1), "timerfd_create": (0, 1)}


def address(draw):
    bits = draw.choice([0, 0, 1, 2, 3, 4, 6, 8, 12])
    host = 0x0a000000 | draw.getrandbits(24) & ~((1 << bits) - 1)
    text = ".".join(str(host >> s & 255) for s in (24, 16, 8, 0)) + (f"/{32 - bits}" if bits else "")
    port = "*" if draw.random() < 0.1 else draw.choice([22, 80, 443, 5432, 6379, 8080, 8443, 9092, 27017, 5000])
    return "net", f"connect tcp {text}:{port}"


def glob(draw):
    path = f"/srv/team{draw.randrange(200)}/project{draw.randrange(50)}/part{draw.randrange(20)}"
    kind = draw.random()
    if kind < 0.005:
        path = path.replace("/project", "/**/project")
    path += f"/*.{draw.choice('abcdef')}" if kind < 0.2 else "/**" if kind < 0.7 else ""
    return "file", f'{draw.choice(["read", "read, write"])} "{path}"'


def call(draw):
    name = draw.choice(sorted(CALLS))
    if draw.random() < 1 / 3:
        return "syscall", name + ("()" if name == "kill" else "")
    argument, value = f"arg{draw.choice(CALLS[name])}", draw.randrange(512)
    test = draw.choice([f"{argument} & {1 << draw.randrange(6)} == 0", f"{argument} == {value}", f"{argument} <= {value}",
                        f"{argument} == {value}"])
    return "syscall", f"{name}({test})"


def mixed(draw):
    return draw.choice([address, glob, call])(draw)


KINDS = {"addresses": address, "globs": glob, "calls": call, "mixed": mixed}
LIMITS = {1_000: 0.2, 10_000: 1.0, 100_000: 15.0}  # seconds of wall clock
MOST_MEMORY, MOST_EXPONENT = 1000, 1.2
COLD, WARM = 60.0, 2.0


def policy(kind, rules, planted, seed):
    """The text of one policy, and the lines of the grants of which a planted deny leaves nothing. With planted conflicts,
    one rule in three is a deny, and one in ten the deny of exactly what a grant before it permits. Denies have a reason:
    what they take from wider grants is no finding."""
    draw = random.Random(seed)
    blocks, grants, victims = {"file": ['allow exec "/usr/bin/true"']}, [], set()
    for _ in range(rules):
        block, pattern = kind(draw)
        lines, chance = blocks.setdefault(block, []), draw.random() if planted else 1
        if chance < 0.1 and grants:
            block, at, pattern = draw.choice(grants)
            blocks[block].append(f'deny {pattern}  because "bench"')
            victims.add((block, at))
        elif chance < 1 / 3:
            lines.append(f'deny {pattern}  because "bench"')
        else:
            grants.append((block, len(lines), pattern))
            lines.append(f"allow {pattern}")
    text, planted_at = [f"agp 1", "", f"policy bench-{seed} {{"], set()
    for block, lines in sorted(blocks.items()):
        text.append(f"  {block} {{")
        for at, line in enumerate(lines):
            text.append(f"    {line}")
            if (block, at) in victims:
                planted_at.add(len(text))
        text.append("  }")
    text += ['  run { command "/usr/bin/true"  user 1000:1000 }', "}", ""]
    return "\n".join(text), planted_at


def run(*words):
    """Wall and processor seconds, and the largest process in MiB."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(["/usr/bin/time", "-f", "%M", AGP, "check", "-q", "--fail-on", "never", *words],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, int(done.stderr.split()[-1]) // 1024


def missing(expected, *words):
    """How many planted conflicts are not among the findings, and how many checks were left undecided."""
    done = subprocess.run([AGP, "check", "-q", "--fail-on", "never", "--format", "json", *words], capture_output=True)
    found, undecided = set(), 0
    for d in json.loads(done.stdout)["diagnostics"]:
        undecided += d["code"] == "AGP2018"
        if d["code"] == "AGP2010":
            found.add((os.path.basename(d["location"]["path"]), d["location"]["start"]["line"]))
    return len(expected - found), undecided


def bold(text, missed):
    return f"**{text}**" if missed else text


def load():
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())


def rules(largest, only):
    sizes = [size for size in (100, 1_000, 10_000, 100_000) if size <= largest]
    print(f"Seconds of wall clock (of processor), MiB of the largest process; load before: {load()}.\n")
    print("| rules | " + " | ".join(f"{size:,}" for size in sizes) + " | exponent from 1,000 | planted, found |")
    print("|---" * (len(sizes) + 3) + "|")
    for planted in (False, True):
        for name, kind in KINDS.items():
            if only and name != only:
                continue
            line, ends, expected, lost, open_ = f"| {name}{', conflicts' if planted else ''} |", [], 0, 0, 0
            for size in sizes:
                files = 100 if size > 10_000 else 1
                with tempfile.TemporaryDirectory() as scratch:
                    places = set()
                    for i in range(files):
                        text, victims = policy(kind, size // files, planted, i)
                        (pathlib.Path(scratch) / f"p{i}.agp").write_text(text)
                        places |= {(f"p{i}.agp", at) for at in victims}
                    words = ("--no-config", "--project-root", scratch, scratch)
                    wall, used, memory = run(*words)
                    more, undecided = missing(places, *words)
                    expected, lost, open_ = expected + len(places), lost + more, open_ + undecided
                line += (f" {bold(f'{wall:.2f}', wall > LIMITS.get(size, math.inf))} ({used:.2f}) "
                         f"{bold(memory, memory > MOST_MEMORY)} |")
                ends.append((size, used))
            ends = [e for e in ends if e[0] >= 1_000]
            exponent = math.log(ends[-1][1] / ends[0][1]) / math.log(ends[-1][0] / ends[0][0]) if len(ends) > 1 else 0
            found = bold(f"{expected:,}, {expected - lost:,}", lost) if planted else "–"
            found += f" **{open_} undecided**" if open_ else ""
            print(f"{line} {bold(f'{exponent:.2f}', exponent > MOST_EXPONENT)} | {found} |", flush=True)


def files(count):
    print(f"\nload before: {load()}\n\n| {count:,} files | seconds (of processor) | MiB |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "policies"
        text = EXAMPLE.read_text()
        for i in range(count):
            place = root / f"{i // 100:03}"
            place.mkdir(parents=True, exist_ok=True)
            own = text.replace("code-execution", f"p{i}").replace("10.0.1.50", f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
            (place / f"p{i}.agp").write_text(own)
        words = ("--no-config", "--project-root", str(root), str(root))
        cache = ("--cache", scratch + "/cache")
        for name, more, limit in (("cold", (), COLD), ("cold, into a cache", cache, COLD), ("from the cache", cache, WARM)):
            wall, used, memory = run(*words, *more)
            missed = wall > limit * count / 10_000
            print(f"| {name} | {bold(f'{wall:.1f}', missed)} ({used:.1f}) | {memory} |", flush=True)


words, only = sys.argv[2:], None
if "--only" in words:
    at = words.index("--only")
    only = words[at + 1]
    del words[at:at + 2]
words = words or ["rules", "files"]
for at, word in enumerate(words):
    size = int(words[at + 1]) if at + 1 < len(words) and words[at + 1].isdigit() else None
    if word == "rules":
        rules(size or 100_000, only)
    elif word == "files":
        files(size or 10_000)
