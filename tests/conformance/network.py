#!/usr/bin/python3
"""network.py AGP VERDICTS POLICIES: the model's answers about packets and names against the kernel's and dnsmasq's.

Packets: policies drawn with attempts near every border (tests/runtime/net/policies.cpp), decided by what sending gives; a
time-out is a fault. Names: policies drawn, and each name that a rule has, those beside, above and beneath it asked of the
generated resolver; what it forwards is answered by an upstream that knows every name. Every attempt is made without the
layer too, and must then succeed. Exits 77 without root.
"""
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "runtime/net"), str(HERE.parent / "mutants")]
import draw  # noqa: E402
from traffic import REFUSED  # noqa: E402
from world import World, need, run  # noqa: E402

LONG = "AGP_LONG" in os.environ
UPSTREAM = "10.0.0.53"


class Count:
    def __init__(self, what):
        self.what, self.pairs, self.denied, self.policies, self.wrong = what, 0, 0, 0, []

    def add(self, text, denied, right):
        self.pairs += 1
        self.denied += denied
        if not right:
            self.wrong.append(f"{self.what}: {text}")

    def done(self):
        share = 100 * self.denied // max(self.pairs, 1)
        print(f"result: {self.what}: {self.pairs} distinct (policy, action) pairs of {self.policies} policies, each succeeding "
              f"without the layer: {self.denied} denied ({share} %), {self.pairs - self.denied} passed, {len(self.wrong)} not "
              f"as the model says")
        print("\n".join(self.wrong[:30]))
        return not self.wrong and 0.4 <= self.denied / max(self.pairs, 1) <= 0.6


def packets(world, program, uid, seed):
    count, least = Count("packets by nftables"), 5_000 if LONG else 250
    world.ready(world.start(world.box, "traffic.py", "serve", *map(str, (8079, 8080, 8081, 8082))))
    with tempfile.TemporaryDirectory(prefix="agp-conformance-") as directory:
        run(program, directory, str(uid), seed, str(300 if LONG else 12))
        for name in sorted(n for n in os.listdir(directory) if n.startswith("random-")):
            if count.pairs >= least:
                break
            every = {a["what"]: a for a in json.load(open(f"{directory}/{name}/attempts.json", encoding="utf-8"))}.values()
            sides = [[a for a in every if a["permitted"] == p] for p in (True, False)]
            most = max(8, min(map(len, sides)) * 5 // 4)
            if not sides[0] or not sides[1]:
                continue
            chosen = sides[0][:most] + sides[1][:most]
            out, into = ([a for a in chosen if a["direction"] == d] for d in ("connect", "listen"))
            form = ("nft", "json")[count.policies % 2]
            world.clear()
            free = world.attempt(out) + world.attempt(into, world.peer)
            must(world.load(f"{directory}/{name}/nftables/egress.{form}"), f"nft {name} {form}")
            held = world.attempt(out) + world.attempt(into, world.peer)
            count.policies += 1
            for a, before, answer in zip(out + into, free, held):
                wanted = {"ok"} if a["permitted"] else REFUSED
                count.add(f"{name} {form}: {a['what']}: {before}, then {answer}; permitted: {a['permitted']}", answer != "ok",
                          before == "ok" and answer in wanted)
    world.clear()
    return count.done() and count.pairs >= least


def candidates(r, text):
    """Names at the borders of a policy's, as many that it permits as others where that is possible."""
    bases = sorted(set(re.findall(r"[a-z]+(?:\.[a-z]+)+", text.partition("net {")[2].partition("resolver")[0])))
    out = set()
    for b in bases:
        out |= {b, f"x.{b}", f"y.x.{b}", f"x{b}", b.partition(".")[2], f"{b}.x", f"agp-{r.randint(1, 99)}.{b}"}
    return sorted(out | {"elsewhere.example", "localhost.example"})


def must(done, what):
    """The standard output of what must succeed for anything to be tested."""
    if done.returncode:
        sys.exit(f"{what}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def resolver(world, built):
    """dnsmasq by the generated configuration, in the box; it ends with the block."""
    file = pathlib.Path(built, "pid")
    run("ip", "netns", "exec", world.box, "dnsmasq", "-C", f"{built}/dns/dnsmasq.conf", f"--pid-file={file}",
        "--log-facility=/dev/null")
    number = int(file.read_text())   # a daemon writes it before its first process ends
    try:
        yield
    finally:
        os.kill(number, signal.SIGKILL)
        while os.path.exists(f"/proc/{number}"):
            time.sleep(0.01)


def names(world, agp, verdicts, seed):
    count, least, r = Count("names by dnsmasq"), 1_000 if LONG else 60, random.Random(seed)
    run("ip", "netns", "exec", world.peer, "nft", f"insert rule inet nat pre ip daddr {UPSTREAM} return")
    run("ip", "-n", world.peer, "addr", "add", UPSTREAM, "dev", "lo")
    world.ready(world.start(world.peer, "dns.py", "serve", UPSTREAM, json.dumps({"*": [["A", "10.0.1.60"]]})))
    child = subprocess.Popen([verdicts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    world.children.append(child)   # it ends with the world
    with tempfile.TemporaryDirectory(prefix="agp-names-") as folder:
        os.chmod(folder, 0o755)
        pathlib.Path(folder, "agp.toml").write_text("")
        drawn = 0
        while count.pairs < least:
            drawn += 1
            if drawn > least:   # a policy gives ten pairs or so
                sys.exit(f"names: only {count.pairs} pairs of {count.policies} of {least} policies drawn")
            file, built = pathlib.Path(folder, f"n{drawn}.agp"), f"{folder}/out{drawn}"
            file.write_text(re.sub(r"resolver .*", f"resolver {UPSTREAM}", draw.names(r, f"n{drawn}")))
            done = subprocess.run([agp, "build", "-q", "--no-verify", file, "-o", built], capture_output=True, text=True,
                                  check=False)
            if done.returncode not in (0, 1, 3):   # 1: the policy that was drawn has a mistake
                must(done, f"agp build {file}")
            if done.returncode == 1:
                continue
            every = candidates(r, file.read_text())
            print(json.dumps({"policy": str(file), "actions": [f"resolve {n}" for n in every]}), file=child.stdin, flush=True)
            decisions = dict(zip(every, json.loads(child.stdout.readline())["decisions"]))
            sides = [[n for n in every if (decisions[n] == "allow") == p] for p in (True, False)]
            most = max(4, min(map(len, sides)) * 5 // 4)
            chosen = sides[0][:most] + sides[1][:most]
            world.clear()
            free = [ask(world, UPSTREAM, n) for n in chosen]   # the same agent and question, without rules or resolver
            must(world.load(f"{built}/nftables/egress.nft"), "nft")
            with resolver(world, built):
                held = [ask(world, "127.0.0.53", n) for n in chosen]
            count.policies += 1
            for name, before, answer in zip(chosen, free, held):
                wanted = [0, [["A", "10.0.1.60"]]] if decisions[name] == "allow" else [3, []]
                count.add(f"n{drawn}: {name}: {before}, then {answer}; {decisions[name]}\n{file.read_text()}",
                          answer[0] != 0, before == [0, [["A", "10.0.1.60"]]] and answer == wanted)
    return count.done() and count.pairs >= least


def ask(world, server, name):
    return world.agent("dns.py", "ask", {"server": server, "name": name, "type": "A"})


def main():
    agp, verdicts, program = sys.argv[1:]
    uid = need("ip", "nft", "setpriv", "sysctl", "dnsmasq", user="dnsmasq")
    seed = os.environ.get("AGP_SEED", "11")
    print(f"seed: {seed}")
    with World() as world:
        good = packets(world, program, uid, seed)
    with World() as world:
        good = names(world, agp, verdicts, seed) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
