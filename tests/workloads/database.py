"""`database.py ADDRESS ROOT`: PostgreSQL 15 of the packages beneath ROOT, at port 5432, as a user without rights. It holds a
table of purchases, which the role `reader` may read from inside a sandbox, without a password, and which nobody else may.

`ip netns exec` gives this process mounts of its own: the root that is made here is seen by the database alone."""
import os
import pathlib
import signal
import subprocess
import sys

from outside import INSIDE

BIN = "/usr/lib/postgresql/15/bin"
USER = 65534
SQL = """create table purchase (what text, number integer)
insert into purchase values ('bread', 2), ('salt', 1)
create role reader login
grant select on purchase to reader
"""
address, packages = sys.argv[1:]
root = pathlib.Path("database").resolve()


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def inside(program, *words, **options):
    command = ["chroot", f"--userspec={USER}:{USER}", "--groups=", root, f"{BIN}/{program}", *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finished(process, given=""):
    _, problems = process.communicate(given)
    if process.returncode:
        sys.exit(problems)


root.mkdir()
mount("-t", "tmpfs", "tmpfs", root)
for name in ("usr", "dev", "etc", "data"):
    (root / name).mkdir()
for name in ("bin", "lib", "lib64"):
    (root / name).symlink_to(f"usr/{name}")
mount("--bind", f"{packages}/usr", root / "usr")
mount("--rbind", "/dev", root / "dev")
(root / "etc/passwd").write_text(f"database:x:{USER}:{USER}::/:/bin/sh\n")
os.chown(root / "data", USER, USER)

quiet = {"stdout": subprocess.DEVNULL}
finished(inside("initdb", "-D", "/data", "-U", "owner", "--auth=reject", "--no-sync", "--locale=C", "--encoding=UTF8", **quiet))
(root / "data/pg_hba.conf").write_text(f"host postgres reader {INSIDE}/32 trust\n")
finished(inside("postgres", "--single", "-D", "/data", "postgres", **quiet), SQL)

server = inside("postgres", "-D", "/data", "-c", f"listen_addresses={address}", "-c", "unix_socket_directories=", **quiet)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
try:
    for line in server.stderr:
        if "ready to accept connections" in line:
            print("ready", flush=True)
finally:
    server.send_signal(signal.SIGINT)  # a fast shutdown, which leaves no shared memory behind
    server.wait()
