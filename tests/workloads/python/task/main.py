"""What a task in Python commonly does, and what it prints is checked."""
import bz2
import concurrent.futures
import ctypes
import hashlib
import lzma
import multiprocessing
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import venv
import xml.etree.ElementTree
import zlib


def square(number):
    return number * number


def main():
    done = subprocess.run([sys.executable, "-I", "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)
    print("subprocess", done.stdout.strip())

    with sqlite3.connect("/workspace/people.db") as database:
        database.execute("create table people (name text, age integer)")
        database.execute("insert into people values ('ada', 36)")
    print("sqlite", database.execute("select * from people").fetchall())

    text = b"x" * 100000
    assert bz2.decompress(bz2.compress(text)) == lzma.decompress(lzma.compress(text)) == zlib.decompress(zlib.compress(text))
    assert xml.etree.ElementTree.fromstring("<a><b/></a>").find("b") is not None
    assert ctypes.CDLL(None).getpid() > 0
    print("archives ok")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print("threads", sum(pool.map(int, "1234")))
    with multiprocessing.Pool(2) as pool:
        assert pool.map(square, [2, 3]) == [4, 9]
    print("hash", hashlib.sha256(b"hello").hexdigest()[:16])

    with tempfile.NamedTemporaryFile() as file:
        print("temporary", pathlib.Path(file.name).parent)
    venv.create("/workspace/venv", symlinks=True, with_pip=False)
    done = subprocess.run(["/workspace/venv/bin/python", "-I", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    print("venv", done.stdout.strip())


if __name__ == "__main__":
    main()
