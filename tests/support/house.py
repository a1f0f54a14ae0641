#!/usr/bin/python3
"""The rules of ARCHITECTURE that a machine can check, one function a rule. Prints what breaks one and exits with 1.

  house.py arrows     includes follow the drawing; emit and decode share nothing but the format's constants; which outside
                      headers may be included where; the length of files
  house.py names      nothing that a file has for itself has the name of what a header declares around it, and no function
                      that of another file of its library: whole builds compile such files together, where one would hide
                      the other
  house.py pages      each diagnostic has its page in docs/reference/diagnostics, and each page its diagnostic
  house.py links      every link of the documentation leads somewhere, every page can be reached, every command, option and
                      script that it names exists
  house.py lints      docs/reference/lints.md says of every candidate what became of it, has every lint once, and reviews
                      every suppression of the examples and the library; each lint has golden policies NAME-0, NAME-1, …
                      in tests/language/lints, of which some have the finding and some have not
  house.py coverage   each diagnostic is produced by a golden file, but those of tests/diagnostics_exempt.txt, which may
                      only lose lines
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/docs"))
import pages as documentation  # noqa: E402

# The drawing, from the top: a folder of compiler/ may include itself and what stands to its right.
DRAWING = ("cli driver project bundle verify plan lint analysis import sema solver syntax model linux diagnostics "
           "source").split()
# Which folders may look at a backend beyond backends/backend.hpp: the plan knows the stacks that load artifacts.
USES_BACKENDS = {"cli", "driver", "bundle", "verify", "plan"}

# What stands above the folders of backends/, for all of them.
FOR_BACKENDS = {"backends/backend.hpp", "backends/registry.hpp"}

# The folder of backends/ that several backends use; no decoder does.
SHARED = "containers"

STANDARD = set("""algorithm array atomic bit bitset cctype cerrno charconv chrono cmath compare concepts condition_variable csignal cstddef
cstdint cstdio cstdlib cstring ctime deque exception filesystem fstream functional initializer_list iomanip iostream
istream iterator limits list map memory mutex new numeric optional ostream queue random set span sstream stack stdexcept string
string_view system_error thread tuple type_traits typeinfo unordered_map unordered_set utility variant vector""".split())
EVERYWHERE = {"fmt/compile.h", "fmt/format.h", "fmt/ranges.h", "nlohmann/json.hpp", "nlohmann/json_fwd.hpp"}
POSIX = {"dirent.h", "dlfcn.h", "fcntl.h", "poll.h", "spawn.h", "stdio.h", "stdlib.h", "sys/file.h", "sys/ioctl.h",
         "sys/mman.h", "sys/resource.h", "sys/stat.h", "sys/utsname.h", "sys/wait.h", "time.h", "unistd.h"}
# Headers of one library, each in the one file (or folder) that needs it.
ONE_PLACE = {
    "z3.h": "compiler/solver/z3.cpp", "z3++.h": "compiler/solver/z3.cpp",
    "toml++/toml.h": "compiler/project/config.cpp",
    "nettle/sha2.h": "compiler/source/digest.cpp", "utf8proc.h": "compiler/diagnostics/text.cpp",
}
# Headers that the build makes, and whose they are.
GENERATED = {"AgpLexer.h": "syntax", "AgpParser.h": "syntax", "grammar_names.hpp": "syntax", "commit.hpp": "cli"}
LONGEST = 600


def sources(*tops):
    for top in tops:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".cpp", ".hpp", ".h", ".g4", ".py") and path.is_file():
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8", errors="replace")


def includes(text):
    return re.findall(r'^\s*#\s*include\s*(<[^>]+>|"[^"]+")', text, re.M)


def arrow_fault(path, to):
    """What is wrong with `path` including the project's header `to`, or nothing."""
    here, there = path.parts, pathlib.PurePosixPath(to).parts
    if to in GENERATED or to == "antlr4-runtime.h":
        return "" if here[1] == GENERATED.get(to, "syntax") else "is made for another folder"
    if there[0] == "embedded":
        return ""
    if there[0] not in ("compiler", "backends") or (len(there) < 3 and to not in FOR_BACKENDS):
        return "is not a header of a folder"
    if here[0] == "compiler":
        if there[0] == "backends":
            below = here[1] in USES_BACKENDS
            return "" if below else "is a backend's"
        if here[1] not in DRAWING or there[1] not in DRAWING:
            return "is in a folder that the drawing does not have"
        return "" if DRAWING.index(there[1]) >= DRAWING.index(here[1]) else "stands above in the drawing"
    # A backend knows the model and the facts of Linux, and never another backend.
    if path.name == "format.hpp" and there[-1] != "format.hpp":
        return "is code: a format.hpp has constants, and may include another format.hpp alone"
    if there[0] == "compiler":
        return "" if there[1] in ("model", "linux", "source") else "is not for backends"
    if to in FOR_BACKENDS or str(path) == "backends/registry.cpp":
        return ""
    if there[1] == SHARED and here[1] != SHARED and (len(here) < 4 or here[2] != "decode"):
        return ""
    if len(here) < 3 or here[1] != there[1]:
        return "is another backend's"
    side = here[2] if len(here) > 3 else ""
    other = there[2] if len(there) > 3 else ""
    if side == "decode" and other != "decode" and there[2] != "format.hpp":
        return "is shared with the emitter: decode may share only format.hpp"
    if side not in ("", "decode") and other == "decode":
        return "is the decoder's"
    return ""


def outside_fault(path, header):
    name = str(path)
    if header in ONE_PLACE:
        return "" if name == ONE_PLACE[header] else f"belongs in {ONE_PLACE[header]} alone"
    if header == "antlr4-runtime.h":
        return ""  # counted by `arrows`
    if header == "nlohmann/json.hpp" and path.suffix == ".hpp":
        return "is for .cpp files: headers take nlohmann/json_fwd.hpp"
    if header in STANDARD or header in EVERYWHERE or header in POSIX:
        return ""
    return "is not a header that compiler/ and backends/ may use (nothing of Linux: policies are written anywhere)"


def arrows():
    faults, antlr = [], []
    for path, text in sources("compiler", "backends"):
        for one in includes(text):
            fault = arrow_fault(path, one[1:-1]) if one[0] == '"' else outside_fault(path, one[1:-1])
            if fault:
                faults.append(f"{path}: {one} {fault}")
        if any(re.search(r"antlr4-runtime|Agp(Lexer|Parser)\.h", one) for one in includes(text)):
            antlr.append(str(path))
    if len(antlr) > 1:
        faults.append("ANTLR's headers are in more than one file: " + ", ".join(antlr))
    for path, text in sources("compiler", "backends", "grammar", "tools", "tests"):
        lines = text.count("\n")
        if lines > LONGEST and "tables" not in path.parts:
            faults.append(f"{path}: {lines} lines, and {LONGEST} are the most: look for the missing idea")
    return faults


def codes():
    text = "".join(p.read_text() for p in sorted((ROOT / "compiler/diagnostics").glob("*.def")))
    return {f"AGP{int(n):04}" for n in re.findall(r"^AGP_DIAGNOSTIC\((\d+),", text, re.M)}


def declared_names(*tops):
    """What stands in a namespace, but namespaces: its path, the namespaces around it, its name, whether it is a function."""
    files = [str(path) for path, _ in sources(*tops) if path.suffix in (".cpp", ".hpp")]
    listed = subprocess.run(["ctags", "--languages=C++", "--kinds-C++=fpvtscgue", "--fields=+sZ", "--output-format=json",
                             "-L", "-", "-f", "-"], input="\n".join(files), text=True, check=True, cwd=ROOT,
                            stdout=subprocess.PIPE).stdout
    for tag in map(json.loads, listed.splitlines()):
        if tag["_type"] == "tag" and tag.get("scopeKind", "namespace") == "namespace" and not tag["name"].startswith("__anon"):
            yield (pathlib.PurePosixPath(tag["path"]), tag.get("scope", "").split("::"), tag["name"],
                   tag["kind"] in ("function", "prototype"))


def library(path):
    """The folder whose files may be compiled together: of backends emit and decode are two."""
    return path.parts[:3] if len(path.parts) > 3 and path.parts[2] in ("emit", "decode") else path.parts[:2]


def names():
    alone, declared = collections.defaultdict(set), {}  # by library, namespace, name and whether it is a function; by the middle two
    for path, scope, name, function in declared_names("compiler", "backends", "tools/landlock-launch"):
        if scope[-1].startswith("__anon"):
            alone[library(path), "::".join(scope[:-1]), name, function].add(path)
        elif path.suffix == ".hpp":
            declared["::".join(scope), name] = path
    faults = []
    for (_, scope, name, function), paths in sorted(alone.items(), key=str):
        if function and len(paths) > 1:
            faults.append(f"{name}: is a function of {' and of '.join(map(str, sorted(paths)))}")
        around = scope.split("::")
        for header in (declared.get(("::".join(around[:n]), name)) for n in range(1, len(around) + 1)):
            if header:
                faults.append(f"{min(paths)}: {name} hides that of {header}")
    if not alone or not declared:
        faults.append("ctags found nothing")
    return faults


def pages():
    have = {p.stem for p in (ROOT / "docs/reference/diagnostics").glob("AGP*.md")}
    faults = [f"docs/reference/diagnostics/{code}.md is missing" for code in sorted(codes() - have)]
    faults += [f"docs/reference/diagnostics/{page}.md: there is no such diagnostic" for page in sorted(have - codes())]
    for page in sorted(have & codes()):
        text = (ROOT / f"docs/reference/diagnostics/{page}.md").read_text(encoding="utf-8")
        if not text.startswith(f"# {page} "):
            faults.append(f"docs/reference/diagnostics/{page}.md does not begin with `# {page} `")
        if len(text.split()) < 40:
            faults.append(f"docs/reference/diagnostics/{page}.md says next to nothing")
    return faults


def links():
    return documentation.links_faults() + documentation.command_faults()


def lints():
    """Candidates by group, as reviewed; a new one is added here and on the page."""
    groups = {"A": 17, "B": 10, "C": 13, "D": 6, "E": 32, "F": 7, "G": 25, "H": 18, "I": 11, "J": 6}
    text = (ROOT / "docs/reference/lints.md").read_text(encoding="utf-8")
    known = {f"AGP{n}": name for n, name in re.findall(r'^AGP_DIAGNOSTIC\((\d+), \w+, "([\w-]+)"', (ROOT / "compiler/diagnostics/lints.def").read_text(), re.M)}
    faults, done, seen = [], [], set()
    for group, body in re.findall(r"^### ([A-Z]):[^\n]*\n(.*?)(?=^### |\Z)", text, re.M | re.S):
        rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", body, re.M)
        if len(rows) != groups.pop(group, 0):
            faults.append(f"docs/reference/lints.md: group {group} has {len(rows)} candidates")
        for candidate, fate in rows:
            here = f"docs/reference/lints.md: {candidate}"
            if candidate in seen:
                faults.append(f"{here} stands twice")
            seen.add(candidate)
            code = re.match(r"\[(AGP3\d{3})\]\(diagnostics/\1\.md\) ([\w-]+)$", fate)
            merged = re.match(r"merged into \[(AGP\d{4})\]", fate)
            if code:
                done.append(code[1])
                if known.get(code[1]) != code[2]:
                    faults.append(f"{here}: {code[1]} is not called {code[2]}")
            elif merged:
                if merged[1] not in codes():
                    faults.append(f"{here}: there is no {merged[1]}")
            elif not re.match(r"not expressible because \S", fate):
                faults.append(f"{here}: it is neither done, nor merged, nor not expressible")
    faults += [f"docs/reference/lints.md: group {group} is missing" for group in groups]
    reviewed = {place: names.split(", ") for place, names in re.findall(r"^\| `([\w./-]+\.agp)` \| ([\w, -]+) \|", text, re.M)}
    written = {}
    for folder in ("docs/examples", "stdlib-policies"):
        for path in sorted((ROOT / folder).rglob("*.agp")):
            for names in re.findall(r"// agp-allow (.*?) until ", path.read_text(encoding="utf-8")):
                written.setdefault(str(path.relative_to(ROOT)), []).extend(re.split(r",\s*", names))
    faults += [f"{place}: what is allowed there is not what docs/reference/lints.md reviews" for place in sorted(set(reviewed) | set(written))
               if sorted(reviewed.get(place, [])) != sorted(written.get(place, []))]
    if len(written) > 10:
        faults.append("more than ten suppressions in the examples and the library")
    found = {}
    for path in sorted((ROOT / "tests/language/lints").glob("*.agp")):
        for name, body in re.findall(r"^policy ([\w-]+)-\d+ \{\n(.*?)^\}", path.read_text(encoding="utf-8"), re.M | re.S):
            found.setdefault(name, []).append(set(re.findall(r"^\s*//~ .*?\[(AGP\d{4})\]", body, re.M)))
    for code, name in sorted(known.items()):
        if code >= "AGP3010":
            has = {code in one for one in found.get(name, [])}
            faults += [f"{code} {name}: no golden policy `{name}-N` {what}" for what, there in
                       (("has the finding", True), ("is a near miss", False)) if there not in has]
    faults += [f"docs/reference/lints.md has {code} {done.count(code)} times" for code in sorted(set(known) | set(done))
               if done.count(code) != (code >= "AGP3010")]
    return faults


def coverage():
    found = set()
    for path in (ROOT / "tests/language").rglob("*.agp"):
        found.update(re.findall(r"^\s*//~ .*?\[(AGP\d{4})\]", path.read_text(encoding="utf-8"), re.M))
    for path in [*(ROOT / "tests/cli").glob("*/out"), *(ROOT / "tests/cli").glob("*/err")]:
        found.update(re.findall(r"\[(AGP\d{4})\]", path.read_text(encoding="utf-8", errors="replace")))
    exempt = {}
    for line in (ROOT / "tests/diagnostics_exempt.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            code, _, reason = line.partition(" ")
            exempt[code] = reason.strip()
    faults = [f"{code}: no golden file produces it" for code in sorted(codes() - found - set(exempt))]
    faults += [f"tests/diagnostics_exempt.txt: {code} is produced now: take the line away" for code in sorted(set(exempt) & found)]
    faults += [f"tests/diagnostics_exempt.txt: there is no diagnostic {code}" for code in sorted(set(exempt) - codes())]
    faults += [f"tests/diagnostics_exempt.txt: {code} gives no reason" for code, reason in exempt.items() if not reason]
    return faults


def main():
    rules = {"arrows": arrows, "names": names, "pages": pages, "links": links, "lints": lints, "coverage": coverage}
    if len(sys.argv) != 2 or sys.argv[1] not in rules:
        sys.exit(__doc__)
    faults = rules[sys.argv[1]]()
    print("\n".join(faults) if faults else f"{sys.argv[1]}: nothing to report")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
