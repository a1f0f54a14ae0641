"""The world outside a workload's sandbox: a namespace with a resolver, web servers and what else a case starts there, and a
cable to it."""
import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import sys

from sandbox import ROOT, Failed, call

RESOLVER = "10.0.0.53"
INSIDE, OUTSIDE = "198.18.0.1", "198.18.0.2"  # RFC 2544's block for tests of network devices: on no real network
HERE = pathlib.Path(__file__).resolve().parent
WEB = HERE / "web.py"
DNS = ROOT / "tests/runtime/net/dns.py"
numbers = itertools.count()


@contextlib.contextmanager
def world(names, servers, scripts, work):
    """Yields what joins a sandbox's namespace to it, or None when there is nothing outside. `scripts` are [[script, address,
    further words], …]; their working directory is `work`, and they say `ready`."""
    if not names and not servers and not scripts:
        yield None
        return
    space = f"agpw{os.getpid()}-{next(numbers)}"
    children = []
    try:
        call("ip", "netns", "add", space)
        call("ip", "-n", space, "link", "set", "lo", "up")
        for address in sorted({RESOLVER, *(s[0] for s in servers), *(s[1] for s in scripts)}):
            call("ip", "-n", space, "address", "add", f"{address}/32", "dev", "lo")
        table = {name: [["A", address]] for name, address in names.items()}
        table["*"] = []
        own = [[HERE / script, *words] for script, *words in scripts]
        for words in ([DNS, "serve", RESOLVER, json.dumps(table)], [WEB, json.dumps(servers)], *own):
            child = subprocess.Popen(["ip", "netns", "exec", space, sys.executable, "-B", *map(str, words)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=work)
            children.append(child)
            if child.stdout.readline() != "ready\n":
                raise Failed(f"{words[0]} did not start")

        def join(namespace):
            call("ip", "link", "add", "up0", "netns", namespace, "type", "veth", "peer", "name", "up1", "netns", space)
            for where, device, address in ((namespace, "up0", INSIDE), (space, "up1", OUTSIDE)):
                call("ip", "-n", where, "address", "add", f"{address}/30", "dev", device)
                call("ip", "-n", where, "link", "set", device, "up")
            call("ip", "-n", namespace, "route", "add", "default", "via", OUTSIDE)

        yield join
    finally:
        for child in children:
            child.terminate()  # a script may have children of its own to end
            child.communicate()
        call("ip", "netns", "del", space, check=False)
