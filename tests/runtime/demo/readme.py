"""README.md: its policy is built, its commands are run, and what it says they print is what they print.

A block `agp` is the file named in backquotes before it. A block `console` holds commands (`$ …`) and their output, where a
line `…` stands for any number of lines; every other line must stand in the output as it is, in this order.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

import support

BUILD = pathlib.Path(sys.argv.pop(1)).resolve().parent
README = support.ROOT / "README.md"


def blocks(text):
    """(language, content, the text before it) of each fenced block."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [(parts[i + 1], parts[i + 2], parts[i]) for i in range(0, len(parts) - 1, 3)]


def commands(block):
    """(command, expected lines) of a console block."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


class Readme(unittest.TestCase):
    def setUp(self):
        self.text = README.read_text()

    def run_command(self, text, directory):
        words = shlex.split(text)
        whole = words[0].startswith("scripts/")  # these work on the repository, the others on the README's own files
        done = subprocess.run(words, cwd=support.ROOT if whole else directory, env={**os.environ, "AGP_BUILD": str(BUILD)},
                              capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, f"{text}\n{done.stdout}\n{done.stderr}")
        return (done.stdout + done.stderr).splitlines()

    def compare(self, command, expected, printed):
        at, skipping = 0, False
        for line in expected:
            if line == "…":
                skipping = True
                continue
            if skipping:
                self.assertIn(line, printed[at:], f"not in the output of {command}")
                at += printed[at:].index(line) + 1
            else:
                self.assertEqual(line, printed[at] if at < len(printed) else None, command)
                at += 1
            skipping = False
        # Without `…` at the end the output ends there, but for the closing summary on standard error.

    def test_length(self):
        self.assertLessEqual(len(self.text.splitlines()), 120)

    def test_policy_commands_and_outputs(self):
        with tempfile.TemporaryDirectory(prefix="agp-test-") as directory:
            directory = pathlib.Path(directory)
            (directory / "build").symlink_to(BUILD)
            ran = 0
            for language, content, before in blocks(self.text):
                if language == "agp":
                    name = re.findall(r"`([\w-]+\.agp)`", before)[-1]
                    (directory / name).write_text(content)
                elif language == "console":
                    for command, expected in commands(content):
                        if command.startswith("scripts/demo") and os.geteuid() != 0:
                            print(f"skipped: {command}: needs root")
                            continue
                        self.compare(command, expected, self.run_command(command, directory))
                        ran += 1
                else:
                    self.fail(f"a block that no test reads: {language!r}")
            self.assertGreaterEqual(ran, 3)

    def test_commands_in_the_text_exist(self):
        for word in re.findall(r"`(scripts/\w+)`", self.text):
            self.assertTrue(os.access(support.ROOT / word, os.X_OK), word)
        for target in re.findall(r"\]\(([^)]+)\)", self.text):
            self.assertTrue((support.ROOT / target).exists(), target)
        known = subprocess.run([BUILD / "agp", "help"], capture_output=True, text=True, check=True).stdout
        for word in re.findall(r"`build/agp (\w+)", self.text):
            self.assertIn(word, known)

    def test_without_the_last_line_it_is_an_error(self):
        content = next(c for l, c, _ in blocks(self.text) if l == "agp")
        lines = [l for l in content.splitlines() if not l.startswith("  accept")]
        self.assertEqual(len(lines), len(content.splitlines()) - 1)
        with tempfile.TemporaryDirectory(prefix="agp-test-") as directory:
            path = pathlib.Path(directory) / "fetcher.agp"
            path.write_text("\n".join(lines) + "\n")
            done = subprocess.run([BUILD / "agp", "check", path], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("AGP4003", done.stdout)


if __name__ == "__main__":
    unittest.main()
