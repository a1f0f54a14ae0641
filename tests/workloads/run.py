#!/usr/bin/python3
"""`run.py AGP CASE`: a real program in the real sandbox that is built from a module of the library.

A case is a folder with policy.agp, task/ (mounted at /task) and case.json; instead of a policy of its own it may name
one of docs/examples, of which only the host's directories and its root are replaced:

  about       one line
  needs       files of the root without which the case is skipped, with the reason printed
  packages    Debian packages unpacked into a root of their own, instead of the machine's (debian_root.py)
  example     a policy of docs/examples
  mounts      {host directory of the example: directory of the work directory}
  instead     {text of the example: what stands there here}
  setup       shell commands run in the work directory, which is `--set work=…`, before each run
  input       a file of the case's folder, which is the agent's standard input
  after       shell commands run in the work directory after each run
  prints      lines that the agent, or what runs after it, must print
  rules       fragments of the library of which each include, allow, deny, set and the limits are taken away one by one:
              each time the workload must fail
  stays       {rule: why the workload does not need it}
  refused     {regular expression: why} for the calls that fail as if denied; anything else that does is a failure
  packets     {counter: why} for the packet rules that refuse something
  names       {name: address} of the resolver outside
  servers     [[address, port, options of web.py], …] of the web outside
  outside     [[script, address, further words], …] of what else is outside; a script is a file of this directory, and
              the word `@root@` the root of `packages`

What is asserted: the build is proved; the workload succeeds; nothing is refused that the case does not name, and what
it names is refused; in the long tier (AGP_LONG), that without any one rule it fails, or `stays` says why not."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import debian_root
import outside
import sandbox
import trace
from sandbox import Failed, Sandbox

HERE = pathlib.Path(__file__).resolve().parent
SKIP = 77
# Lookups that every dynamically linked program makes before it goes on.
LOADER = {r"openat /etc/ld\.so\.cache ENOENT": "without its cache the loader searches the directories",
          r"(openat|newfstatat|access|faccessat2?) /lib/x86_64-linux-gnu(/\S*)? ENOENT": "searched before /usr/lib, which is the same",
          r"clone3 .* ENOSYS": "its flags can't be seen: libraries fall back to clone"}
# Without a rule of the library, a mount that served only it and an acceptance of its gap are errors: they go with it.
USELESS = re.compile(r"^error\[AGP(?:2033|4004)\].*\n +--> policy\.agp:(\d+):", re.M)
GROUP = re.compile(r"^(?:  include |  limit \{|    (?:allow|deny|set) )", re.M)


def statements(text, fragment):
    """[(name, start, end)] of what a fragment in canonical layout includes, allows, denies, sets and limits. The name is
    the first line, without further patterns and arguments; limits are one group."""
    begin = re.search(rf"^fragment {re.escape(fragment)}\b.*\{{$", text, re.M)
    if begin is None:
        raise Failed(f"no fragment {fragment}")
    stop = text.index("\n}\n", begin.end()) + 1
    found = []
    for start in [m.start() for m in GROUP.finditer(text, begin.end(), stop)]:
        first, *others = text[start:stop].splitlines(keepends=True)
        indent = len(first) - len(first.lstrip())
        end = start + len(first)
        for line in others:
            if line.startswith(" " * (indent + 1)) or (first.endswith("{\n") and line.strip() == "}"):
                end += len(line)
            if not line.startswith(" " * (indent + 1)):
                break
        found.append((named(" ".join(text[start:end].split())), start, end))
    return found


def named(words):
    if words.startswith("limit"):
        return "limit"
    if words.startswith("include"):
        return words.split("(")[0]
    if words.startswith("set"):
        return words
    return re.match(r'[^"]*"[^"]*"|.*?(?= because |$)', words)[0]


def removals(rules):
    """(name, {module file: changed text}) for every rule of the fragments named, such as std.runtime.python."""
    for rule in rules:
        parts = rule.split(".")
        path, fragment = "/".join(parts) + ".agp", parts[-1]
        if not (sandbox.LIBRARY / path).exists():
            path = "/".join(parts[:-1]) + ".agp"
        text = (sandbox.LIBRARY / path).read_text()
        for name, start, end in statements(text, fragment):
            yield f"{fragment}: {name}", {path: text[:start] + text[end:]}


class Case:
    def __init__(self, agp, folder):
        self.agp, self.folder = agp, folder
        self.about = json.loads((folder / "case.json").read_text())
        self.text = self.example() if "example" in self.about else (folder / "policy.agp").read_text()
        self.root = pathlib.Path("/")
        self.faults = []

    def get(self, key, other=()):
        return self.about.get(key, other)

    def example(self):
        text = (sandbox.ROOT / "docs/examples" / f"{self.about['example']}.agp").read_text()
        for host, own in self.get("mounts", {}).items():
            if f'"{host}"' not in text:
                raise Failed(f"the example does not mount {host}")
            text = text.replace(f'"{host}"', f'"@work@/{own}"')
        for old, new in self.get("instead", {}).items():
            if old not in text:
                raise Failed(f"the example has no {old}")
            text = text.replace(old, new)
        # A parameter's default is a text of its own; what is mounted is one with the work directory inserted.
        defaults = dict(re.findall(r'^param (\w+) : path = "(@work@[^"]*)"$', text, re.M))
        for name, value in defaults.items():
            text = re.sub(rf"(///[^\n]*\n)*param {name} : path = [^\n]*\n", "", text).replace(f"${{{name}}}", value)
        text = re.sub(r"^policy ", "param work : path\n\npolicy ", text.replace("@work@", "${work}"), count=1, flags=re.M)
        if self.get("packages"):
            text = text.replace("param work", "param root : path\nparam work", 1).replace("  run {\n", '  run {\n    rootfs "${root}"\n', 1)
        return text

    def ready(self):
        if os.geteuid() != 0:
            return "a container and namespaces need root"
        for program in ("runc", "nft", "ip", "strace"):
            if not shutil.which(program):
                return f"{program} is not installed"
        if self.get("packages"):
            try:
                self.root = debian_root.unpacked(self.get("packages"))
            except debian_root.Unavailable as problem:
                return str(problem)
        missing = [f for f in self.get("needs") if not (self.root / f.lstrip("/")).exists()]
        return f"not installed: {', '.join(missing)}" if missing else None

    @contextlib.contextmanager
    def built(self, library=None, quick=False):
        """A fresh work directory, and the policy built for it."""
        with tempfile.TemporaryDirectory(prefix="agp-workload-") as top:
            top = pathlib.Path(top)
            top.chmod(0o755)
            work = top / "work"
            shutil.copytree(self.folder / "task", work / "task")
            for command in self.get("setup"):
                sandbox.call("sh", "-ec", command, cwd=work, umask=0o022)
            text, _ = sandbox.own_name(self.text)
            policy = sandbox.project(top / "project", text, library)
            values = {"work": work, **({"root": self.root} if self.get("packages") else {})}
            done = sandbox.build(self.agp, policy, top / "built", values, quick)
            if library and (lines := USELESS.findall(done.stdout + done.stderr)):
                text = policy.read_text().splitlines(keepends=True)
                policy.write_text("".join(l for n, l in enumerate(text, 1) if str(n) not in lines))
                done = sandbox.build(self.agp, policy, top / "built", values, quick)
            if done.returncode != 0:
                raise Failed(f"agp build: exit {done.returncode}\n{done.stdout}{done.stderr}")
            yield top, top / "built"

    def run(self, built, trace_to=None):
        work = built.parent / "work"
        given = (self.folder / self.get("input")).read_bytes() if self.get("input") else b""
        scripts = [[w.replace("@root@", str(self.root)) for w in words] for words in self.get("outside")]
        with outside.world(self.get("names", {}), self.get("servers"), scripts, work) as uplink:
            box = Sandbox(built, uplink)
            status, out = box.run(trace_to, given=given)
        for command in self.get("after"):
            out += sandbox.call("sh", "-ec", command, cwd=work, check=False).stdout
        lines = out.splitlines()
        missing = [l for l in self.get("prints") if l not in lines]
        return status == 0 and not missing, f"exit {status}, does not print {missing}\n{out[-3000:]}", box

    def expect(self, good, text):
        if not good:
            self.faults.append(text)
            print(f"FAIL: {text}", flush=True)

    def works(self):
        with self.built() as (top, built):
            report = json.loads((built / "manifest.json").read_text())
            self.expect("not verified" not in json.dumps(report["artifacts"]), "an artifact is not verified")
            good, text, box = self.run(built)
            self.expect(good, f"the workload fails: {text}")
        self.expect_only("packets", box.refusals, self.get("packets", {}), {})
        return good

    def is_not_refused(self):
        with self.built() as (top, built):
            good, text, box = self.run(built, top / "trace")
            self.expect(good, f"traced, the workload fails: {text}")
            own = [m["destination"] for m in box.config["mounts"] if not m.get("source", "").startswith(str(self.root))
                   or m["type"] == "tmpfs" or m.get("source", "").startswith(str(top))]
            found = trace.denials((top / "trace").read_text(errors="replace"), box.config["process"], self.root, own)
        self.expect_only("call", found, self.get("refused", {}), LOADER)

    def expect_only(self, what, found, named, always):
        used = set()
        for key, count in sorted(found.items()):
            by = [e for e in (*named, *always) if re.fullmatch(e, key)]
            used.update(by)
            self.expect(by, f"refused {what}, {count} times: {key}")
        for expression in named:
            # What is missing from the sandbox depends on what the machine has.
            self.expect(expression in used or expression.endswith("ENOENT"), f"never refused, but named: {expression}")

    def removal(self, name, library):
        try:
            with self.built(library, quick=True) as (_, built):
                good, _, _ = self.run(built)
        except Failed as problem:
            return name, f"does not build or start: {problem}"
        return name, good

    def needs_every_rule(self):
        stays = dict(self.get("stays", {}))
        changes = list(removals(self.get("rules")))
        if changes:  # the same from files, with nothing taken away
            name, good = self.removal("nothing", {})
            self.expect(good is True, f"from files the workload fails: {good}")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, good in pool.map(lambda change: self.removal(*change), changes):
                listed = stays.pop(name, None)
                if isinstance(good, str):
                    self.expect(False, f"without `{name}` it {good}")
                elif good:
                    self.expect(listed, f"works without `{name}`")
                else:
                    self.expect(not listed, f"fails without `{name}`, which is listed as not needed")
        for name in stays:
            self.expect(False, f"no such rule: `{name}`")
        needless = len(self.get("stays", {}))
        print(f"result: {self.get('about')}: succeeds, nothing refused that is not named; {len(changes)} statements of the library "
              f"taken away one by one, {len(changes) - needless} of them needed")


def main():
    case = Case(pathlib.Path(sys.argv[1]).resolve(), HERE / sys.argv[2])
    if reason := case.ready():
        print(f"SKIP: {case.folder.name}: {reason}")
        return SKIP
    try:
        if case.works():
            case.is_not_refused()
            if os.environ.get("AGP_LONG"):
                case.needs_every_rule()
    except (Failed, subprocess.TimeoutExpired) as problem:
        case.expect(False, str(problem))
    print(f"{case.folder.name}: {len(case.faults)} not as expected")
    return 1 if case.faults else 0


if __name__ == "__main__":
    sys.exit(main())
