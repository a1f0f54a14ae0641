#!/usr/bin/python3
"""What one process of agp costs: start, query, check, and how the formatter and `doc` grow. Prints figures and judges
nothing; on a busy machine the shortest run and processor time say most.

  process.py AGP [RUNS]
"""
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

AGP = os.path.abspath(sys.argv[1])
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
EXAMPLE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/examples/code-execution.agp"


def measure(name, *words, runs=RUNS):
    walls, used = [], []
    for _ in range(runs):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([AGP, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - start)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"| {name} | {min(walls) * 1000:.1f} | {sorted(walls)[runs // 2] * 1000:.1f} | {min(used) * 1000:.1f} |", flush=True)


def policy(rules):
    lines = "".join(f'    allow   read "/srv/data/{i:06}/**"   because "needed for batch {i}"  // {i}\n' for i in range(rules))
    return f"agp 1\n\npolicy large {{\n  file {{\n{lines}  }}\n}}\n"


print(f"| | shortest of {RUNS} runs, ms | median | shortest of processor |\n|---|---|---|---|")
measure("`help`", "help")
measure("`version`", "version")
measure("`query` of the example", "query", str(EXAMPLE), 'write "/etc/passwd"')
measure("`check` of the example", "check", str(EXAMPLE))
with tempfile.TemporaryDirectory() as scratch:
    for rules in (1_000, 10_000, 100_000):
        file = pathlib.Path(scratch) / f"{rules}.agp"
        file.write_text(policy(rules))
        measure(f"`fmt --check`, {rules:,} rules ({file.stat().st_size // 1000} kB)", "fmt", "--check", str(file), runs=3)
        if rules < 100_000:
            measure(f"`doc`, {rules:,} rules", "doc", str(file), runs=3)
