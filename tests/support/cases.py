"""Cases of a test program, one function each: run in order, counted, and closed by the line that summary.py reads."""
import subprocess
import sys


class Skip(Exception):
    """Raised by a case that can't run here, with the reason."""


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def run_all(name, cases):
    """Ends the process: status 1 when one failed. A case is a function without arguments."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in cases:
        try:
            case()
            counts["passed"] += 1
        except Skip as reason:
            counts["skipped"] += 1
            print(f"skipped {case.__name__}: {reason}", flush=True)
        except (AssertionError, subprocess.TimeoutExpired) as fault:
            counts["failed"] += 1
            print(f"FAILED {case.__name__}: {fault}", flush=True)
    print(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    sys.exit(1 if counts["failed"] else 0)
