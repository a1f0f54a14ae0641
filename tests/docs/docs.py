#!/usr/bin/python3
"""Runs or parses every code block of the documentation: README.md and its neighbours, and docs/**/*.md.

  docs.py --agp BINARY [--update] [--root] [PAGE...]

A page's blocks are run in order, in one scratch directory that begins with docs/examples and `build`, as if `~/agp` were
the checkout. What a block is follows from its language, and from the words behind it, which a reader does not see:

  agp                a policy file without an error, or items or blocks of one; `in=file`, `in=net`, … wraps single rules.
                     Without a `run` only text and names are judged. `file=x.agp` keeps it for later blocks;
                     `fails=AGP4003` names the codes of the errors that it must have instead; `arch=x86_64,aarch64`
                     compiles it for these
  console            `$ command` lines and what they print, stdout and stderr as a terminal shows them: `…` alone is any
                     number of lines, within a line any text. A command must end with 0
  sh                 a script that must end with 0
  toml               an agp.toml that `agp check` takes; `file=` keeps it, `fails=` as above
  json               JSON; validated if it names a schema of docs/reference/schemas; `file=` keeps it
  yaml               YAML; of the steps of a workflow, the lines that begin with `agp` are run
  text               a finding as it is printed: code and severity must be real
  ebnf               rules `name : …`, of which every name is defined once on the page
  any, with of=FILE  lines of that file, with `…` as above
  any, with file=    a file for later blocks
  any, with add=FILE   lines that the reader adds to that file: at its end, or behind the first line with after="TEXT"
  any, with unrun="reason"   is read by bash at most; counted and printed

`root` marks blocks that need root, a container or the repository's own scripts: they are run with --root, which runs
the pages that have them where /srv, /run and the network are their own and empty. On the pages of diagnostics the first
policy has the page's finding, the later ones have not. With --update, what is printed and the sections made from the
sources are rewritten instead of compared.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import pages as documentation  # noqa: E402
from kernel_log import KernelLog  # noqa: E402
from pages import ROOT  # noqa: E402

DAY = "2025-06-01"
LIMIT = {False: 120, True: 800}  # seconds for one command, without and with --root

RUN = """run {
  command "/usr/bin/true"
  user    1000:1000
}
"""
BARE = 'run {\n  command "/usr/bin/true"\n}\n'
TOP = ("agp", "use", "param", "let", "fragment", "policy", "invariant", "test")
STATEMENTS = ("file", "net", "syscall", "capability", "env", "tool", "limit", "run", "on", "include", "accept", "mode",
              "isolation", "owner", "satisfies")


class Fault(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Fault(text)


# ---- output with elisions --------------------------------------------------------------------------------------------

def matches(wanted, line):
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split("…")), line) is not None


def difference(wanted, printed):
    """What of the wanted lines is not in the printed ones, in this order, or nothing."""
    at, skipping = 0, False
    for line in wanted:
        if line == "…":
            skipping = True
            continue
        if skipping:
            found = next((i for i in range(at, len(printed)) if matches(line, printed[i])), None)
            if found is None:
                return f"after line {at}, never printed: {line}"
            at = found + 1
        elif at >= len(printed):
            return f"nothing more is printed where the page has: {line}"
        elif not matches(line, printed[at]):
            return f"the page has: {line}\n     printed: {printed[at]}"
        else:
            at += 1
        skipping = False
    if at < len(printed) and not skipping:
        return f"the page has nothing more where this is printed: {printed[at]}"
    return ""


def refit(wanted, printed):
    """The wanted lines with the nearest printed ones in their place: elisions stay where they were."""
    if "…" not in wanted:
        return list(printed)
    out, at = [], 0
    for line in wanted:
        if line == "…":
            if out[-1:] != ["…"]:
                out.append("…")
            continue
        exact = next((i for i in range(at, len(printed)) if matches(line, printed[i])), None)
        if exact is None:
            near = difflib.get_close_matches(line, printed[at:], 1, 0.5)
            if not near:
                continue
            exact = at + printed[at:].index(near[0])
            line = printed[exact]
        if exact > at and out[-1:] != ["…"]:
            out.append("…")
        out.append(line)
        at = exact + 1
    if at < len(printed) and out[-1:] != ["…"]:
        out.append("…")
    return out


def unfinished(command):
    """Would a shell ask for another line?"""
    if command.endswith("\\"):
        return True
    if command.count("'") % 2 == 0 and command.count('"') % 2 == 0:
        return False
    return b"unexpected EOF" in subprocess.run(["bash", "-n"], input=command.encode(), capture_output=True).stderr


def commands(block):
    """(the command, the lines that it takes, the lines it should print) of a console block."""
    found = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append(([line], []))
        elif found and not found[-1][1] and unfinished("\n".join(found[-1][0])[2:]):
            found[-1][0].append(line)
        else:
            expect(found, "a console block begins with `$ `")
            found[-1][1].append(line)
    return [("\n".join(typed)[2:], typed, wanted) for typed, wanted in found]


# ---- one page ---------------------------------------------------------------------------------------------------------

class Page:
    def __init__(self, path, agp, root, update):
        self.path, self.agp, self.root, self.update = path, agp, root, update
        self.text = path.read_text(encoding="utf-8")
        self.blocks = documentation.blocks(path, self.text)
        self.code = path.stem if re.fullmatch(r"AGP\d{4}", path.stem) else None
        self.policies = 0
        self.rewritten = {}
        self.counts = {"run": 0, "failed": 0, "elsewhere": 0, "unrun": 0}

    def run(self, home):
        self.home = home
        shutil.copytree(ROOT / "docs/examples", home / "docs/examples")
        (home / "build").symlink_to(pathlib.Path(self.agp).parent)
        (home / "tools").symlink_to(ROOT / "tools")
        (home / "agp").symlink_to(".")  # where a page says that the checkout is
        for block in self.blocks:
            if "root" in block.marks and not self.root:
                self.counts["elsewhere"] += 1
                continue
            if block.marks.get("unrun"):
                self.counts["unrun"] += 1
                print(f"not run: {block.place}: {block.marks['unrun']}")
            try:
                self.one(block)
                self.counts["run"] += "unrun" not in block.marks
            except (Fault, ValueError, subprocess.TimeoutExpired) as fault:
                self.counts["failed"] += 1
                print(f"FAILED {block.place}\n  {fault}", flush=True)
        if self.update:
            self.write()
        elif documentation.with_made_sections(self.text) != self.text:
            self.counts["failed"] += 1
            print(f"FAILED {os.path.relpath(self.path, ROOT)}\n"
                  "  a section that is made from the sources is old: docs.py --update")

    def write(self):
        lines = self.text.split("\n")
        for block in reversed(self.blocks):
            if block.start in self.rewritten:
                lines[block.start:block.end] = self.rewritten[block.start]
        text = documentation.with_made_sections("\n".join(lines))
        if text != self.text:
            self.path.write_text(text, encoding="utf-8")
            print(f"rewritten: {os.path.relpath(self.path, ROOT)}")

    def one(self, block):
        if "file" in block.marks:
            target = (self.home / block.marks["file"]).resolve()
            expect(self.home in target.parents, f"{target} is outside the page's directory")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
            if block.text.startswith("#!"):
                target.chmod(0o755)
        if "add" in block.marks:
            target = self.home / block.marks["add"]
            text, after = target.read_text(), block.marks.get("after")
            at = text.index("\n", text.index(after)) + 1 if after else len(text)
            target.write_text(text[:at] + block.text + text[at:])
            return
        if "of" in block.marks:
            self.excerpt(block)
            return
        kind = {"agp": self.policy, "console": self.console, "sh": self.script, "toml": self.toml, "json": self.json,
                "yaml": self.yaml, "text": self.finding, "ebnf": self.grammar}.get(block.language)
        if kind is None:
            expect("file" in block.marks or block.marks.get("unrun"), f"nothing reads a block `{block.language}`: give it "
                   "one of the marks that `docs.py --help` explains")
        elif kind not in (self.finding,) or not {"file", "unrun"} & set(block.marks):
            kind(block)

    # -- running

    def call(self, text, stdin=None):
        """Status and lines of a command, as a terminal would show them."""
        env = {"PATH": f"{self.home}/build:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.home),
               "SOURCE_DATE_EPOCH": "1748736000", "AGP_BUILD": str(pathlib.Path(self.agp).parent), "TERM": "dumb"}
        env |= {k: os.environ[k] for k in ("CCACHE_DIR", "AGP_DOCS_BUILD") if k in os.environ}
        cwd = ROOT if text.startswith("scripts/") else self.home  # these work on the repository
        # A file and not a pipe: what a page leaves in the background holds it open.
        with tempfile.TemporaryFile() as out:
            done = subprocess.run(["bash", "-o", "pipefail", "-c", text], cwd=cwd, env=env, timeout=LIMIT[self.root],
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
            out.seek(0)
            return done.returncode, out.read().decode("utf-8", "replace").splitlines()

    def findings(self, text, name, *words, command="check"):
        done = subprocess.run([self.agp, command, "-", "--stdin-name", name, "--at", DAY, "--format", "json", *words],
                              cwd=self.home, input=text.encode(), capture_output=True, timeout=LIMIT[False])
        try:
            return {f["code"]: f for f in json.loads(done.stdout)["diagnostics"]}
        except ValueError:
            raise Fault(f"no report:\n{done.stderr.decode()}") from None

    # -- the kinds of blocks

    def policy(self, block):
        text = block.text
        options = ["--arch", block.marks["arch"]] if "arch" in block.marks else []
        if block.marks.get("unrun"):
            return
        if self.code and not {"in", "fails"} & set(block.marks):
            self.policies += 1
            self.policy_of_a_diagnostic(text, self.policies == 1, options)
            return
        words = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S).split(None, 1)
        first = words[0] if words else "agp"
        inside = block.marks.get("in") or ("" if first == "agp" else "top" if first in TOP else
                                           "policy" if first in STATEMENTS else None)
        expect(inside is not None, f"`{first}` begins no item and no statement: are these rules of a block (`in=file`)?")
        if inside == "policy":
            text = f"agp 1\n\npolicy example {{\n{text}{'' if 'run {' in text else BARE}}}\n"
        elif inside == "top":
            text = "agp 1\n\n" + text
        elif inside:
            text = f"agp 1\n\npolicy example {{\n{inside} {{\n{text}}}\n{BARE}}}\n"
        found = self.findings(text, block.marks.get("file", "block.agp"), "--no-config", *options)
        errors = {code for code, f in found.items() if f["severity"] == "error"}
        if "fails" not in block.marks and (inside or "run {" not in text):
            errors = {code for code in errors if code < "AGP3000"}
        wanted = set(filter(None, block.marks.get("fails", "").split(",")))
        expect(errors == wanted, f"errors {sorted(errors) or 'none'}, expected {sorted(wanted) or 'none'}\n" +
               "\n".join(f"  {code}: {found[code]['message']}" for code in sorted(errors ^ wanted) if code in found))

    def policy_of_a_diagnostic(self, text, wanted, options):
        """The first example of such a page has its finding; the later ones have not, nor any other about text and names."""
        first = text.split(None, 1)[0]
        if first != "agp" and not (self.code == "AGP1002" and wanted):
            text = "agp 1\n\n" + (text if first in TOP else
                                  "policy example {\n" + text + ("" if "run {" in text else RUN) + "}\n")
        found = {}
        for command in ("check", "test") if "test " in text else ("check",):
            found |= self.findings(text, "test.agp", "--no-config", *options, command=command)
        if wanted:
            others = {one for one in found if one < "AGP3000" and one not in ("AGP0010", self.code)}
            expect(self.code in found and not others, f"the first example gives {sorted(found) or 'nothing'}\n{text}")
        else:
            others = {one for one in found if one < "AGP3000" and one != "AGP0010"} | ({self.code} & set(found))
            expect(not others, f"the corrected example gives {sorted(others)}\n{text}")

    def console(self, block):
        out, faults = [], []
        for command, typed, wanted in commands(block):
            if block.marks.get("unrun"):
                self.parses(command)
                continue
            status, printed = self.call(command)
            if status != 0:
                faults.append(f"$ {command}\n  ended with {status}:\n" + "\n".join(printed[-15:]))
            fault = difference(wanted, printed)
            if fault and not self.update:
                faults.append(f"$ {command}\n  {fault}")
            out += typed + (refit(wanted, printed) if fault else wanted)
        if self.update and not block.marks.get("unrun") and not faults:
            self.rewritten[block.start] = out
        expect(not faults, "\n".join(faults))

    def parses(self, text):
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
        expect(done.returncode == 0, f"bash does not read this: {done.stderr}")

    def script(self, block):
        self.parses(block.text)
        if not block.marks.get("unrun") and "file" not in block.marks:
            status, printed = self.call("set -eu\n" + block.text)
            expect(status == 0, f"ended with {status}:\n" + "\n".join(printed[-15:]))

    def toml(self, block):
        tomllib.loads(block.text)
        (self.home / ".checked.toml").write_text(block.text)
        found = self.findings("agp 1\n", "block.agp", "--config", ".checked.toml")
        (self.home / ".checked.toml").unlink()
        wanted = set(filter(None, block.marks.get("fails", "").split(",")))
        errors = {code for code, f in found.items() if f["severity"] == "error"}
        expect(errors == wanted, f"errors {sorted(errors) or 'none'}, expected {sorted(wanted) or 'none'}")

    def json(self, block):
        value = json.loads(block.text)
        schema = value.get("schema", "") if isinstance(value, dict) else ""
        file = ROOT / "docs/reference/schemas" / (schema.replace("/", "-") + ".json")
        if schema and file.exists():
            import jsonschema
            for error in jsonschema.Draft7Validator(json.loads(file.read_text())).iter_errors(value):
                raise Fault(f"against {file.name}: {list(error.absolute_path)}: {error.message}")

    def yaml(self, block):
        import yaml
        value = yaml.safe_load(block.text)
        for job in (value.get("jobs") or {}).values():
            for step in job.get("steps", []):
                for line in str(step.get("run", "")).splitlines():
                    if line.startswith("agp "):
                        status, printed = self.call(line)
                        expect(status == 0, f"{line}\n  ended with {status}:\n" + "\n".join(printed[-15:]))

    def grammar(self, block):
        """Rules `name : …`; a token, in capitals, is said in words."""
        everywhere = [d for b in self.blocks if b.language == "ebnf" for d in re.findall(r"^(\w+) *:", b.text, re.M)]
        expect(len(set(everywhere)) == len(everywhere), "a name is defined twice")
        for rule in re.split(r"\n(?=\w)", block.text):
            head = re.match(r"(\w+) *:(.*)", rule, re.S)
            expect(head, f"no rule: {rule}")
            if head[1][0].islower():
                missing = set(re.findall(r"\b[a-z]\w*", re.sub(r"'[^']*'", "", head[2]))) - set(everywhere)
                expect(not missing, f"`{head[1]}` needs {sorted(missing)}, which no rule of the page defines")

    def finding(self, block):
        head = re.match(r"(error|warning|note)\[(AGP\d{4})\]: \S", block.lines[0] if block.lines else "")
        expect(head, "a block `text` is a finding, or has a mark")
        text = "".join(p.read_text() for p in sorted((ROOT / "compiler/diagnostics").glob("*.def")))
        entry = re.search(rf'\({int(head[2][3:])}, \w+, "[\w-]+", (\w+),', text)
        expect(entry and entry[1].lower() == head[1], f"{head[2]} is no {head[1]}")

    def excerpt(self, block):
        file = self.home / block.marks["of"]
        expect(file.exists(), f"{block.marks['of']} is not there")
        printed = file.read_text(encoding="utf-8").splitlines()
        fault = difference(block.lines, printed)
        if fault and self.update:
            self.rewritten[block.start] = refit(block.lines, printed)
        else:
            expect(not fault, f"{block.marks['of']}: {fault}")


# ---- all pages --------------------------------------------------------------------------------------------------------

def in_a_namespace_of_its_own():
    """Starts this program again where /srv, /run and the network are its own, so that nothing of the machine's is met or left."""
    if os.environ.get("AGP_DOCS_ALONE") != "1":
        if os.geteuid() != 0:
            print("skipped: needs root, for network namespaces and containers")
            sys.exit(77)
        script = ('mount -t tmpfs -o mode=755 tmpfs /srv && mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && '
                  'exec "$@"')
        os.environ["AGP_DOCS_ALONE"] = "1"
        with KernelLog():  # whose settings only the machine's own network has
            done = subprocess.run(["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation",
                                   "private", "sh", "-c", script, "sh", sys.executable, "-B", *sys.argv])
        sys.exit(done.returncode)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agp", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--root", action="store_true")
    parser.add_argument("pages", nargs="*", help="parts of their paths; default: all")
    options = parser.parse_args()
    if options.root:
        in_a_namespace_of_its_own()
    total = {}
    for path in documentation.pages():
        if options.pages and not any(part in str(path.relative_to(ROOT)) for part in options.pages):
            continue
        page = Page(path, os.path.abspath(options.agp), options.root, options.update)
        if options.root and not any("root" in block.marks for block in page.blocks):
            continue
        with tempfile.TemporaryDirectory(prefix="agp-docs-") as scratch:
            home = pathlib.Path(scratch).resolve() / "home"
            home.mkdir()
            os.chmod(scratch, 0o755)
            page.run(home)
        for key, value in page.counts.items():
            total[key] = total.get(key, 0) + value
    if not total:
        sys.exit("docs.py: no such page")
    print("docs: " + ", ".join(f"{value} {key}" for key, value in total.items()))
    sys.exit(1 if total["failed"] else 0)


if __name__ == "__main__":
    main()
