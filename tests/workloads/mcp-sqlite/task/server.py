"""A server of one tool, with a request of its own in place of a client's: its journal is beside the database."""
import json
import socket
import sqlite3
import sys

request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_query", "arguments": {"query": "select * from shopping"}}}
with sqlite3.connect(sys.argv[1]) as database:
    database.execute("create table shopping (what text, number integer)")
    database.execute("insert into shopping values ('bread', 2)")
rows = database.execute(request["params"]["arguments"]["query"]).fetchall()
print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": rows}))
try:
    socket.socket(socket.AF_UNIX)
except OSError as error:
    print(f"socket: {error.strerror}")
opened = []
try:
    while len(opened) < 10000:
        opened.append(open("/dev/null"))
except OSError:
    print(f"descriptors: the last is {opened[-1].fileno()}")
