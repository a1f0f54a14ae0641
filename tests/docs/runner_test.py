#!/usr/bin/python3
"""docs.py finds what is wrong with a page: each case is a page with one mistake, or the same page without it."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import docs  # noqa: E402
import pages  # noqa: E402

AGP = str(pathlib.Path(sys.argv.pop(1)).resolve())


def failures(text, name="page.md", update=False):
    """How many blocks fail, and the page as it is afterwards."""
    with tempfile.TemporaryDirectory(prefix="agp-docs-") as scratch, contextlib.redirect_stdout(io.StringIO()):
        path, home = pathlib.Path(scratch) / name, pathlib.Path(scratch) / "home"
        path.write_text(text)
        home.mkdir()
        page = docs.Page(path, AGP, False, update)
        page.run(home)
        return page.counts["failed"], path.read_text()


class Blocks(unittest.TestCase):
    def right(self, text, **more):
        self.assertEqual(failures(text, **more)[0], 0, text)

    def wrong(self, text, **more):
        self.assertEqual(failures(text, **more)[0], 1, text)

    def test_policies(self):
        self.right("```agp\nagp 1\n\nlet a = 1\n```\n")
        self.right("```agp\n// a comment\nlet a = 1\n```\n")
        self.right("```agp\nnet {\n  allow connect tcp 10.0.0.1:443\n}\n```\n")
        self.wrong("```agp\nnet {\n  allow connect tcp 10.0.0.1\n}\n```\n")
        self.wrong("```agp\nallow connect tcp 10.0.0.1:443\n```\n")
        run = "run {\n command \"/usr/bin/true\"\n}\n"
        self.right("```agp\nagp 1\n\npolicy p {\n  file { allow read \"/a/*.b\" }\n}\n```\n")
        self.wrong(f"```agp\nagp 1\n\npolicy p {{\n  file {{ allow read \"/a/*.b\" }}\n{run}}}\n```\n")
        self.wrong("```agp\nagp 1\n\nlet a = b\n```\n")
        self.right("```agp in=file\nallow read \"/a/**\"\n```\n")
        self.wrong("```agp in=net\nallow read \"/a/**\"\n```\n")
        self.right("```agp in=file fails=AGP4002\nallow read \"/a/*.b\"\n```\n")
        self.wrong("```agp in=file fails=AGP4003\nallow read \"/a/*.b\"\n```\n")
        self.wrong("```agp in=file fails=AGP4002\nallow read \"/a/**\"\n```\n")

    def test_pages_of_diagnostics(self):
        bad, good = "```agp\nagp 1\n\nlet a = b\n```\n", "```agp\nagp 1\n\nlet a = 1\n```\n"
        self.right(bad + good, name="AGP1050.md")
        self.assertEqual(failures(good + bad, name="AGP1050.md")[0], 2)
        self.wrong(bad + good, name="AGP1051.md")

    def test_commands(self):
        self.right("```console\n$ echo a; echo b\na\nb\n```\n")
        self.right("```console\n$ printf 'a\\nb\\nc\\n'\n…\nc\n```\n")
        self.right("```console\n$ echo 'a\nb'\na\nb\n$ echo \\\nc\nc\n```\n")
        for wanted in ("a", "a\nb\nc", "b\na", "…\nx\n…", "a…x\nb", ""):
            self.wrong(f"```console\n$ echo a; echo b\n{wanted}\n```\n")
        self.wrong("```console\n$ echo a; false\na\n```\n")
        self.right("```console\n$ false; echo \"exit $?\"\nexit 1\n```\n")

    def test_other_blocks(self):
        self.wrong("```\nwhat is this\n```\n")
        self.wrong("```sh\nfalse\n```\n")
        self.wrong("```sh unrun=\"a reason\"\nif\n```\n")
        self.wrong("```json\n{,}\n```\n")
        self.wrong("```json\n{\"schema\": \"agp-report/1\"}\n```\n")
        self.right("```toml\ntarget = \"debian-12\"\n```\n")
        self.wrong("```toml\ntarges = \"debian-12\"\n```\n")
        self.right("```toml fails=AGP0005\ntarges = \"debian-12\"\n```\n")
        self.right("```text\nerror[AGP4001]: something\n```\n")
        self.wrong("```text\nwarning[AGP4001]: something\n```\n")
        self.wrong("```yaml\njobs: {a: {steps: [{run: agp nonsense}]}}\n```\n")
        self.right("```text file=a\nx\ny\n```\n```text of=a\nx\n…\n```\n")
        self.wrong("```text file=a\nx\ny\n```\n```text of=a\nz\n…\n```\n")
        self.right("```ebnf\na : b 'x'*\nb : NUMBER\nNUMBER : digits\n```\n")
        self.wrong("```ebnf\na : c\n```\n")
        self.assertEqual(failures("```ebnf\na : 'x'\n```\n```ebnf\na : 'y'\n```\n")[0], 2)
        self.wrong("```text file=../a\nx\n```\n")
        self.right("```text file=a\nx\nz\n```\n```text add=a after=x\ny\n```\n```console\n$ cat a\nx\ny\nz\n```\n")

    def test_update(self):
        text = "```console\n$ printf 'one\\ntwo words here\\nthree\\n'\n…\ntwo words there\n…\n```\n"
        _, after = failures(text, update=True)
        self.assertEqual(after, text.replace("there", "here"))
        self.right(after)
        self.assertEqual(failures("```console\n$ echo a\n```\n", update=True)[1], "```console\n$ echo a\na\n```\n")


class Links(unittest.TestCase):
    def test_headings(self):
        self.assertEqual(list(pages.anchors("# A `b` c\n## A: d!\n## A: d!\n")), ["a-b-c", "a-d", "a-d-1"])

    def test_links_in_code_are_none(self):
        self.assertEqual(list(pages.links("[a](b.md#c) `[x](y)` [e](https://e)\n```sh\n[x](y)\n```\n")), [("b.md", "c")])


if __name__ == "__main__":
    unittest.main()
