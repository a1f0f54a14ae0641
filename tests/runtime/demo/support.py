"""What the tests of the demonstration share: the programs under test, the example and variants of it."""
import json
import os
import pathlib
import subprocess
import sys

ARGUMENTS = list(sys.argv)  # before a test takes its own away
ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs/examples/code-execution.agp"
sys.path.insert(0, str(ROOT / "tools/demo"))


def alone():
    """Goes on where /srv and /run are the test's own: the example's directories and the names of network namespaces and
    containers are fixed, and another checkout may be testing on this machine. Without root there is nothing to see."""
    if os.geteuid() != 0:
        print("skipped: needs root, for network namespaces and a container")
        sys.exit(77)
    if os.environ.get("AGP_DEMO_ALONE") != "1":
        script = 'mount -t tmpfs -o mode=755 tmpfs /srv && mount -t tmpfs -o mode=755 tmpfs /run && exec "$@"'
        os.environ["AGP_DEMO_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", sys.executable, "-B",
                              *ARGUMENTS])


def variant(directory, *replacements):
    """The example with pieces of its text replaced; each piece must stand there exactly once."""
    text = EXAMPLE.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, f"the example has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    path = pathlib.Path(directory) / "variant.agp"
    path.write_text(text)
    return path


def observe(agp, probe, policy, directory):
    """Runs the attempts in the policy's sandbox. Returns the exit status, the results by id, and what was printed."""
    results = pathlib.Path(directory) / "results"
    done = subprocess.run(["/usr/bin/python3", "-B", ROOT / "tools/demo/demo.py", "--agp", agp, "--probe", probe, "--probe-only",
                           "--json", results, policy], capture_output=True, text=True, timeout=300, check=False)
    if not results.exists():
        raise AssertionError(f"no results: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    rows = [json.loads(l) for l in results.read_text().splitlines()]
    results.unlink()
    return done.returncode, {r["id"]: r for r in rows}, done.stdout + done.stderr
