"""Builds a policy and runs it by the commands of its own manifest; with strace around them on request.

The policy's name gets the process' number, so that the names of its network namespace and control group are this run's
own. Nothing here knows how a stack is started: `{dir}`, `{run}` and `{id}` are filled in, and `prepare`, `run` and
`finally` are run in that order."""
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "stdlib-policies"
STRACE = ["strace", "-f", "-qq", "-y", "-s", "200", "--decode-pids=pidns", "-o"]
numbers = itertools.count()


class Failed(Exception):
    pass


def call(*words, check=True, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=300, **options)
    if check and done.returncode:
        raise Failed(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def own_name(text):
    """The text of a policy file with a name that no other run has, and that name."""
    old = re.search(r"^policy (\S+) ", text, re.M).group(1)
    new = f"{old}-{os.getpid()}-{next(numbers)}"
    return re.sub(rf"^(policy|test) {old} ", rf"\1 {new} ", text, flags=re.M), new


def from_files(text, up):
    """The text with every module of the library taken from files below `up`, where a test may change them."""
    used = re.findall(r"^use std\.([\w.-]+)$", text, re.M)
    for module in sorted(used, key=len, reverse=True):
        alias = "std_" + module.replace(".", "_").replace("-", "_")
        text = re.sub(rf"^use std\.{re.escape(module)}$", f'use "{up}std/{module.replace(".", "/")}.agp" as {alias}', text, flags=re.M)
        text = re.sub(rf"(include +)std\.{re.escape(module)}(\.[\w-]+)?(?=[\s(]|$)",
                      lambda m: m.group(1) + alias + (m.group(2) or "." + module.rsplit(".", 1)[-1]), text, flags=re.M)
    return text


def project(directory, text, library=None):
    """Writes a project whose policy is `text`; `library` maps paths such as std/runtime/python.agp to changed texts, and
    then every module comes from files."""
    directory.mkdir(parents=True)
    (directory / "agp.toml").write_text("")
    if library is not None:
        text = from_files(text, "./")
        for path in LIBRARY.rglob("*.agp"):
            name = str(path.relative_to(LIBRARY))
            to = directory / name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(from_files(library.get(name) or path.read_text(), "../" * (len(to.relative_to(directory).parts) - 1)))
    (directory / "policy.agp").write_text(text)
    return directory / "policy.agp"


def build(agp, policy, out, values, quick=False):
    sets = [w for k, v in values.items() for w in ("--set", f"{k}={v}")]
    return call(agp, "build", policy, "-o", out, *sets, *(["--no-verify"] if quick else []), check=False)


class Sandbox:
    """One run of a built policy. `uplink(namespace)` is called when the network namespace is there."""

    def __init__(self, built, uplink=None):
        self.built, self.uplink = built, uplink
        self.manifest = json.loads((built / "manifest.json").read_text())
        self.config = json.loads((built / "oci/config.json").read_text())
        self.name = self.manifest["policy"]["name"]
        self.refusals = {}

    def run(self, trace=None, patience=120, given=b""):
        """Exit status and output of the agent, whose standard input is `given`; the text of `trace` is strace's, of everything
        that was started."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="agp-w-", dir="/run"))
        values = {"{dir}": str(self.built), "{run}": str(directory), "{id}": self.name}

        def filled(words):
            for key, value in values.items():
                words = [w.replace(key, value) for w in words]
            return words

        commands = self.manifest["stack"]["commands"]
        process = None
        try:
            for words in commands["prepare"]:
                call(*filled(words))
            if self.uplink:
                self.uplink(f"agp-{self.name}")
            *first, last = commands["run"]
            for words in first:
                call(*filled(words))
            before = [*STRACE, str(trace)] if trace else []
            process = subprocess.Popen([*before, *filled(last)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                out, _ = process.communicate(given, timeout=patience)
            except subprocess.TimeoutExpired:
                raise Failed(f"{self.name}: no end within {patience} s") from None
            self.refusals = self.counted()
            return process.returncode, out.decode(errors="replace")
        finally:
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            for words in commands["finally"]:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run(filled(words), capture_output=True, timeout=60, check=False)
            shutil.rmtree(directory, ignore_errors=True)

    def counted(self):
        """{counter: packets} of what packet rules refused; neighbour discovery and the like are counted apart."""
        listing = call("ip", "netns", "exec", f"agp-{self.name}", "nft", "-j", "list", "counters", check=False).stdout
        counters = [i["counter"] for i in json.loads(listing or '{"nftables": []}')["nftables"] if "counter" in i]
        return {c["name"]: c["packets"] for c in counters if c["packets"] and c["name"] != "count_housekeeping"}
