"""The pages of the documentation as data: their code blocks, headings, links, and the sections that are made from the
sources. Read by docs.py, which runs them, and by support/house.py, which checks links and made sections."""
import dataclasses
import os
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


def pages():
    return [ROOT / name for name in TOP if (ROOT / name).exists()] + sorted((ROOT / "docs").rglob("*.md"))


@dataclasses.dataclass
class Block:
    """One fenced block. `start` and `end` are the lines of its content, counted from 0, end excluded."""
    page: pathlib.Path
    language: str
    marks: dict
    lines: list
    start: int
    end: int

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)

    @property
    def place(self):
        return f"{os.path.relpath(self.page, ROOT)}:{self.start}"


def blocks(page, text):
    """The fenced blocks of a page, with the words after the language as marks: `file=x.agp` or a bare `root`."""
    found, open_at, fence, info = [], None, "", ""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        head = re.match(r"\s*(`{3,}|~{3,})(.*)$", line)
        if open_at is None and head:
            open_at, fence, info = number + 1, head[1], head[2].strip()
        elif open_at is not None and head and head[1].startswith(fence) and not head[2].strip():
            words = shlex.split(info)
            marks = dict(w.split("=", 1) if "=" in w else (w, "") for w in words[1:])
            found.append(Block(page, words[0] if words else "", marks, lines[open_at:number], open_at, number))
            open_at = None
    if open_at is not None:
        raise ValueError(f"{page.relative_to(ROOT)}:{open_at}: a block without an end")
    return found


def prose(text):
    """The text without its code: what links and headings are looked for in."""
    text = re.sub(r"^(`{3,}).*?^\1[^\S\n]*$", "", text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda m: "`" + "x" * (len(m[0]) - 2) + "`", text)


def links(text):
    """(target, anchor) of each link that leads to a file or a heading, not to another site."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors(text):
    """The names of a page's headings as the sites that show Markdown make them."""
    seen = {}
    bare = re.sub(r"^(`{3,}).*?^\1[^\S\n]*$", "", text, flags=re.M | re.S)
    for heading in re.findall(r"^#{1,6} (.+)$", bare, re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        yield name if count == 0 else f"{name}-{count}"


def links_faults():
    """Every link leads somewhere, and every page can be reached from docs/index.md."""
    texts = {page: page.read_text(encoding="utf-8") for page in pages()}
    faults, leads = [], {}
    for page, text in texts.items():
        here = page.relative_to(ROOT)
        leads[page] = set()
        for path, anchor in links(text):
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                faults.append(f"{here}: the link to {path} leads nowhere")
                continue
            if target.is_dir() and (target / "index.md").exists():
                faults.append(f"{here}: the link to {path} means {path.rstrip('/')}/index.md: write that")
            leads[page].add(target)
            if anchor and target in texts and anchor not in anchors(texts[target]):
                faults.append(f"{here}: {path or here} has no heading #{anchor}")
    reached, todo = set(), [ROOT / "docs/index.md"]
    while todo:
        page = todo.pop()
        if page in texts and page not in reached:
            reached.add(page)
            todo.extend(leads[page])
    # The numbered pages stand in the made sections of their folders' index.
    faults += [f"{page.relative_to(ROOT)}: no way leads here from docs/index.md" for page in texts
               if page not in reached and page.name not in TOP and not re.match(r"(AGP)?\d{4}", page.name)]
    return faults


def command_faults():
    """A command of agp that the text names is one, its options are options, and a script is there."""
    commands = set(re.findall(r'^    \{\w+, "([a-z]+)"', (ROOT / "compiler/cli/table.cpp").read_text(), re.M))
    options = "".join(p.read_text() for p in (ROOT / "compiler/cli").glob("*.cpp"))
    faults = []
    for page in pages():
        here = page.relative_to(ROOT)
        text = re.sub(r"^(`{3,}).*?^\1[^\S\n]*$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for code in re.findall(r"`([^`\n]+)`", text):
            command = re.match(r"(?:build/)?agp ([a-z]+)\b", code)
            if command and command[1] not in commands:
                faults.append(f"{here}: agp has no command `{command[1]}`")
            for option in re.findall(r"(?<!\S)(--[a-z-]+)", code) if command else ():
                if f'"{option}' not in options and f'{option}"' not in options and option[2:] not in options:
                    faults.append(f"{here}: `{code}`: agp has no option {option}")
            script = re.match(r"scripts/\w+", code)
            if script and not os.access(ROOT / script[0], os.X_OK):
                faults.append(f"{here}: there is no {script[0]}")
    lines = (ROOT / "README.md").read_text(encoding="utf-8").count("\n")
    if lines > 120:
        faults.append(f"README.md: {lines} lines, and 120 are the most: the pages of docs/ say more")
    return faults


# ---- sections that are made ------------------------------------------------------------------------------------------

def title(page):
    return re.match(r"# (.*)", page.read_text(encoding="utf-8"))[1]


def rows(*lines):
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def made_diagnostics():
    """One table for each range, from the table of codes and the pages' titles."""
    text = "".join(p.read_text() for p in sorted((ROOT / "compiler/diagnostics").glob("*.def")))
    entries = re.findall(r'^AGP_DIAGNOSTIC\((\d+),\s*\w+,\s*"([\w-]+)",\s*(\w+),\s*(?:\w+,\s*)*"((?:[^"\\]|\\.)*)"', text, re.M)
    ranges = {"0": "Input, configuration, limits", "1": "Syntax and names", "2": "Conflicts and invariants",
              "3": "Least privilege", "4": "What the target can't hold", "5": "Proofs"}
    out = ""
    for digit, heading in ranges.items():
        some = [e for e in entries if e[0].zfill(4)[0] == digit]
        if some:
            out += f"\n## AGP{digit}xxx: {heading.lower()}\n\n" + rows(("code", "name", "severity", "what was found"), ("---",) * 4) + \
                rows(*((f"[AGP{n.zfill(4)}](AGP{n.zfill(4)}.md)", name, severity.lower(), what) for n, name, severity, what in some))
    return out + "\n"


def made_decisions():
    found = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    return "\n" + "".join(f"- [{p.name[:4]}]({p.name}): {title(p)}\n" for p in found) + "\n"


MADE = {"diagnostics": made_diagnostics, "decisions": made_decisions}
SECTION = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end of what is made -->)", re.S)


def with_made_sections(text):
    return SECTION.sub(lambda m: m[1] + MADE[m[2]]() + m[4], text)
