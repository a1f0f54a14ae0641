"""An agent's session: what it is for, and what a page or a comment could talk it into."""
import http.client
import pathlib
import socket
import subprocess


def git(*words):
    identity = ["-c", "user.name=agent", "-c", "user.email=agent@example.com"]
    return subprocess.run(["/usr/bin/git", *identity, *words], capture_output=True, text=True, check=True).stdout


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


connection = http.client.HTTPConnection("api.anthropic.com", 443, timeout=20)
connection.request("GET", "/advice")
print("model", connection.getresponse().read().decode().strip())

pathlib.Path("/workspace/main.py").write_text("value = 2\n")
subprocess.run(["/bin/sh", "-c", "grep -q 2 /workspace/main.py && echo tests passed"], check=True)
git("commit", "-qam", "second")
print("committed", *git("log", "--format=%s").split())

attempt("hook", lambda: pathlib.Path("/workspace/.git/hooks/post-commit").write_text("#!/bin/sh\n"))
attempt("config", lambda: pathlib.Path("/workspace/.git/config").open("a"))
attempt("github.com", lambda: socket.create_connection(("github.com", 443), 20))
attempt("203.0.113.8", lambda: socket.create_connection(("203.0.113.8", 443), 20))
attempt("metadata", lambda: socket.create_connection(("169.254.169.254", 80), 20))
files_without_end()
