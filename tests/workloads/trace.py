"""What a traced run was refused. In: strace's text of a whole start. Out: the calls of the agent and its descendants that
failed as a layer of the sandbox makes a call fail, as `call path errno`.

An errno is a denial's whatever layer gave it (seccomp, a read-only or non-executable mount, permissions of the user):
EPERM, EACCES, EROFS, ENOSYS. A mount that is not there gives ENOENT, as a missing file does: it counts where the root
that the policy's mounts come from has such a path. A relative path of a call without a directory is one in the working
directory, which is followed through chdir, fchdir and the start of children."""
import os
import pathlib
import re

LINE = re.compile(r"^(\d+) +(.*)$")
# `clone(…) = 7 /* 4711 in strace's PID NS */`
CHILD = re.compile(r"^(?:clone3?|v?fork)\(.*= (\d+)(?: /\* (\d+) in strace's PID NS \*/)?$")
FAILED = re.compile(r"^(\w+)\((.*)\) += -1 (E\w+)")
PATH = re.compile(r'^(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
CHANGED = re.compile(r'^(?:chdir\("((?:[^"\\]|\\.)*)"\)|fchdir\(\d+<([^>]*)>\)) += 0$')
ALWAYS = ("EPERM", "EACCES", "EROFS", "ENOSYS")


def joined(text):
    """Lines of strace with the two halves of an interrupted call made one, as (pid, call)."""
    halves = {}
    for line in text.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        pid, what = int(found[1]), found[2]
        if what.endswith("<unfinished ...>"):
            halves[pid] = what.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = re.match(r"^<\.\.\. \w+ resumed>(.*)$", what)
        if resumed:
            what = halves.pop(pid, "") + resumed[1]
        yield pid, what


def agents_calls(text, program, first):
    """(working directory, call) of the process that executed `program`, and of all its descendants. `first` is the working
    directory of that process."""
    lines = list(joined(text))
    start = next((i for i, (_, c) in enumerate(lines) if c.startswith(f'execve("{program}"') and c.endswith(" = 0")), None)
    if start is None:
        raise ValueError(f"the trace has no start of {program}")
    # A child's first lines may stand before the line of the clone that made it.
    children, parent = {}, {}
    for pid, call in lines[start:]:
        if made := CHILD.match(call):
            child = int(made[2] or made[1])
            children.setdefault(pid, set()).add(child)
            parent[child] = pid
    family, todo = set(), {lines[start][0]}
    while todo:
        family |= todo
        todo = {c for p in todo for c in children.get(p, ())} - family
    calls, at = [], {lines[start][0]: first}
    for pid, call in lines[start:]:
        if pid not in family:
            continue
        if pid not in at:  # a child begins where its parent is
            at[pid] = at.get(parent[pid], first)
        calls.append((at[pid], call))
        if changed := CHANGED.match(call):
            at[pid] = os.path.normpath(os.path.join(at[pid], changed[1] or changed[2]))
    return calls


def denials(text, process, root, own):
    """{`call path errno`: how often} of the process of a config.json. `root` is the directory that stands for /, `own` the
    paths of the run's own mounts, in which a missing file is a missing file."""
    found = {}
    for directory, call in agents_calls(text, process["args"][0], process["cwd"]):
        failed = FAILED.match(call)
        if not failed:
            continue
        name, arguments, errno = failed.groups()
        path = PATH.match(arguments)
        at = os.path.normpath(os.path.join(path[1] or directory, path[2])) if path else ""
        if errno == "ENOENT":
            if not path or not path[2] or any(at == o or at.startswith(o + "/") for o in own) or at.startswith("/proc"):
                continue
            if not os.path.lexists(pathlib.Path(root) / at.lstrip("/")):
                continue
        elif errno not in ALWAYS:
            continue
        key = f"{name} {at or arguments.split(',')[0].split(' ')[0]} {errno}"
        found[key] = found.get(key, 0) + 1
    return found
