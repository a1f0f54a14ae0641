#!/usr/bin/python3
"""Builds the checkout another way, in a folder of its own, and runs what that way is for: by clang, each file by itself, with
the sanitizers of addresses and undefined behaviour and with libFuzzer's counters. What was found stands in lines `result: …`.

  another_build.py fuzz FOLDER         the fuzz targets from their seeds, and the edges of the front end that are reached
  another_build.py sanitizers FOLDER   everything; every unit test and every golden file
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SECONDS = 300  # of fuzzing


def built(folder, *targets, options=()):
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DAGP_TESTS=ON", "-DAGP_FUZZ=ON",
                    "-DCMAKE_UNITY_BUILD=OFF", "-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++", *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", folder, "--quiet", *targets], check=True)


def fuzz(folder):
    edges = folder / "edges"  # a build without the sanitizers' branches
    built(folder, "agp_fuzz_front_end", "agp_fuzz_layers")
    built(edges, "agp_fuzz_front_end", options=["-DAGP_FUZZ_EDGES=ON"])

    def run(script, target, *options):
        return subprocess.run([sys.executable, "-B", ROOT / "tests/fuzz" / script, folder / "tests/fuzz" / target,
                               folder / "corpus" / target, "--seconds", str(SECONDS), "--seed", os.environ.get("AGP_SEED", "1"),
                               *options]).returncode

    codes = [run("run.py", "agp_fuzz_front_end", "--edges", edges / "tests/fuzz/agp_fuzz_front_end"),
             run("layers.py", "agp_fuzz_layers")]
    return any(codes)


def sanitizers(folder):
    built(folder)
    env = dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1", GTEST_BRIEF="1")
    env.pop("AGP_LONG", None)  # the tests of the short tier
    done = subprocess.run(["ctest", "--test-dir", folder, "-R", r"^(unit|golden)\.", "--output-on-failure", "--timeout", "3600",
                           "--no-tests=error"], env=env, capture_output=True, text=True, errors="replace")
    print(done.stdout + done.stderr)
    line, fine = tally(done.returncode, done.stdout)
    print(f"result: {line.format(clang=clang())}")
    return not fine


def tally(code, said):
    """What ctest and the sanitizers said, as a line, and whether all is well: not where they said nothing that can be read."""
    reports = re.findall(r"^.*(?:ERROR: \w+Sanitizer|runtime error:).*$", said, re.M)
    counted = re.search(r"tests passed, (\d+) tests failed out of (\d+)", said)
    failed, tests = map(int, counted.groups()) if counted else ("?", "?")
    line = f"{tests} tests by clang {{clang}}, address and undefined: {failed} failed, {len(reports)} reports"
    return line, code == 0 and not reports and failed == 0 and tests > 0


def clang():
    return re.search(r"version (\S+?)[-+ \n]", subprocess.run(["clang", "--version"], capture_output=True, text=True).stdout)[1]


def main():
    sys.exit({"fuzz": fuzz, "sanitizers": sanitizers}[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve()))


if __name__ == "__main__":
    main()
