"""What the tests of certificates share: building, verifying, and changing what was written."""
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

AGP, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
CHECK = ROOT / "tools/check-certificate"
ENFORCED = ("no excess", "no loss")
sys.dont_write_bytecode = True
os.environ.pop("SOURCE_DATE_EPOCH", None)
# The script, as a module: what it says of bytes is asked within this process, where no file is to be looked for.
loader = importlib.machinery.SourceFileLoader("check_certificate", str(CHECK))
script = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_certificate", loader))
sys.path.insert(0, str(CHECK.parent))
loader.exec_module(script)
from certificate import paths, settings  # noqa: E402
from certificate.formulas import Refuted, Unusable  # noqa: E402


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, check=False, **options)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Certified(unittest.TestCase):
    """Of a class: `built`, artifacts, and `certificate`, about them."""
    said = ""  # by the last `make`, on standard error

    @classmethod
    def setUpClass(cls):
        cls.top = pathlib.Path(tempfile.mkdtemp(prefix="agp-certificate-"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    @classmethod
    def make(cls, policy, name, *words, emit=None, single=()):
        """`single`: options of verify with the artifact that each takes, instead of the whole directory."""
        built, certificate = cls.top / f"{name}.built", cls.top / f"{name}.certificate"
        shutil.rmtree(built, ignore_errors=True)
        done = run(AGP, "build", "-q", policy, "-o", built, "--no-config", *words, *(("--emit", emit) if emit else ()))
        assert done.returncode == 0, done.stderr
        given = [word for option in single for word in (option, built / single[option])] or [built]
        done = run(AGP, "verify", policy, *given, "--certificate", certificate, "--no-config", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.said = done.stderr
        if single:                                                               # no directory holds more than the certificate is about
            for place in (place for pattern in script.LOADED for place in built.glob(pattern)):
                if place.relative_to(built).as_posix() not in single.values():
                    place.unlink()
        return built, certificate

    def copies(self):
        here = pathlib.Path(tempfile.mkdtemp(dir=self.top))
        shutil.copytree(self.built, here / "built")
        shutil.copytree(self.certificate, here / "certificate")
        return here / "built", here / "certificate"

    def check(self, certificate, built, *words, **options):
        """Artifacts that were read one by one are where they were: only a command line may say so."""
        if "--artifact" not in words:
            try:
                listed = [a["path"] for a in json.loads((certificate / "certificate.json").read_text())["artifacts"]]
                words += tuple(word for path in listed if path.startswith("/") for word in ("--artifact", f"{path}={path}"))
            except (ValueError, TypeError, RecursionError):
                pass                                                             # an index that is none
        return run("/usr/bin/python3", CHECK, certificate, built, *words, **options)

    def change(self, certificate, step):
        index = json.loads((certificate / "certificate.json").read_text())
        step(index)
        (certificate / "certificate.json").write_text(json.dumps(index))
        return index

    def refresh(self, certificate, built, *moved):
        """As somebody does who can write every file: all digests are right again. `moved`: artifacts that are no longer
        where they were read."""
        def step(index):
            index["policy"]["sha256"] = sha256(certificate / "policy.json")
            for artifact in index["artifacts"]:
                if artifact["artifact"] in moved:
                    artifact["path"] = artifact["artifact"]
                artifact["sha256"] = sha256(built / artifact["path"])
            for one in index["obligations"]:
                one["sha256"] = sha256(certificate / one["file"])
                if "file" in one["control"]:
                    one["control"]["sha256"] = sha256(certificate / one["control"]["file"])
        self.change(certificate, step)

    def obligation(self, certificate, artifact, direction):
        index = json.loads((certificate / "certificate.json").read_text())
        return next(o for o in index["obligations"] if (o["artifact"], o["direction"]) == (artifact, direction))

    def forget(self, certificate, rows):
        """The index and the directory without these obligations."""
        files = {one["file"] for one in rows}
        controls = {one["control"]["file"] for one in rows if "file" in one["control"]}
        for name in files | controls:
            (certificate / name).unlink()

        def step(index):
            index["obligations"] = [o for o in index["obligations"] if o["file"] not in files]
            index["files"] = [f for f in index["files"] if f not in files | controls]
        self.change(certificate, step)

    def assert_refuted(self, certificate, built, *texts, only=()):
        done = self.check(certificate, built, *(word for one in only for word in ("--only", one)))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stdout)


class Changes(Certified):
    """`self.built` is what agp made of `policy`; an artifact is changed by replacing one text by another."""

    POLICY, WORDS = "", ()                                                       # what `self.built` is made of, and by which options

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.POLICY:
            cls.policy = cls.top / "policy.agp"
            cls.policy.write_text(cls.POLICY)
            cls.built, cls.certificate = cls.make(cls.policy, "policy", *cls.WORDS)

    def changed(self, artifact, before, after):
        text = (self.built / artifact).read_text()
        self.assertIn(before, text)
        return text.replace(before, after)

    def agp_says(self, policy, artifact, text, sections=None):
        """The directions of each section that agp refutes, or None where it does not read them."""
        built, _ = self.copies()
        (built / artifact).write_text(text)
        done = run(AGP, "verify", policy, built, "--no-config", "--format", "json")
        rows = [o for o in json.loads(done.stdout)["obligations"] if o["artifact"] in (sections or [artifact])]
        return {(o["artifact"], o["direction"]) for o in rows if o["verdict"] != "proved"} if rows else None

    def policy_json(self):
        return json.loads((self.certificate / "policy.json").read_text())

    def assert_holds(self, *artifacts):
        done = self.check(self.certificate, self.built, *(word for one in artifacts for word in ("--only", one)))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def rows(self, artifact):
        index = json.loads((self.certificate / "certificate.json").read_text())
        return [o for o in index["obligations"] if o["artifact"] == artifact]


class Containers(Changes):
    """Of a class: `place`, the file of a container, `policy`, and `text`, what the file says."""

    @classmethod
    def prepare(cls, stack):
        record = json.loads(run(AGP, "targets", "linux-6.18").stdout)
        cls.target = cls.top / "target.json"
        cls.target.write_text(json.dumps({**record, "name": "here", "stack": stack}))
        cls.built, cls.certificate = cls.make(cls.policy, "container", "--target", cls.target)
        cls.text = (cls.built / cls.place).read_text()
        cls.rules = json.loads((cls.certificate / "policy.json").read_text())
        cls.decided = {}
        cls.alone = cls.top / "alone"                                            # and nothing else to verify
        (cls.alone / cls.place).parent.mkdir(parents=True)

    def agp_verifies(self, text):
        (self.alone / self.place).write_text(text)
        return run(AGP, "verify", self.policy, self.alone, "--target", self.target, "--no-config", "--format", "json")

    def agp_says(self, text):
        """The sections and directions that agp refutes, or None where it does not read the file."""
        rows = [o for o in json.loads(self.agp_verifies(text).stdout)["obligations"] if script.file_of(o["artifact"]) == self.place]
        return {(o["artifact"].partition(" (")[2].rstrip(")"), o["direction"]) for o in rows if o["verdict"] != "proved"} if rows else None

    def script_says(self, text):
        content, out = text.encode(), set()
        try:
            for word in settings.OF_CONTAINERS:
                section = settings.section(self.place, word)
                for direction in settings.directions(section, self.rules):
                    if settings.differs(*settings.SECTIONS[section](content, self.rules, direction == "no loss")):
                        out.add((word, direction))
            tree = settings.tree(self.place, content, self.rules)
        except Unusable:
            return None
        for direction in ENFORCED:
            demanded = direction == "no loss"
            if settings.differs(*settings.SECTIONS[f"{self.place} (sources)"](content, self.rules, demanded)):
                out.add(("sources", direction))
            if self.files_differ(tree, demanded):
                out.add(("", direction))
        return out

    def files_differ(self, tree, demanded):
        """Asked once of all files whose mounts leave the same rights: most changes are about something else."""
        key = (demanded, repr([(base, *map(sorted, tree.cells[base])) for base in tree.nodes]))
        if key not in self.decided:
            try:
                paths.inductive([tree], self.rules, demanded, reachable(paths.Check([tree], self.rules, demanded), lambda text, c: text + c))
                self.decided[key] = False
            except Refuted:
                self.decided[key] = True
        return self.decided[key]

    def assert_same(self, text):
        """Where agp refutes or refuses, the script may refuse: it knows less."""
        by_agp, by_script = self.agp_says(text), self.script_says(text)
        if by_script is None:
            self.assertNotEqual(by_agp, set())
        else:
            self.assertEqual(by_agp, by_script)
        return by_script


def reachable(check, longer):
    """A text for each state that reading leads to; `longer` adds a character where the check reads on."""
    found, work = {check.start: ""}, [check.start]
    while work:
        state = work.pop()
        for c in check.telling(state):
            following = check.step(state, c)
            if following and following not in found:
                found[following] = longer(found[state], c)
                work.append(following)
    return list(found.values())
