"""Sums a data set in worker processes, keeps the result in a database, and tries what it must not."""
import multiprocessing
import pathlib
import socket
import sqlite3


def attempt(what, do):
    try:
        do()
        print(f"{what}: done")
    except OSError as error:
        print(f"{what}: {error.strerror}")


def files_without_end():
    opened = []
    try:
        while len(opened) < 10000:
            opened.append(open("/dev/null"))
    except OSError:
        print(f"descriptors: the last is {opened[-1].fileno()}")


if __name__ == "__main__":
    numbers = [int(line) for line in pathlib.Path("/data/answers").read_text().split()]
    with multiprocessing.Pool(2) as pool:
        total = sum(pool.map(sum, [numbers[:500], numbers[500:]]))
    with sqlite3.connect("/results/results.db") as database:
        database.execute("create table result (total integer)")
        database.execute("insert into result values (?)", (total,))
    print("sum", *database.execute("select total from result").fetchone())
    attempt("socket", lambda: socket.create_connection(("10.0.0.1", 443), 5))
    attempt("data", lambda: pathlib.Path("/data/answers").open("a"))
    files_without_end()
