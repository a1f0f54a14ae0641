"""The demonstration: a policy's bundle is started by its own manifest's commands, and what it promises is tried in it.

    demo.py --agp build/compiler/cli/agp --probe build/tools/probe/agp-probe POLICY.agp

Every attempt of `agp probe` is run inside the sandbox and compared with what the model says. Then each layer that should
have held an attempt is taken away: the attempt must succeed then, or a second layer is named that holds it too. Prints
one line for each attempt; exit 0 when all are as expected, 1 on any difference, 2 when the demonstration can't run.
"""
import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import layers
from sandbox import Failed, Sandbox, World, command, with_probe

HOST = pathlib.Path("/srv/agents")  # the host directory of the example's mounts
MARK = HOST / ".agp-demo"
TASK = pathlib.Path(__file__).resolve().parent / "task.py"
TIME_LIMIT = 3  # seconds, instead of the policy's ten minutes


@contextlib.contextmanager
def alone(log):
    """Names and directories of the example are this machine's: one demonstration at a time. The lock goes with the process."""
    with open("/run/agp-demo.lock", "w", encoding="utf-8") as lock:
        for patience in range(1200):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if patience == 0:
                    log("waiting for another demonstration on this machine")
                time.sleep(0.5)
        else:
            raise Failed("another demonstration still runs on this machine")
        yield


@contextlib.contextmanager
def host_directories(lines):
    """/srv/agents with a small task, made for the demonstration and removed after it; never somebody else's."""
    if HOST.exists() and not MARK.exists():
        raise Failed(f"{HOST} exists and is not the demonstration's: it would have to be changed, so nothing was started")
    shutil.rmtree(HOST, ignore_errors=True)
    HOST.mkdir(parents=True)
    try:
        MARK.write_text("made by scripts/demo, removed at its end\n")
        # Modes that permit everything: what is refused there is refused by a layer, not by an owner.
        for name in ("task", "config"):
            (HOST / name).mkdir()
            os.chmod(HOST / name, 0o777)
            for line in lines:
                path = line["attempt"].get("path", "")
                if line["attempt"].get("needs") == "file" and path.startswith(f"/{name}/"):
                    target = HOST / path[1:]
                    if line["attempt"]["kind"] == "exec":
                        shutil.copy(layers.PROGRAM[0], target)
                    elif not target.exists():
                        target.write_text("a file\n")
                    os.chmod(target, 0o777)
        shutil.copy(TASK, HOST / "task/main.py")
        (HOST / "config/task.json").write_text('{"greeting": "hello from /config"}\n')
        yield
    finally:
        shutil.rmtree(HOST, ignore_errors=True)


class Demonstration:
    def __init__(self, built, lines, resolvers, work, log):
        self.built, self.lines, self.work, self.log = built, lines, pathlib.Path(work), log
        self.world = World(lines, resolvers, work)

    def probe_tree(self, tree, lines):
        """Puts the executor and its attempts beside the copied bundle and mounts them into it."""
        directory = tree / "probe"
        directory.mkdir()
        shutil.copy(layers.PROGRAM[0], directory / "agp-probe")
        os.chmod(directory / "agp-probe", 0o755)
        (directory / "attempts").write_text('{"schema":"agp-probe/1"}\n' + "".join(json.dumps(l) + "\n" for l in lines))
        layers.edit_config(tree, lambda config: config.update(with_probe(config, directory)))

    def attempt(self, lines, removals=(), patience=240):
        """Runs the lines in one sandbox without the layers named. Returns outcome and detail by id."""
        todo = [layers.REMOVALS[r] for r in removals]

        def change(tree):
            self.probe_tree(tree, lines)
            for r in todo:
                if r.change:
                    r.change(tree, lines)

        def prepared(sandbox):
            for r in todo:
                if r.prepared:
                    r.prepared(sandbox, lines)

        self.world.forget()
        with Sandbox(self.built, self.world, change, prepared) as sandbox:
            status, out, err = sandbox.run(patience)
        results = {}
        for text in out.splitlines():
            answer = json.loads(text)
            results[answer["id"]] = (answer["outcome"], answer["detail"])
        missing = [l["id"] for l in lines if l["id"] not in results]
        if status != 0 or missing:
            raise Failed(f"the executor ended with {status} without {len(missing)} of {len(lines)} answers: {err.strip()[-600:]}")
        asked = self.world.asked()
        for l in lines:
            a = l["attempt"]
            if a["kind"] == "forward" and results[l["id"]][0] == "ok":
                heard = (a["name"], a["type"]) in asked
                results[l["id"]] = ("ok", "reached the resolver outside") if heard else ("not forwarded", "")
        return results

    def command_itself(self):
        """The policy's own command in the bundle as built."""
        with Sandbox(self.built, self.world) as sandbox:
            status, out, err = sandbox.run(120)
        if status != 0:
            raise Failed(f"the policy's own command ended with {status}: {(out + err).strip()[-800:]}")
        return out.strip()

    def past_the_time(self, line, enforced):
        """(outcome, detail) of staying longer than the time limit, shortened; what is left of it is looked for."""
        bound = str(line["attempt"]["ms"] // 1000 - 5)
        staying = {**line, "attempt": {**line["attempt"], "ms": 120000, "limit_ms": 180000}}

        def commands(c):
            words = c["run"][-1]
            if "timeout" not in pathlib.Path(words[0]).name or bound not in words:
                raise Failed(f"the run command holds no time of {bound} s: {words}")
            if enforced:
                words[words.index(bound)] = str(TIME_LIMIT)
            else:
                del words[: words.index(bound) + 1]

        with Sandbox(self.built, self.world, lambda tree: self.probe_tree(tree, [staying]), None, commands) as sandbox:
            process = sandbox.start()
            began = time.monotonic()
            try:
                most = 0
                while process.poll() is None and time.monotonic() - began < TIME_LIMIT + (30 if enforced else 2):
                    most = max(most, len(sandbox.processes()))
                    time.sleep(0.05)
                took = time.monotonic() - began
                if most < 3:
                    raise Failed(f"the processes that were to outlast the limit never ran (at most {most})")
                running = process.poll() is None
                if not running:
                    sandbox.finish_commands()
                left = sandbox.processes()
                # A killed process is not gone at once: the kernel takes its namespace down behind it.
                while not running and left and time.monotonic() - began < TIME_LIMIT + 40:
                    time.sleep(0.05)
                    left = sandbox.processes()
            finally:
                sandbox.end_run()
        if running:
            return "ok", f"{len(left)} processes still run {TIME_LIMIT + 2} s later"
        if left:
            return "ok", f"{len(left)} processes left"
        return "killed", f"after {took:.1f} s (limit {TIME_LIMIT} s), of {most} processes none is left"


def holder(line):
    if line["expected"] == "derived":
        return line["layer"]
    return f"{line['layer']} {line['part']}" if line["layer"] == "oci" and line.get("part") else line["layer"]


def passed(result):
    return result[0] == "ok"


def agrees(line, result):
    return result[0] != "unprepared" and passed(result) == (line["expected"] != "denied")


def try_without(demo, lines, removals):
    """What is to be created must not be there, what is to be read must: two runs where stand-ins are made for both."""
    creating = [l for l in lines if l["attempt"]["kind"] == "create"] if "oci mounts" in removals else []
    other = [l for l in lines if l not in creating]
    return {i: r for group in (creating, other) if group for i, r in demo.attempt(group, removals).items()}


def without_layers(demo, lines, observed):
    """For each denied attempt, what holds it: text by id, and the ids of those that nothing explains."""
    explained, unexplained = {}, set()
    by_layer = {}
    for l in lines:
        if l["expected"] == "denied" and not passed(observed[l["id"]]):
            by_layer.setdefault(holder(l), []).append(l)
    for layer, refused in by_layer.items():
        if layer not in layers.REMOVALS:
            continue
        demo.log(f"without {layer}: {len(refused)} attempts")
        results = try_without(demo, refused, [layer])
        left = []
        for l in refused:
            if passed(results[l["id"]]):
                explained[l["id"]] = "succeeds"
            else:
                left.append(l)
        for second in layers.SECOND[layer]:
            if not left:
                break
            demo.log(f"without {layer} and {second}: {len(left)} attempts")
            again = try_without(demo, left, [layer, second])
            for l in left:
                if passed(again[l["id"]]):
                    explained[l["id"]] = f"{results[l['id']][0]} by {second}"
            left = [l for l in left if l["id"] not in explained]
        for l in left:
            # Another answer than before: the layer was the first to refuse, and the kernel refuses for a reason of its own.
            path = l["attempt"].get("path", "")
            if path.startswith("/proc/") and not os.path.exists(path):
                explained[l["id"]] = "this kernel has none"
            elif results[l["id"]][0] not in (observed[l["id"]][0], "unprepared"):
                explained[l["id"]] = f"{results[l['id']][0]} by the kernel"
            else:
                explained[l["id"]] = f"{results[l['id']][0]}: nothing changes"
                unexplained.add(l["id"])
    return explained, unexplained


def table(lines, observed, explained, differences, out):
    def short(text, width):
        return text if len(text) <= width else text[: width - 1] + "…"

    rows = [(None, ("attempt", "expected", "observed", "layer", "without that layer"))]
    for l in lines:
        outcome, _ = observed[l["id"]]
        told = ("derived" if l["expected"] == "derived" else "permitted") if outcome == "ok" else f"denied {outcome}"
        mark = "" if l["id"] not in differences else "  << differs"
        heading = l.get("rule_text") or "tried whatever the policy says"
        rows.append((heading, (short(l["id"], 64), l["expected"], told, holder(l) or "-", explained.get(l["id"], "") + mark)))
    widths = [max(len(r[i]) for _, r in rows) for i in range(4)]
    last = None
    for heading, r in rows:
        if heading != last:
            print(f"\n# {short(heading, 110)}", file=out)
            last = heading
        print("  ".join([*(c.ljust(w) for c, w in zip(r, widths)), r[4]]).rstrip(), file=out)


def available_memory():
    for text in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if text.startswith("MemAvailable:"):
            return int(text.split()[1]) * 1024
    return 0


def ends_by_itself(line, probe):
    """Does this kernel end the attempt without any sandbox? A kernel without the calls of i386 answers `int 0x80` with
    SIGSEGV."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as attempts:
        attempts.write('{"schema":"agp-probe/1"}\n' + json.dumps(line) + "\n")
        attempts.flush()
        return '"SIGSEGV"' in command(probe, attempts.name)


def no_program(path):
    """A shared library of Debian has no execute permission: a loader maps it, which `exec` in a policy permits too."""
    return os.path.isfile(path) and not os.stat(path).st_mode & 0o111


def runnable(lines, probe, log):
    """Attempts that this machine can make; each skip is printed and counted."""
    kept = []
    for l in lines:
        if l["attempt"]["kind"] == "call-i386" and ends_by_itself(l, probe):
            log(f"skipped: {l['id']}: this kernel has no calls of i386, with the layer or without")
            continue
        if l["attempt"]["kind"] == "exec" and l["expected"] != "denied" and no_program(l["attempt"].get("path", "")):
            log(f"skipped: {l['id']}: the mode of this machine's file lets nobody execute it, whatever a layer permits")
            continue
        need = l["attempt"].get("bytes", 0) + (512 << 20)
        if l["attempt"]["kind"] == "memory" and available_memory() < need:
            log(f"skipped: {l['id']}: this machine has only {available_memory() >> 20} MiB to give")
            continue
        kept.append(l)
    return kept


def demonstrate(arguments, work, log):
    built = pathlib.Path(work) / "built"
    layers.PROGRAM[0] = arguments.probe
    log(f"agp build {arguments.policy}")
    command(arguments.agp, "build", arguments.policy, "-o", built, "-q")
    text = command(arguments.agp, "probe", arguments.policy)
    suite = [l for l in map(json.loads, text.splitlines()) if "id" in l]
    lines = runnable(suite, arguments.probe, log)
    resolvers = sorted({l["attempt"]["server"] for l in lines if l["attempt"].get("server", "127.0.0.53") != "127.0.0.53"})
    staying = [l for l in lines if l["attempt"]["kind"] == "time"]
    trying = [l for l in lines if l["attempt"]["kind"] != "time"]
    demo = Demonstration(built, trying, resolvers, work, log)
    with alone(log), host_directories(lines), demo.world.started():
        if not arguments.probe_only:
            log("the policy's own command")
            log(demo.command_itself())
        log(f"{len(trying)} attempts in the sandbox")
        observed = demo.attempt(trying)
        for l in staying:
            log(f"past the time limit, shortened to {TIME_LIMIT} s")
            observed[l["id"]] = demo.past_the_time(l, True)
        differences = {l["id"] for l in lines if not agrees(l, observed[l["id"]])}
        explained = {}
        if not arguments.probe_only:
            explained, unexplained = without_layers(demo, trying, observed)
            differences |= unexplained
            for l in staying:
                log("the same without the stack's time limit")
                outcome, detail = demo.past_the_time(l, False)
                explained[l["id"]] = "succeeds" if outcome == "ok" else outcome
                if outcome != "ok":
                    differences.add(l["id"])
    if arguments.json:
        pathlib.Path(arguments.json).write_text("".join(
            json.dumps({"id": l["id"], "expected": l["expected"], "outcome": observed[l["id"]][0], "detail": observed[l["id"]][1],
                        "layer": holder(l), "without": explained.get(l["id"])}) + "\n" for l in lines))
    table(lines, observed, explained, differences, sys.stdout)
    skipped = f", {len(suite) - len(lines)} skipped" if len(lines) < len(suite) else ""
    print(f"\n{len(lines)} attempts, {len(differences)} differ from what the policy says{skipped}")
    for l in lines:
        if l["id"] in differences:
            print(f"  {l['id']}: expected {l['expected']}, observed {observed[l['id']]}, without the layer: {explained.get(l['id'], '-')}")
    return 1 if differences else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("policy")
    parser.add_argument("--agp", required=True)
    parser.add_argument("--probe", required=True)
    parser.add_argument("--probe-only", action="store_true", help="no removal of layers")
    parser.add_argument("--json", help="write the results there, one line for each attempt")
    parser.add_argument("-q", "--quiet", action="store_true")
    arguments = parser.parse_args()

    def stop(number, _):
        for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(s, signal.SIG_IGN)  # what was started is taken down once, and whole
        raise SystemExit(128 + number)

    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(s, stop)
    began = time.monotonic()

    def log(text):
        if not arguments.quiet:
            print(f"-- {time.monotonic() - began:5.1f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="agp-demo-") as work:
        try:
            return demonstrate(arguments, work, log)
        except Failed as problem:
            print(f"demo: {problem}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
