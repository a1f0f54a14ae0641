#!/usr/bin/python3
"""loaders.py LAUNCHER FOLDER: what the table says that loaders need, tried again by `tools/find_loader_needs --retest`, for
each release of the table, the installed ones first; in the short tier these alone.

FOLDER (in the build tree) keeps the loaders of other releases of Debian; one that is not there is downloaded as a package
and unpacked, never installed. What can't be had is skipped, counted and named, release by release; exits 77 if nothing ran.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests/support"))
import debian  # noqa: E402

RUNS = 10
TOOL = ROOT / "tools/find_loader_needs"
# Where a loader is in its package.
PROGRAMS = {"runc": ("runc", "usr/sbin/runc"), "crun": ("crun", "usr/bin/crun"), "bwrap": ("bubblewrap", "usr/bin/bwrap")}
# What is laid over this machine's libraries: of a newer release all that a loader needs, of another what may be missing.
MISSING = ["libyajl2"]
NEWER = MISSING + ["libc6", "libseccomp2", "libcap2", "libselinux1", "libpcre2-8-0", "libsystemd0"]
SUITES = {"bookworm": MISSING, "bullseye": MISSING, "trixie": NEWER}
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def table():
    """(loader, release, suite), each once."""
    lines = (ROOT / "tools/data/loader_needs.tsv").read_text().splitlines()
    return sorted({tuple(line.split("\t")[:3]) for line in lines if line and line[0] != "#"})


def had(suite, folder):
    """The suite's loaders in FOLDER. Raises debian.Unavailable."""
    where = folder / suite
    if not (where / "complete").exists():
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        source = debian.Suite(suite, where / "apt")
        for package, _ in PROGRAMS.values():
            source.unpack(package, where / "programs")
        for package in SUITES[suite]:
            source.unpack(package, where / "libraries")
        shutil.rmtree(where / "apt")
        (where / "complete").touch()
    return where


def retest(path, libraries=None):
    """Exit code and output; the release is the loader's own word."""
    words = [sys.executable, "-B", TOOL, "--retest", "--runs", str(RUNS), path]
    if libraries:
        words += ["--libraries", libraries]
    done = subprocess.run(words, capture_output=True, text=True)
    print(done.stdout + done.stderr, end="", flush=True)
    return done.returncode, done.stdout + done.stderr


def state(loader, release, said):
    """Of one release by what the tool said: passed, failed, skipped."""
    own = re.findall(rf"^{re.escape(f'{loader} {release}: ')}(.*)$", said, re.M)
    if not own:
        return "skipped"
    fine = own[0].startswith(f"starts {RUNS} times") and all(line.startswith("not without ") for line in own[1:])
    return "passed" if fine else "failed"


def main():
    launcher, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    todo, said, failed = table(), "", []

    def one(name, path, libraries=None):
        nonlocal said
        code, out = retest(path, libraries)
        said += out
        if code not in (0, 77):
            failed.append(name)

    one("landlock-launch", launcher)
    for loader in PROGRAMS:
        if path := shutil.which(loader, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            one(f"installed {loader}", path)
    suites = SUITES if os.environ.get("AGP_LONG") else {}
    todo = [row for row in todo if row[2] in suites or f"{row[0]} {row[1]}: " in said]
    for suite in suites:
        wanted = {loader.split()[0] for loader, release, of in todo if of == suite and f"{loader} {release}: " not in said}
        try:
            where = had(suite, folder) if wanted else None
        except debian.Unavailable as why:
            print(f"skipped {len(wanted)} loaders of {suite}: {why}")
            continue
        for loader in sorted(wanted):
            one(f"{loader} of {suite}", where / "programs" / PROGRAMS[loader][1], where / "libraries" / LIBRARIES)
    states = {f"{loader} {release}": state(loader, release, said) for loader, release, _ in todo}
    for name in failed:
        print(f"failed: {name}")
    for name, what in states.items():
        if what == "skipped":
            print(f"skipped {name}: not had here")
    counts = collections.Counter(states.values())
    bad = max(counts["failed"], len(failed))   # an installed release may have no rows
    print(f"loaders: {counts['passed']} passed, {bad} failed, {counts['skipped']} skipped")
    sys.exit(1 if bad else 0 if counts["passed"] else 77)


if __name__ == "__main__":
    main()
