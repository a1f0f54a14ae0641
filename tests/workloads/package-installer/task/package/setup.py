"""The script of a package that somebody took over: it builds, and then looks for more."""
import pathlib
import socket
import subprocess

OWN = pathlib.Path(__file__).parent


def attempt(what, do):
    try:
        do()
        print(f"{what}: done")
    except socket.gaierror:
        print(f"{what}: unknown")
    except OSError as error:
        print(f"{what}: {error.strerror}")


def files_without_end():
    opened = []
    try:
        while len(opened) < 10000:
            opened.append(open("/dev/null"))
    except OSError:
        print(f"descriptors: the last is {opened[-1].fileno()}")


(OWN / "answer.py").write_text("ANSWER = 42\n")
attempt("payload", lambda: subprocess.run([OWN / "payload"], check=True))
attempt("project", lambda: pathlib.Path("/project/requirements.txt").open("a"))
attempt("installer", lambda: pathlib.Path("/installer/install.py").open("a"))
attempt("files.example.com", lambda: socket.create_connection(("files.example.com", 443), 20))
attempt("its address", lambda: socket.create_connection(("203.0.113.8", 443), 20))
attempt("the mirror's other port", lambda: socket.create_connection(("packages.internal", 80), 20))
attempt("metadata", lambda: socket.create_connection(("169.254.169.254", 80), 20))
attempt("accounts", lambda: pathlib.Path("/etc/passwd").read_text())
files_without_end()
