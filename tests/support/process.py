#!/usr/bin/python3
"""agp as a process: pipes that close, disks that are full, files that are no files, modes and links. What needs root or
a private mount is skipped, counted, and says why."""
import functools
import os
import pathlib
import select
import signal
import stat
import subprocess
import sys
import tempfile

from cases import Skip, expect, run_all

AGP = os.path.abspath(sys.argv[1])
LIMIT = 60
GOOD = """agp 1

policy sample {
  file { allow read "/task/**" }
  run {
    command "/usr/bin/true"
    user 1000:1000
    mount "/srv/task" at "/task" readonly
  }
}
"""
LOOSE = GOOD.replace("  file { allow", "  file {   allow")
WRONG = GOOD.replace('"/task/**"', '"${task}/**"')


def agp(*words, cwd, **more):
    more.setdefault("capture_output", "stdout" not in more)
    return subprocess.run([AGP, *words], cwd=cwd, timeout=LIMIT, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **more)


def a_closed_pipe_ends_the_run_without_a_message(home):
    (home / "x.agp").write_text(WRONG)
    for ignored in (False, True):  # also where the caller ignores SIGPIPE, as some build servers do
        read, write = os.pipe()
        os.close(read)
        before = (lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN)) if ignored else None
        done = agp("check", "x.agp", cwd=home, stdout=write, stderr=subprocess.PIPE, preexec_fn=before)
        os.close(write)
        expect(done.returncode == -signal.SIGPIPE, f"ended with {done.returncode}")
        expect(done.stderr == b"" or b"pipe" not in done.stderr.lower(), done.stderr)


def a_full_standard_output_is_exit_2(home):
    (home / "x.agp").write_text(GOOD)
    with open("/dev/full", "wb") as full:
        done = agp("check", "x.agp", cwd=home, stdout=full, stderr=subprocess.PIPE)
    expect(done.returncode == 2 and b"standard output" in done.stderr, (done.returncode, done.stderr))


def the_summary_stands_below_the_findings(home):
    (home / "x.agp").write_text(WRONG)
    done = agp("check", "x.agp", cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.decode().splitlines()
    expect("AGP1050" in lines[0] and lines[-1].startswith("agp check:"), lines)


def pipes_and_devices_are_not_waited_for(home):
    os.mkfifo(home / "pipe.agp")
    (home / "good.agp").write_text(GOOD)
    expect(agp("check", "pipe.agp", cwd=home).returncode == 2, "a pipe as a policy")
    expect(agp("verify", "good.agp", "--seccomp", "pipe.agp", cwd=home).returncode == 2, "a pipe as an artifact")
    expect(agp("check", "/dev/zero", "--project-root", "/", "--no-config", cwd=home).returncode == 2, "a device")
    walked = agp("check", "--format", "concise", cwd=home)
    expect(walked.returncode == 0, walked.stdout)


def formatting_keeps_mode_and_links(home):
    real = home / "real.agp"
    real.write_text(LOOSE)
    real.chmod(0o751)
    (home / "link.agp").symlink_to("real.agp")
    done = agp("fmt", "link.agp", cwd=home)
    expect(done.returncode == 0, done.stderr)
    expect(real.read_text() != LOOSE and not real.is_symlink(), "the file behind the link is formatted")
    expect((home / "link.agp").is_symlink(), "the link stays one")
    expect(stat.S_IMODE(real.stat().st_mode) == 0o751, oct(real.stat().st_mode))
    expect(sorted(os.listdir(home)) == ["link.agp", "real.agp"], os.listdir(home))


def formatting_a_file_that_is_in_order_does_not_touch_it(home):
    (home / "x.agp").write_text(GOOD)
    os.utime(home / "x.agp", (1, 1))
    agp("fmt", "x.agp", cwd=home)
    expect((home / "x.agp").stat().st_mtime == 1, "written without need")


def a_full_disk_leaves_the_old_output(home):
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    (home / "small").mkdir()
    (home / "x.agp").write_text(GOOD)
    (home / "y.agp").write_text(GOOD.replace("policy sample {", "policy sample {\n  owner \"x\""))
    script = """mount -t tmpfs -o size=160k,mode=755 tmpfs small || exit 99
"$0" build -q x.agp -o small/out || exit 98
before=$(cd small && find . -type f | sort | xargs sha256sum)
"$0" build -q y.agp -o small/out; code=$?
after=$(cd small && find . -type f | sort | xargs sha256sum)
[ "$before" = "$after" ] || exit 97
exit $code"""
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, AGP], cwd=home, capture_output=True, timeout=LIMIT)
    if done.returncode == 99:
        raise Skip("a tmpfs can't be mounted here")
    expect(done.returncode == 2 and b"AGP0009" in done.stderr, (done.returncode, done.stderr))


def a_size_limit_on_files_is_a_failed_write(home):
    (home / "x.agp").write_text(GOOD)
    done = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$0" build -q x.agp -o out', AGP], cwd=home, capture_output=True, timeout=LIMIT)
    expect(done.returncode == 2, (done.returncode, done.stderr))
    expect(sorted(os.listdir(home)) == ["x.agp"], os.listdir(home))


def a_directory_that_may_not_be_written_is_exit_2(home):
    (home / "x.agp").write_text(GOOD)
    home.chmod(0o555)
    drop = None
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
        drop = lambda: (os.setgid(65534), os.setuid(65534))  # noqa: E731
    done = agp("build", "-q", "x.agp", "-o", "out", cwd=home, preexec_fn=drop)
    home.chmod(0o755)
    expect(done.returncode == 2 and b"AGP0009" in done.stderr, (done.returncode, done.stderr))


def hundreds_of_findings_and_long_lines_stay_quick(home):
    rules = "".join(f'    allow read "${{missing{i}}}/**"\n' for i in range(3000))
    (home / "many.agp").write_text("agp 1\n\npolicy sample {\n  file {\n" + rules + "  }\n}\n")
    done = agp("check", "many.agp", "--format", "concise", cwd=home)
    expect(done.returncode == 1 and done.stdout.count(b"AGP1050") == 3000, done.stdout[:300])
    line = " ".join(f'allow read "${{missing{i}}}/**"' for i in range(20000))
    (home / "long.agp").write_text("agp 1\n\npolicy sample {\n  file { " + line + " }\n}\n")
    done = agp("check", "long.agp", cwd=home)
    expect(done.returncode == 1 and len(done.stdout) < 40_000_000, (done.returncode, len(done.stdout)))


def what_does_not_solve_loads_no_solver(home):
    """The dynamic loader says what it looks for; a build, which proves, is the control."""
    (home / "x.agp").write_text(GOOD)
    (home / "test.agp").write_text(GOOD + "test sample { allow read \"/task/x\" }\n")

    def loads(*words):
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(home / "loader")}
        done = subprocess.run([AGP, *words], cwd=home, capture_output=True, timeout=LIMIT, env=env)
        expect(done.returncode == 0, (words, done.returncode, done.stderr))
        said = [p.read_text() for p in home.glob("loader.*")]
        for p in home.glob("loader.*"):
            p.unlink()
        expect(said, "the loader said nothing")
        return any("libz3" in one for one in said)

    for words in (["query", "x.agp", 'read "/task/x"'], ["test", "test.agp"], ["probe", "x.agp"], ["doc", "x.agp"], ["fmt", "--check", "x.agp"],
                  ["explain"], ["help"], ["completion", "bash"], ["build", "x.agp", "-o", "unproved", "--no-verify"]):
        expect(not loads(*words), f"agp {' '.join(words)} loads the solver")
    expect(loads("build", "x.agp", "-o", "out"), "a build that proves loads no solver")


def a_terminal_sees_how_far_a_run_is(home):
    """Standard input that does not end makes the run long: the line appears, and is gone before the answer."""
    terminal, side = os.openpty()
    words = [AGP, "check", "-", "--stdin-name", "x.agp"]
    run = subprocess.Popen(words, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=side, env={"PATH": "/usr/bin:/bin"})
    os.close(side)
    seen = b""
    while "reading standard input …".encode() not in seen:
        expect(select.select([terminal], [], [], LIMIT)[0], f"no progress: {seen!r}")
        seen += os.read(terminal, 4096)
    run.stdin.write(GOOD.encode())
    run.stdin.close()
    out = run.stdout.read()
    expect(run.wait(LIMIT) == 0 and b"plan of" in out, out)
    while b"1 policy: " not in seen:
        expect(select.select([terminal], [], [], LIMIT)[0], f"no summary: {seen!r}")
        seen += os.read(terminal, 4096)
    os.close(terminal)
    expect(b"\x1b[K" in seen.rsplit("…".encode(), 1)[1], f"the line stays: {seen!r}")
    expect(b"\x1b[K" not in out, "progress on standard output")


def at_home(case):
    """The case with a fresh directory, which every user may enter."""
    @functools.wraps(case)
    def run():
        with tempfile.TemporaryDirectory() as scratch:
            home = pathlib.Path(scratch).resolve() / "home"
            home.mkdir()
            os.chmod(scratch, 0o755)
            case(home)
    return run


def main():
    cases = [f for f in globals().values() if callable(f) and getattr(f, "__code__", None) and f.__code__.co_varnames[:1] == ("home",)]
    run_all("process", [at_home(case) for case in cases])


if __name__ == "__main__":
    main()
