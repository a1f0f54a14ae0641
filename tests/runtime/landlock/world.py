"""What the Landlock tests share: a tree of files, the attempts on it, and what the policy decides about each.

An attempt is (words, allowed). `{T}` in it is the tree, which is made again before every single attempt, so that none
depends on another.
"""
import os
import pathlib
import shutil

# In the tree: ro (read), rw (read, write), bin (read, exec), one.txt (read, modify) and out, which no rule is about.
FILES = ["ro/a.txt", "ro/sub/b.txt", "rw/a.txt", "rw/sub/b.txt", "rw/sub2/c.txt", "out/a.txt", "out/sub/b.txt", "one.txt"]

ATTEMPTS = [
    ("read {T}/ro/a.txt", True), ("read {T}/ro/sub/b.txt", True), ("read {T}/rw/sub/b.txt", True), ("read {T}/one.txt", True),
    ("read {T}/out/a.txt", False), ("read {T}/out/sub/b.txt", False), ("read /etc/passwd", False),
    ("list {T}/ro", True), ("list {T}/ro/sub", True), ("list {T}", False), ("list {T}/out", False), ("list /", False),
    ("exec {T}/bin/attempts", True), ("exec {T}/rw/attempts", False), ("exec {T}/out/attempts", False),
    ("write {T}/rw/a.txt", True), ("write {T}/one.txt", True), ("write {T}/ro/a.txt", False), ("write {T}/out/a.txt", False),
    ("truncate {T}/rw/a.txt", True), ("truncate {T}/ro/a.txt", False), ("truncate {T}/out/a.txt", False),
    ("create {T}/rw/new", True), ("create {T}/rw/sub/new", True), ("create {T}/ro/new", False), ("create {T}/new", False),
    ("create {T}/out/new", False), ("mkdir {T}/rw/new", True), ("mkdir {T}/ro/new", False), ("mkdir {T}/out/new", False),
    ("sock {T}/rw/new", True), ("sock {T}/ro/new", False), ("fifo {T}/rw/new", True), ("fifo {T}/out/new", False),
    ("symlink {T}/rw/new", True), ("symlink {T}/ro/new", False),
    ("unlink {T}/rw/a.txt", True), ("unlink {T}/ro/a.txt", False), ("unlink {T}/one.txt", False),
    ("rmdir {T}/rw/empty", True), ("rmdir {T}/ro/empty", False), ("rmdir {T}/out/empty", False),
    # within a permitted directory and across two of it; out of it, into it, and over what it may not touch
    ("rename {T}/rw/a.txt {T}/rw/new", True), ("rename {T}/rw/a.txt {T}/rw/sub/new", True),
    ("rename {T}/rw/sub {T}/rw/sub2/new", True), ("rename {T}/rw/a.txt {T}/ro/new", False),
    ("rename {T}/ro/a.txt {T}/rw/new", False), ("rename {T}/out/a.txt {T}/rw/new", False),
    ("rename {T}/rw/a.txt {T}/out/new", False), ("rename {T}/rw {T}/moved", False),
    ("link {T}/rw/a.txt {T}/rw/new", True), ("link {T}/rw/a.txt {T}/rw/sub/new", True),
    # a link would give the file verbs that it does not have where it is
    ("link {T}/ro/a.txt {T}/rw/new", False), ("link {T}/out/a.txt {T}/rw/new", False),
    ("link {T}/one.txt {T}/rw/new", False),
]
# By ABI: what an older kernel does not decide is a gap that the plan names; there the attempt passes.
SINCE = {"truncate": 3, "connect": 4, "bind": 4, "abstract": 6, "signal": 6}


def policy(abi):
    return POLICY.replace("LISTEN", "wider" if abi >= 4 else "unenforced")


def make(tree, program, owner=None):
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(tree)
    for name in FILES:
        path = pathlib.Path(tree, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content\n")
    for folder in ("ro", "rw", "out"):
        os.makedirs(f"{tree}/{folder}/empty")
    os.makedirs(f"{tree}/bin")
    for folder in ("bin", "rw", "out"):
        shutil.copy(program, f"{tree}/{folder}/attempts")
    for where, folders, files in os.walk(tree):
        for path in [where] + [os.path.join(where, f) for f in files]:
            os.chmod(path, 0o755)
            if owner is not None:
                os.chown(path, owner, owner)


POLICY = """agp 1
param tree : path
policy landlock-test {
  isolation process
  file {
    allow read, exec "${tree}/bin/**"
    allow read "${tree}/ro/**", "${tree}/list"
    allow read, write "${tree}/rw/**"
    allow read, modify "${tree}/one.txt"
  }
  net {
    allow connect tcp 127.0.0.1:4701
    allow listen tcp 127.0.0.1:4702
  }
  run { command "${tree}/bin/attempts", "${tree}/list" user 65534:65534 }
  accept wider file because "Landlock decides no attributes"
  accept LISTEN listen tcp 127.0.0.1:4702 because "a packet that comes in does not show whose socket takes it"
}
"""


def expected(attempts, abi):
    return [allowed or abi < SINCE.get(words.split()[0], 1) for words, allowed in attempts]
