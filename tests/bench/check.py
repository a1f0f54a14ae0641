#!/usr/bin/python3
"""How `agp check` grows, as whole processes: N rules of one kind in one file (100,000 in 100 files), with and without
planted denies; and many files of the example's size, cold and from a cache. Prints figures and judges nothing.

  check.py AGP [rules [LARGEST]] [files [COUNT]]      default: both, 100000 rules, 10000 files
"""
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


def policy(kind, rules, planted, seed):
    """A file of one policy. Denies have a reason: an exception is no finding."""
    draw = random.Random(seed)
    blocks = {"file": ["    allow exec \"/usr/bin/true\"\n"]}
    for _ in range(rules):
        block, pattern = kind(draw)
        deny = planted and draw.random() < 1 / 3
        because = '  because "bench"' if deny else ""
        blocks.setdefault(block, []).append(f"    {'deny ' if deny else 'allow'} {pattern}{because}\n")
    text = "".join(f"  {block} {{\n{''.join(lines)}  }}\n" for block, lines in sorted(blocks.items()))
    run = '  run { command "/usr/bin/true"  user 1000:1000 }\n'
    return f"agp 1\n\npolicy bench-{seed} {{\n{text}{run}}}\n"


def run(*words):
    """Wall and processor seconds, the largest process in MiB, the last line."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(["/usr/bin/time", "-f", "%M", AGP, "check", "-q", "--fail-on", "never", *words],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, int(done.stderr.split()[-1]) // 1024


def rules(largest):
    print("rules of one kind: seconds of wall clock (of processor), MiB; 100,000 in 100 files; exponent from 1,000")
    for planted in (False, True):
        for name, kind in (("addresses", address), ("globs", glob), ("calls", call), ("mixed", mixed)):
            line, ends = f"{name}{', with denies' if planted else ''}:", []
            size = 100
            while size <= largest:
                files = size // 1000 if size > 10000 else 1
                with tempfile.TemporaryDirectory() as scratch:
                    for i in range(files):
                        (pathlib.Path(scratch) / f"p{i}.agp").write_text(policy(kind, size // files, planted, i))
                    wall, used, memory = run("--no-config", "--project-root", scratch, scratch)
                line += f"  {size}: {wall:.2f} ({used:.2f}), {memory}"
                ends.append((size, used))
                size *= 10
            ends = [e for e in ends if e[0] >= 1000]
            if len(ends) > 1:
                line += f"  exponent {math.log(ends[-1][1] / ends[0][1]) / math.log(ends[-1][0] / ends[0][0]):.2f}"
            print(line, flush=True)


def files(count):
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "policies"
        text = EXAMPLE.read_text()
        for i in range(count):
            place = root / f"{i // 100:03}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"p{i}.agp").write_text(text.replace("code-execution", f"p{i}").replace("10.0.1.50", f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}"))
        words = ("--no-config", "--project-root", str(root), str(root))
        for name, more in (("one process", ["--jobs", "1"]), ("cold", []), ("cold, into a cache", ["--cache", scratch + "/cache"]),
                           ("from the cache", ["--cache", scratch + "/cache"])):
            wall, used, memory = run(*words, *more)
            print(f"{count} files of {len(text)} bytes, {name}: {wall:.1f} s ({used:.1f} s of processor), {memory} MiB", flush=True)


words = sys.argv[2:] or ["rules", "files"]
for at, word in enumerate(words):
    size = int(words[at + 1]) if at + 1 < len(words) and words[at + 1].isdigit() else None
    if word == "rules":
        rules(size or 100_000)
    elif word == "files":
        files(size or 10_000)
