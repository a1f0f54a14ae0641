#!/usr/bin/python3
"""log.py AGP LAUNCHER: what the running kernel writes about refusals of Landlock, and what `agp logs` makes of it.

A process under a layer that permits nothing tries to read, list, write, make, remove and rename; audit is on, with a rule
for its user, so that the kernel writes its SYSCALL, CWD and PATH records beside each refusal. What the log names is
granted as it is named; what is made or removed no record names. Then the launcher starts a program that reads what it may
not: the kernel by itself logs nothing behind an execve. Exits 77, with the reason, where audit can't be used."""
import ctypes
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from kernel_log import Audit, KernelLog  # noqa: E402

USER = 61235
LIBC = ctypes.CDLL(None, use_errno=True)
POLICY = """agp 1

policy logged {{
  isolation process
  file {{ allow read, list "{tree}/known/**" }}
  run {{
    command "/usr/bin/true"
    user {user}:{user}
  }}
}}
"""


def attempts(tree):
    """What each gives, and the grants that it is missing: of what has a name in the log, that name alone."""
    made, removed = f'create "{tree}/**"', f'delete "{tree}/**"'
    return [(lambda: os.open(f"{tree}/file", os.O_RDONLY), [f'read "{tree}/file"']),
            (lambda: os.open(f"{tree}/wanted", os.O_WRONLY), [f'modify "{tree}/wanted"']),
            (lambda: os.truncate(f"{tree}/cut", 0), [f'modify "{tree}/cut"']),
            (lambda: os.listdir(f"{tree}/listed"), [f'list "{tree}/listed"']),
            (lambda: os.execv(f"{tree}/program", ["program"]), [f'exec "{tree}/program"', f'read "{tree}/program"']),
            (lambda: os.open(f"{tree}/made-file", os.O_CREAT | os.O_WRONLY), [made]),
            (lambda: os.mkdir(f"{tree}/made-directory"), [made]),
            (lambda: os.symlink("elsewhere", f"{tree}/made-link"), [made]),
            (lambda: os.unlink(f"{tree}/removed-file"), [removed]),
            (lambda: os.rmdir(f"{tree}/removed-directory"), [removed]),
            (lambda: os.rename(f"{tree}/removed-file", f"{tree}/other/made-of-it"), [removed, f'create "{tree}/other/**"'])]


def prepare(tree):
    for folder in ("known", "listed", "other", "removed-directory"):
        os.makedirs(f"{tree}/{folder}")
    for name in ("file", "wanted", "cut", "program", "removed-file"):
        pathlib.Path(tree, name).write_text("x")
        os.chmod(f"{tree}/{name}", 0o777)
    for path in (tree, f"{tree}/other"):
        os.chown(path, USER, USER)


def child(tree):
    """Everything is denied: the errno of each attempt, to standard output's descriptor."""
    layer = LIBC.syscall(444, struct.pack("=QQQ", 0xffff, 0, 0), 8, 0)   # landlock_create_ruleset: all of ABI 7's rights
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    if layer < 0 or LIBC.prctl(38, 1, 0, 0, 0) or LIBC.syscall(446, layer, 0):   # PR_SET_NO_NEW_PRIVS, landlock_restrict_self
        return ["no layer"]
    got = []
    for attempt, _ in attempts(tree):
        try:
            attempt()
            got.append(0)
        except OSError as e:
            got.append(e.errno)
    return got


def tried(tree):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, json.dumps(child(tree)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        text = answers.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def launched(tree, launcher):
    """The lines about a file that a program behind the launcher's execve was refused."""
    ruleset = pathlib.Path(tree, "known/ruleset.json")
    ruleset.write_text(json.dumps({"abi": 7, "ruleset": [{"handledAccessFs": ["read_file"]}],
                                   "pathBeneath": [{"allowedAccess": ["read_file"], "parent": ["/usr/", "/etc/"]}]}))
    with KernelLog() as log, Audit(USER):
        done = subprocess.run([launcher, "--ruleset", ruleset, "--user", f"{USER}:{USER}", "--", "/usr/bin/cat", "/etc/debian_version",
                               f"{tree}/file"], capture_output=True, text=True)
        lines = log.lines("audit: type=")
    if not done.stdout or "Permission denied" not in done.stderr:
        sys.exit(f"the program was to read one file and be refused another: {done}")
    return [line for line in lines if "type=1423" in line and f"{tree}/file" in line]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def records(tree):
    """The lines of the kernel about the refusals in the tree, with all that stand beside one of them."""
    with KernelLog() as log, Audit(USER) as audit:
        if log.missing or audit.missing:
            skip(log.missing or audit.missing)
        got = tried(tree)
        lines = log.lines("audit: type=")
    if got != [13] * len(attempts(tree)):
        sys.exit(f"not all attempts were refused: {got}")

    def serial(line):
        return re.search(r"audit\(([^)]*)\)", line)[1]
    about = {serial(line) for line in lines if "type=1423" in line and tree in line}
    return [line for line in lines if serial(line) in about]


def main(agp, launcher):
    if os.getuid() != 0:
        skip("audit records need root")
    if LIBC.syscall(444, None, ctypes.c_size_t(0), 1) < 7:
        skip("this kernel's Landlock writes no records")
    with tempfile.TemporaryDirectory(prefix="agp-log-") as scratch:
        os.chmod(scratch, 0o755)
        tree = f"{scratch}/tree"
        prepare(tree)
        lines = records(tree)
        faults = [] if launched(tree, launcher) else ["what the launched program was refused is not in the log"]
        faults += [f"no record of type {kind}" for kind in (1423, 1300, 1302) if not any(f"type={kind} " in l for l in lines)]
        faults += [f"the log names what is made or removed: {l}" for l in lines if "made-" in l or "removed-" in l]
        policy = pathlib.Path(scratch, "logged.agp")
        policy.write_text(POLICY.format(tree=tree, user=USER))
        done = subprocess.run([agp, "logs", policy, "-", "--format", "json", "--target", "linux-6.18"], input="\n".join(lines) + "\n",
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"agp logs: {done.returncode}\n{done.stdout}{done.stderr}")
        found = {e["attempt"]: e for e in json.loads(done.stdout)["attempts"]}
        wanted = {grant for _, grants in attempts(tree) for grant in grants}
        faults += [f"{grant}: not in the answer" for grant in sorted(wanted - set(found))]
        faults += [f"{grant}: nothing like that was tried" for grant in sorted(set(found) - wanted)]
        for text, entry in found.items():
            if entry["answer"] != "missing" or entry["grant"] != f"allow {text}":
                faults.append(f"{text}: {entry}")
            if (entry["reason"] is not None) != text.startswith(("create", "delete")):
                faults.append(f"{text}: the reason is {entry['reason']}")
    for fault in faults:
        print(f"FAILED {fault}")
    print(f"{len(attempts(tree))} attempts, {len(lines)} records, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main(*map(os.path.abspath, sys.argv[1:]))
