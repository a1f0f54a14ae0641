#!/usr/bin/python3
"""What one process of agp costs: start, query, check, and the formatter over growing texts. Prints figures and judges
nothing; processor time is what a busy machine shows best.

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
    middle = runs // 2
    print(f"{name:<34} {sorted(walls)[middle] * 1000:8.1f} ms  {sorted(used)[middle] * 1000:8.1f} ms of processor")


def policy(rules):
    lines = "".join(f'    allow   read "/srv/data/{i:06}/**"   because "needed for batch {i}"  // {i}\n' for i in range(rules))
    return f"agp 1\n\npolicy large {{\n  file {{\n{lines}  }}\n}}\n"


print(f"median of {RUNS} runs")
measure("agp help", "help")
measure("agp version", "version")
measure("agp query EXAMPLE", "query", str(EXAMPLE), 'write "/etc/passwd"')
measure("agp check EXAMPLE", "check", str(EXAMPLE))
with tempfile.TemporaryDirectory() as scratch:
    for size in (250, 500, 1000):
        file = pathlib.Path(scratch) / f"{size}.agp"
        file.write_text(policy(size * 1000 // len(policy(100)) * 100))
        measure(f"agp fmt --check, {file.stat().st_size // 1000} kB", "fmt", "--check", str(file), runs=3)
