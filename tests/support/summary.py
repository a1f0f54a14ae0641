#!/usr/bin/python3
"""Adds up what a run of ctest did. In: the folder of results. Out: the reason of every skip, and a closing line
`N passed, N failed, N skipped`, alone on its line. Cases are counted one by one where a program says how many it has: a
GoogleTest program by its XML, any other by a line `N passed, N failed` (and `, N skipped`) of its output."""
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

COUNTS = re.compile(r"^(?:[\w.-]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


def gtest_cases(path):
    """Lists of (name, state, reason) of a GoogleTest report."""
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None:
            yield name, "failed", ""
        elif skipped is not None or case.get("result") == "skipped" or case.get("status") == "notrun":
            yield name, "skipped", (skipped.get("message") or "").strip() if skipped is not None else "disabled"
        else:
            yield name, "passed", ""


def main():
    results = pathlib.Path(sys.argv[1])
    total = {"passed": 0, "failed": 0, "skipped": 0}
    skips = []
    gtest = {path.stem: path for path in (results / "gtest").glob("*.xml")}
    report = results / "ctest.xml"
    if not report.exists():
        sys.exit("summary.py: ctest wrote no report")
    for case in xml.parse(report).getroot().iter("testcase"):
        name, state = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        counts = {"run": "passed", "fail": "failed"}.get(state, "skipped")
        # `runtime.oci.mounts` is run by agp_runtime_oci_mounts, or by agp_runtime_oci.
        words = name.split(".")
        programs = ["agp_" + "_".join(words[:n]) for n in range(len(words), 1, -1)]
        own = next((gtest.pop(program) for program in programs if program in gtest), None)
        said = COUNTS.findall(output)
        if counts != "skipped" and own is not None:
            found = list(gtest_cases(own))
            for one, what, reason in found:
                total[what] += 1
                if what == "skipped":
                    skips.append(f"{name} {one}: {reason}")
            if counts == "failed" and not any(what == "failed" for _, what, _ in found):
                total["failed"] += 1  # it ended otherwise than by a failed case: a crash
        elif counts != "skipped" and said:
            passed, failed, skipped = (int(n or 0) for n in said[-1])
            total["passed"] += passed
            total["failed"] += max(failed, 1 if counts == "failed" else 0)
            total["skipped"] += skipped
        else:
            total[counts] += 1
        if counts == "skipped":
            reason = [line.strip() for line in output.splitlines() if line.strip()]
            skips.append(f"{name}: {reason[-1] if reason else 'no reason given'}")
    for skip in skips:
        print(f"skipped {skip}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    sys.exit(1 if total["failed"] or not total["passed"] else 0)


if __name__ == "__main__":
    main()
