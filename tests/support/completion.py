#!/usr/bin/python3
"""Completion in real shells: a line is typed on a terminal, tab is pressed, and what the shell made of it is read back.
A shell that is not installed is a counted skip.

  completion.py AGP
"""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile

from cases import Skip, expect, run_all

AGP = os.path.abspath(sys.argv[1])
LIMIT = 30  # seconds without a character: the shell hangs

# What is typed, and the words that the line must hold after one tab.
CASES = [
    ("agp che", ["agp", "check"]),
    ("agp completion f", ["agp", "completion", "fish"]),
    ("agp explain syntax-er", ["agp", "explain", "syntax-error"]),
    ("agp check --for", ["agp", "check", "--format"]),
    ("agp check --format sar", ["agp", "check", "--format", "sarif"]),
    ("agp check --format=sar", ["agp", "check", "--format=sarif"]),
    ("agp check --report sar", ["agp", "check", "--report", "sarif="]),
    ("agp check --report sarif=rep", ["agp", "check", "--report", "sarif=report.txt"]),
    ("agp build -o ou", ["agp", "build", "-o", "out dir"]),
    ("agp build --emit sec", ["agp", "build", "--emit", "seccomp"]),
    ("agp build --emit nftables,sec", ["agp", "build", "--emit", "nftables,seccomp"]),
    ("agp check po", ["agp", "check", "policy one.agp"]),
    ("agp verify policy.bin --seccomp fil", ["agp", "verify", "policy.bin", "--seccomp", "filter.bpf"]),
]
# Completion that is another shell's habit.
EXCEPT = {"fish": {"agp check --report sarif=rep", "agp check --report sar", "agp build --emit nftables,sec"}, "zsh": set(), "bash": set()}


def lay_out(home):
    (home / "out dir").mkdir()
    for name in ("policy one.agp", "policy.bin", "report.txt", "filter.bpf"):
        (home / name).write_text("")


def completion_file(shell):
    return subprocess.run([AGP, "completion", shell], capture_output=True, check=True, text=True, timeout=LIMIT).stdout


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, command, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execve(command[0], command, {"PATH": f"{os.path.dirname(AGP)}:/usr/bin:/bin", "TERM": "dumb", "HOME": str(home), "LC_ALL": "C.UTF-8"})
        self.seen = b""

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, pattern):
        """Reads until the pattern is there; returns its match and forgets what came before."""
        while not (found := re.search(pattern, self.seen, re.S)):
            ready, _, _ = select.select([self.fd], [], [], LIMIT)
            expect(ready, f"the shell waits; it wrote {self.seen[-400:]!r}")
            try:
                more = os.read(self.fd, 65536)
            except OSError:
                more = b""
            expect(more, f"the shell ended; it wrote {self.seen[-400:]!r}")
            self.seen += more
        self.seen = self.seen[found.end():]
        return found

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def typed(shell, command, prepare):
    """Types each case, then runs the line with `show` in front of it, which prints the words."""
    with tempfile.TemporaryDirectory() as scratch:
        home = pathlib.Path(scratch).resolve()
        lay_out(home)
        script = home / f".agp-{shell}"
        script.write_text(completion_file(shell))
        terminal = Terminal(command, home)
        terminal.type(prepare.format(script=script))
        terminal.until(rb"READY\r?\n")
        for line, words in CASES:
            if line in EXCEPT[shell]:
                continue
            terminal.type(line + "\t\x01show \x05\r")
            found = terminal.until(rb"BEGIN\r?\n(.*?)END\r?\n").group(1).decode().replace("\r", "").split("\n")[:-1]
            expect([word.rstrip("/") for word in found] == [word.rstrip("/") for word in words], f"`{line}` became {found}, not {words}")
        terminal.type("\x04")
        terminal.close()


def in_bash():
    typed("bash", ["/bin/bash", "--norc", "--noprofile", "-i"],
          "show() {{ printf 'BEGIN\\n'; printf '%s\\n' \"$@\"; printf 'END\\n'; }}; bind 'set bell-style none'; "
          "source {script}; printf 'REA'; printf 'DY\\n'\r")
    script = completion_file("bash")
    for words, has, has_not in [(["agp", ""], {"check", "build", "completion"}, {"--format"}),
                                (["agp", "check", "-"], {"--format", "--no-config", "-q"}, {"--emit", "--diff"}),
                                (["agp", "fmt", "--"], {"--check", "--diff"}, {"--set"}),
                                (["agp", "query", "x", "--expect", ""], {"allow", "ask", "deny"}, {"--expect"}),
                                (["agp", "check", "--", "-"], set(), {"--format"})]:
        run = f"{script}\nCOMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; _agp; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["/bin/bash", "--norc", "-c", run], capture_output=True, text=True, timeout=LIMIT)
        made = set(done.stdout.split())
        expect(not done.stderr, done.stderr)
        expect(has <= made and not has_not & made, f"{words}: {sorted(made)}")


def in_zsh():
    if not shutil.which("zsh"):
        raise Skip("zsh is not installed")
    typed("zsh", [shutil.which("zsh"), "-f", "-i"],
          "autoload -U compinit && compinit -u -D; unsetopt beep; bindkey -e; show() {{ print BEGIN; print -rl -- \"$@\"; print END }}; "
          "source {script}; print 'REA''DY'\r")


def in_fish():
    if not shutil.which("fish"):
        raise Skip("fish is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        home = pathlib.Path(scratch).resolve()
        lay_out(home)
        (home / "agp.fish").write_text(completion_file("fish"))
        for line, words in CASES:
            if line in EXCEPT["fish"]:
                continue
            done = subprocess.run([shutil.which("fish"), "--no-config", "-c", f"source agp.fish; complete -C '{line}'"], cwd=home, text=True, capture_output=True,
                                  timeout=LIMIT, env={"PATH": f"{os.path.dirname(AGP)}:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"})
            made = [one.split("\t")[0].replace("\\ ", " ").rstrip("/") for one in done.stdout.splitlines()]
            expect(not done.stderr, done.stderr)
            expect(words[-1] in made, f"`{line}` is completed to {made}, not {words[-1]}")


def main():
    run_all("completion", (in_bash, in_zsh, in_fish))


if __name__ == "__main__":
    main()
