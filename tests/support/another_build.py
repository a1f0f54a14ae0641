#!/usr/bin/python3
"""Builds the checkout another way, in a folder of its own, and runs what that way is for: by clang, with the sanitizers of
addresses and undefined behaviour and with libFuzzer's counters. What was found stands in lines `result: …`.

  another_build.py fuzz FOLDER         the fuzz target of the front end from its seeds, and the edges that it reaches
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
                    "-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++", *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", folder, "--quiet", *targets], check=True)


def fuzz(folder):
    edges = folder / "edges"  # a build without the sanitizers' branches
    built(folder, "agp_fuzz_front_end")
    built(edges, "agp_fuzz_front_end", options=["-DAGP_FUZZ_EDGES=ON"])
    target = "tests/fuzz/agp_fuzz_front_end"
    words = [sys.executable, "-B", ROOT / "tests/fuzz/run.py", folder / target, folder / "corpus", "--seconds", str(SECONDS),
             "--seed", os.environ.get("AGP_SEED", "1"), "--edges", edges / target]
    return subprocess.run(words).returncode


def sanitizers(folder):
    built(folder)
    env = dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1", GTEST_BRIEF="1")
    env.pop("AGP_LONG", None)  # the tests of the short tier
    done = subprocess.run(["ctest", "--test-dir", folder, "-R", r"^(unit|golden)\.", "--output-on-failure", "--timeout", "3600"],
                          env=env, capture_output=True, text=True, errors="replace")
    print(done.stdout)
    reports = re.findall(r"^.*(?:ERROR: \w+Sanitizer|runtime error:).*$", done.stdout, re.M)
    counted = re.search(r"tests passed, (\d+) tests failed out of (\d+)", done.stdout)
    failed, tests = counted.groups() if counted else ("?", "?")
    print(f"result: {tests} tests by clang {clang()}, address and undefined: {failed} failed, {len(reports)} reports")
    return done.returncode or bool(reports)


def clang():
    return re.search(r"version (\S+?)[-+ \n]", subprocess.run(["clang", "--version"], capture_output=True, text=True).stdout)[1]


def main():
    sys.exit({"fuzz": fuzz, "sanitizers": sanitizers}[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve()))


if __name__ == "__main__":
    main()
