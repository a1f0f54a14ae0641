#!/usr/bin/python3
"""mutants.py AGP VERDICTS [KIND…]: artifacts with one field changed, judged by the verifier, and the verifier by oracles.

Policies are drawn, built, and their artifacts changed: a mutator draws one field uniformly and gives it another value; no
two mutants are alike. What is refuted is replayed: on the witness the oracle (a second reading of the format, one input at
a time: filters.py, packets.py, files.py) must answer the original and the mutant differently. What is proved must be equal
to the original for the oracle on a universe of inputs at the borders of everything that either mentions. Of filters'
witnesses a sample is tried on the running kernel as well.

Prints what it did, the seed first; the long tier (AGP_LONG) judges 2,000 mutants of each kind. Only those that an oracle
compared with their original count: not what the decoder refuses by name, and not what its loader does not take. An oracle
that does not read the original, or a kind of which nothing was refuted, is a fault: nothing would have been tested. A kind
whose loader is not on this machine is skipped, counted and named; exits 77 where none can run.
"""
import collections
import hashlib
import json
import os
import pathlib
import pwd
import random
import shutil
import subprocess
import sys
import tempfile

import advisory
import arguments
import change
import draw
import files
import filters
import kernel
import packets
from filters import Refused

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LONG = "AGP_LONG" in os.environ
COUNT = int(os.environ.get("AGP_COUNT", 2000 if LONG else 15))
POLICIES = 60 if LONG else 3
MOST = 40   # comparisons of a profile: one with twice as many takes the verifier seconds
EXAMPLES = ["docs/examples/code-execution.agp", *(f"tests/artifacts/{n}/policy.agp" for n in ("calls", "names", "offline",
                                                                                             "packets"))]


class Verifier:
    """The verdicts of one process, artifact by artifact."""

    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, policy, place, file):
        print(json.dumps({"policy": str(policy), "artifacts": {place: str(file)}}), file=self.child.stdin, flush=True)
        return json.loads(self.child.stdout.readline())


def rows(name):
    lines = (ROOT / "tools/data" / name).read_text().splitlines()
    return [line.split("\t") for line in lines if line and line[0] != "#"]


def needs(loader, suite):
    """The numbers on x86_64 of what a loader can't go on without once the filter is on."""
    numbers = {row[0]: row[1] for row in rows("numbers.tsv")}
    return {int(numbers[call]) for one, _, where, call, *_ in rows("loader_needs.tsv") if (one, where) == (loader, suite)}


NEEDS = needs("runc", "bookworm")   # the target of the policies that are drawn is Debian 12
LATER = 451   # cachestat: the first call of x86_64 that Linux 6.1, the target's, does not have


class FilterOracle:
    def __init__(self, r, read):
        self.r, self.read, self.tried = r, read, 0

    def differs(self, one, two, w):
        words = set()
        a, b = (filters.answer(p, w["arch"], w["number"], w["args"], w["ip"], words) for p in (one, two))
        if w["direction"] == "errno":
            return a != b
        known = {0x7fff, 0x7ffc, 0x7ff0, 0x7fc0, 5, 3, 0x8000, 0}   # an unknown action is the weaker one beside ERRNO
        ours = words.isdisjoint((2, 3))   # where the call is made from is the kernel's to say
        if ours and {a >> 16, b >> 16} <= known and self.tried < (200 if LONG else 10) and w["arch"] == filters.X86_64 and w["number"] not in (317, 335, 336):
            # 335 and 336, uretprobe and uprobe, ask no filter; 317 is the one that loads it
            self.tried += 1
            for program, word in ((one, a), (two, b)):
                got = kernel.attempt(program, w["number"], w["args"])
                wanted = (word & 0xfff if word >> 16 == 5 else 0 if filters.kind(word) == "refused" else kernel.PASSED)
                if got not in (wanted, 0 if wanted == kernel.PASSED and filters.kind(word) == "supervised" else wanted):
                    raise AssertionError(f"the kernel gives {got}, the oracle {word:#x}")
        return filters.kind(a) != filters.kind(b)

    def equal(self, one, two):
        """What runc needs after the filter is on is granted beyond the policy, and no loss: of profiles it is left out. A
        call that the target's kernel does not have can't be lost either."""
        for arch, number, args in filters.universe(one, two, 1000 if LONG else 400):
            if self.read is filters.compiled and arch == filters.X86_64 and number in NEEDS:
                continue
            a, b = (filters.kind(filters.answer(p, arch, number, args)) for p in (one, two))
            if arch == filters.X86_64 and LATER <= number < 512 and a == "runs":   # 512 to 547 are x32's
                continue
            if (a == "runs") != (b == "runs"):
                return f"{arch:#x} {number} {args}: {a}, {b}"
        return None


class PacketOracle:
    def __init__(self, r, form):
        self.r, self.form, self.space, self.known = r, form, packets.Namespace(), {}

    def read(self, data):
        key = hashlib.sha256(data).digest()
        if key not in self.known:
            if len(self.known) > 300:
                self.known.clear()
            self.known[key] = self.space.listing(data, self.form)
        return self.known[key]

    def differs(self, one, two, w):
        p = packets.packet_of(w)
        # where an element may be missing, where the resolver filled what it fills, and as the resolver itself
        filled = [name for rules in (one, two) for _, name in rules.sets if name.startswith("n_")]
        resolver = pwd.getpwnam("dnsmasq").pw_uid
        for one_p in (p, p | {"sets": []}, p | {"sets": filled}, p | {"user": resolver}):
            if one.accepts(one_p) != two.accepts(one_p):
                return True
        return one.forgets != two.forgets   # elements that expire are a loss later

    def equal(self, one, two):
        for p in packets.universe([one, two], self.r, 4000 if LONG else 1500):
            if one.accepts(p) != two.accepts(p):
                return json.dumps(p)
        return None


class PlainOracle:
    def __init__(self, read):
        self.read = read

    @staticmethod
    def differs(one, two, w):
        return one.differs(two, w)

    @staticmethod
    def equal(one, two):
        return one.equal(two)


KINDS = {
    "seccomp-raw": ("seccomp/filter.x86_64.bpf", draw.calls, change.bpf, lambda r: FilterOracle(r, filters.load)),
    "seccomp-json": ("seccomp/profile.json", draw.calls, change.tree, lambda r: FilterOracle(r, filters.compiled)),
    "nft-script": ("nftables/egress.nft", draw.net, change.lines, lambda r: PacketOracle(r, "nft")),
    "nft-json": ("nftables/egress.json", draw.net, change.tree, lambda r: PacketOracle(r, "json")),
    "landlock": ("landlock/ruleset.json", draw.landlock, change.tree, lambda r: PlainOracle(files.Landlock)),
    "dnsmasq": ("dns/dnsmasq.conf", draw.names, change.lines, lambda r: PlainOracle(files.Dnsmasq)),
    "oci": ("oci/config.json", draw.container, change.tree, lambda r: PlainOracle(files.Container)),
    "podman": ("podman/run.args", draw.container, change.arguments, lambda r: PlainOracle(arguments.Podman)),
    "docker": ("docker/run.args", draw.docker, change.arguments, lambda r: PlainOracle(arguments.Docker)),
    "approvals": ("approvals.json", draw.tools, change.tree, lambda r: PlainOracle(advisory.Tools)),
    "alerts": ("alerts.json", draw.alerts, change.tree, lambda r: PlainOracle(advisory.Alerts)),
}


# What the oracle of a kind starts.
PROGRAMS = {"nft-script": ("nft", "unshare", "nsenter"), "nft-json": ("nft", "unshare", "nsenter"), "dnsmasq": ("dnsmasq",)}


def impossible(kind):
    """Why this machine can't judge the kind; None."""
    missing = [program for program in PROGRAMS.get(kind, ()) if not shutil.which(program)]
    if missing:
        return f"`{'`, `'.join(missing)}` not installed"
    if kind.startswith("nft") and os.geteuid() != 0:
        return "nft needs root to read an artifact"
    if kind.startswith("nft"):
        try:
            pwd.getpwnam("dnsmasq")
        except KeyError:
            return "there is no user `dnsmasq`"
    return None


def shortfalls(count, tried):
    """What a run must have done to have tested anything. `tried` on the kernel; None: not a kind of which some are."""
    if not count["refuted"]:
        yield "none was refuted"
    if count["replayed"] < count["refuted"]:
        yield f"{count['refuted']} refuted, and only {count['replayed']} witnesses replayed"
    if tried == 0:
        yield "no witness was tried on the kernel"
    if count["hung"] * 100 > count["refuted"] + count["proved"]:
        yield f"libseccomp did not end with {count['hung']}"


def built(agp, folder, kind, r):
    """Policies with their artifact of this kind, as (file, bytes)."""
    place, family = KINDS[kind][:2]
    out, drawn, examples = [], 0, [ROOT / e for e in EXAMPLES] if LONG else []
    while len(out) < POLICIES and drawn < 40 * POLICIES:
        name = f"m{drawn}"
        policy = folder / f"{kind}-{name}.agp"
        if examples:
            policy.write_text(examples.pop().read_text())
        else:
            policy.write_text(family(r, name))
        drawn += 1
        done = subprocess.run([agp, "build", "-q", "--no-verify", policy, "-o", folder / "out" / f"{kind}-{name}"],
                              capture_output=True, check=False)
        artifact = folder / "out" / f"{kind}-{name}" / place
        if done.returncode not in (0, 3) or not artifact.exists():
            continue
        if artifact.read_bytes().count(b'"index"') > MOST and kind == "seccomp-json":
            continue
        out.append((policy, artifact.read_bytes()))
    return out


class Run:
    def __init__(self, agp, verdicts, folder, kind, seed):
        self.kind, self.r, self.folder = kind, random.Random(f"{seed} {kind}"), folder
        self.place, _, self.mutate, oracle = KINDS[kind]
        self.oracle, self.verifier = oracle(self.r), Verifier(verdicts)
        self.policies = built(agp, folder, kind, self.r)
        self.count, self.faults, self.values, self.kept = collections.Counter(), [], 0, None
        self.pools = [self.pool(data) for _, data in self.policies]

    def pool(self, data):
        if self.mutate is change.bpf:
            return None
        if self.mutate is change.tree:
            return change.texts(json.loads(data))
        return change.parts(data) if self.mutate is change.arguments else change.words(data)

    def close(self):
        self.verifier.child.kill()
        self.verifier.child.wait()
        if isinstance(self.oracle, PacketOracle):
            self.oracle.space.close()

    def fault(self, what, policy, data):
        if not self.kept:
            self.kept = pathlib.Path(tempfile.mkdtemp(prefix=f"agp-mutant-{self.kind}-"))
        kept = self.kept / str(len(self.faults))
        kept.write_bytes(data)
        kept.with_suffix(".agp").write_bytes(policy.read_bytes())
        self.faults.append(f"{self.kind}: {what}\n  {kept}")

    def itself(self, policy, data):
        """The artifact as it was built is proved, and the oracle reads it: else its mutants show nothing."""
        file = self.folder / "mutant"
        file.write_bytes(data)
        got = self.verifier.ask(policy, self.place, file)
        if got["problems"] or any(o["verdict"] != "proved" for o in got["obligations"]):
            self.fault(f"the artifact itself: {json.dumps(got)[:600]}", policy, data)
        try:
            one = self.oracle.read(data)
            if said := hasattr(one, "refusal") and one.refusal(file):
                self.fault(f"its loader does not take the artifact itself: {said}", policy, data)
        except (Refused, KeyError, TypeError) as e:
            self.fault(f"the oracle does not read the artifact itself: {e!r}", policy, data)

    def one(self, policy, original, data):
        file = self.folder / "mutant"
        file.write_bytes(data)
        got = self.verifier.ask(policy, self.place, file)
        verdicts = collections.Counter(o["verdict"] for o in got["obligations"])
        if got["problems"]:
            self.count["refused"] += 1
            return
        if any("the rules name the user" in o.get("reason", "") for o in got["obligations"]):
            self.count["refused"] += 1   # a number that only the machine knows
            return
        if not verdicts or verdicts["unknown"]:
            self.fault(f"neither proved nor refuted: {got}", policy, data)
            return
        one = self.oracle.read(original)
        try:
            two = self.oracle.read(data)
            replayed = 0
            for o in got["obligations"]:
                if "witness" in o:
                    w = o["witness"] | {"direction": o["direction"], "artifact": o["artifact"]}
                    if not self.oracle.differs(one, two, w):
                        self.fault(f"the witness shows no difference: {w}", policy, data)
                    replayed += 1
            if not verdicts["refuted"]:
                difference = self.oracle.equal(one, two) or (hasattr(two, "refusal") and two.refusal(file))
                if difference:
                    self.fault(f"proved, and differs: {difference[:600]}", policy, data)
        except (Refused, KeyError, TypeError) as e:   # the two others: a listing with something that no rule of agp's has
            self.count["not loadable"] += 1
            self.count["hung"] += isinstance(e, filters.Hung)
            if not isinstance(e, Refused) and not isinstance(self.oracle, PacketOracle):
                raise
            return
        self.count["replayed"] += replayed
        self.count["refuted" if verdicts["refuted"] else "proved"] += 1

    def all(self):
        if len(self.policies) < min(POLICIES, 40):
            self.faults.append(f"{self.kind}: only {len(self.policies)} policies")
            return
        for policy, data in self.policies:
            self.itself(policy, data)
        if self.faults:
            return
        seen, tries = set(), 0
        while self.count["refuted"] + self.count["proved"] < COUNT and tries < 50 * COUNT and len(self.faults) < 20:
            tries += 1
            n = self.r.randrange(len(self.policies))
            policy, original = self.policies[n]
            try:
                data, value = self.mutate(self.r, original, self.pools[n])
            except (ValueError, OverflowError):
                continue
            key = hashlib.sha256(data).digest()
            if key in seen or data == original:
                continue
            seen.add(key)
            self.values += value
            self.one(policy, original, data)
        self.faults += [f"{self.kind}: {what}" for what in shortfalls(self.count, getattr(self.oracle, "tried", None))]
        judged = self.count["refuted"] + self.count["proved"]
        if judged < COUNT or self.values * 4 < len(seen):
            self.faults.append(f"{self.kind}: {judged} mutants judged of {len(seen)}, {self.values} of one value")
        c = self.count
        print(f"result: {self.kind}: {len(seen)} mutants of {len(self.policies)} policies ({self.values} differ in one "
              f"value): {c['refuted']} refuted ({c['replayed']} witnesses replayed"
              + (f", {self.oracle.tried} on the kernel" if hasattr(self.oracle, "tried") else "") +
              f"), {c['proved']} proved and equal; beside them {c['refused']} refused by the decoder and {c['not loadable']} not "
              f"taken by the loader; {len(self.faults)} wrong", flush=True)


def judged(agp, verdicts, folder, kind, seed):
    """What is wrong with the kind, as texts."""
    try:
        run = Run(agp, verdicts, folder, kind, seed)
    except packets.Unusable as e:
        return [f"{kind}: {e}"]
    try:
        run.all()
    except packets.Unusable as e:
        run.faults.append(f"{kind}: {e}")
    finally:
        run.close()
    return run.faults


def main():
    agp, verdicts, *kinds = sys.argv[1:]
    seed = os.environ.get("AGP_SEED", "7")
    print(f"seed: {seed}")
    faults, passed, failed, skipped = [], 0, 0, 0
    for kind in kinds or KINDS:
        if why := impossible(kind):
            print(f"skipped {kind}: {why}")
            skipped += 1
            continue
        with tempfile.TemporaryDirectory(prefix="agp-mutants-") as name:
            folder = pathlib.Path(name)
            (folder / "agp.toml").write_text("")
            if kind in ("podman", "docker"):
                record = subprocess.run([agp, "targets", "debian-12"], capture_output=True, text=True, check=True).stdout
                (folder / "target.json").write_text(json.dumps(json.loads(record) | {"name": f"with-{kind}", "stack": kind}))
                (folder / "agp.toml").write_text('target = "target.json"\n')
            (folder / "out").mkdir()
            found = judged(agp, verdicts, folder, kind, seed)
            faults += found
            passed, failed = (passed, failed + 1) if found else (passed + 1, failed)
    for fault in faults:
        print(fault)
    print(f"mutants: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0 if passed else 77)


if __name__ == "__main__":
    main()
