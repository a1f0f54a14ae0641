"""Files that mounts and Landlock decide together, and tool calls: what agp proves or refutes of a changed artifact, the
script proves or refutes too."""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

from layers_test import ENFORCED, Changes
from support import AGP, reachable, run, script

from certificate import paths, settings, tools
from certificate.formulas import Refuted, Unusable

CONFIG, MOUNTS, RULESET = "oci/config.json", "oci/config.json#/mounts", "landlock/ruleset.json"


class Together(Changes):
    """In the stack `oci+landlock` either layer closes what is too much, and each can lose."""
    POLICY = """agp 1

policy both {
  syscall { allow read, openat, exit_group, execve, connect, socket(domain == AF_INET) }
  file {
    allow read "/srv/data/**"
    allow read, write "/workspace/**"
    deny write "/workspace/keep/**"
    allow read, exec "/usr/bin/true"
  }
  run { command "/usr/bin/true" user 1000:1000 rootfs "/" mount tmpfs at "/workspace" writable size 16 MiB }
  accept narrower write "/workspace/keep/**" because "it stays where it is"
}
"""

    @classmethod
    def setUpClass(cls):
        cls.target = pathlib.Path(tempfile.mkdtemp()) / "target.json"
        cls.target.write_text(json.dumps({**json.loads(run(AGP, "targets", "linux-6.18").stdout), "name": "both", "stack": "oci+landlock"}))
        cls.addClassCleanup(shutil.rmtree, cls.target.parent)
        cls.WORDS = ("--target", cls.target)
        super().setUpClass()

    def rows_of_files(self, certificate):
        index = json.loads((certificate / "certificate.json").read_text())
        return {(o["kind"], o["direction"]): o for o in index["obligations"] if o["about"] == "file access" and o["kind"] != "settings"}

    def agp_says(self, config, ruleset):
        built, _ = self.copies()
        (built / CONFIG).write_text(config)
        (built / RULESET).write_text(ruleset)
        done = run(AGP, "verify", self.policy, built, "--target", self.target, "--no-config", "--format", "json")
        rows = [o for o in json.loads(done.stdout)["obligations"] if o["artifact"] in (MOUNTS, RULESET) and "file action" in o["statement"]]
        wrong = {("files", o["direction"]) if o["direction"] == "no excess" else (o["artifact"], o["direction"]) for o in rows if o["verdict"] != "proved"}
        return wrong if rows else None

    def script_says(self, config, ruleset):
        policy, out = self.policy_json(), set()
        try:
            layers = {"files": script.LAYERS["files"](None, [config.encode(), ruleset.encode()], policy),
                      MOUNTS: script.LAYERS["mounts"]({"artifact": MOUNTS}, [config.encode()], policy), RULESET: script.LAYERS["paths"](None, [ruleset.encode()], policy)}
        except Unusable:
            return None
        for name, demanded in (("files", False), (MOUNTS, True), (RULESET, True)):
            check = paths.Check(layers[name], policy, demanded)
            try:
                paths.inductive(layers[name], policy, demanded, reachable(check, lambda text, c: text + c))
            except Refuted:
                out.add((name, ENFORCED[demanded]))
        return out

    def test_whole(self):
        rows = self.rows_of_files(self.certificate)
        self.assertEqual(set(rows), {("files", "no excess"), ("mounts", "no loss"), ("paths", "no loss")}, self.said)
        self.assertNotIn("file action", self.said)
        done = self.check(self.certificate, self.built)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_agreement(self):
        config, ruleset = ((self.built / name).read_text() for name in (CONFIG, RULESET))
        self.assertEqual(self.script_says(config, ruleset), set())

        def mount(target, step):
            document = json.loads(config)
            step(next(m for m in document["mounts"] if m["destination"] == target))
            return json.dumps(document)

        def more_mounts(*added):
            document = json.loads(config)
            document["mounts"] += added
            return json.dumps(document)

        def rules(step):
            document = json.loads(ruleset)
            step(document["pathBeneath"])
            return json.dumps(document)

        def rule(path, rights):
            return lambda listed: listed.append({"allowedAccess": rights, "parent": [path]})

        writable = mount("/srv/data", lambda m: m["options"].__setitem__(m["options"].index("ro"), "rw"))
        var = {"destination": "/var", "type": "bind", "source": "/var", "options": ["bind", "ro", "nosuid", "nodev", "noexec"]}
        for name, (changed, other, wrong) in {
                "writable for the mounts alone": (writable, ruleset, set()),
                "writable for the rules alone": (config, rules(rule("/srv/data/", ["write_file", "truncate"])), set()),
                "writable for both": (writable, rules(rule("/srv/data/", ["write_file", "truncate"])), {("files", "no excess")}),
                "visible, and no rule": (more_mounts(var), ruleset, set()),
                "a rule, and not visible": (config, rules(rule("/var/", ["read_file", "read_dir"])), set()),
                "visible, with a rule": (more_mounts(var), rules(rule("/var/", ["read_file", "read_dir"])), {("files", "no excess")}),
                "the rules on data gone": (config, rules(lambda listed: listed.remove(next(r for r in listed if "/srv/data/" in r["parent"]))), {(RULESET, "no loss")}),
                "no executing": (mount("/usr/bin/true", lambda m: m["options"].append("noexec")), ruleset, {(MOUNTS, "no loss")}),
                "the whole root": (config, rules(rule("/", ["make_reg", "remove_file"])), set()),
        }.items():
            with self.subTest(name):
                self.assertEqual((self.agp_says(changed, other), self.script_says(changed, other)), (wrong, wrong))

    def test_starter(self):
        """The launcher and its rules are the stack's own, and not files of the host at the same places."""
        config = (self.built / CONFIG).read_text()
        for before, after in (('"source": "ruleset.json"', '"source": "/.agp/ruleset.json"'), ('"source": "landlock-launch"', '"source": "ruleset.json"'),
                              ('"source": "ruleset.json"', '"source": "empty-file"'), ('"maskedPaths": [', '"maskedPaths": [\n      "/.agp/ruleset.json",')):
            with self.subTest(after):
                self.assertIn(before, config)
                built, certificate = self.copies()
                (built / CONFIG).write_text(config.replace(before, after))
                done = run(AGP, "verify", self.policy, built, "--target", self.target, "--no-config", "--format", "json")
                wrong = {(o["artifact"], o["direction"]) for o in json.loads(done.stdout)["obligations"] if o["verdict"] == "refuted"}
                self.assertLessEqual({(f"{CONFIG}#/process", d) for d in ENFORCED}, wrong, done.stdout)
                self.refresh(certificate, built)
                self.assert_refuted(certificate, built, "`starter` is", only=[f"{CONFIG}#/process"])

    def test_told(self):
        """No row may be gone, and no other stack loads both."""
        for kind, what in ((("files", "no excess"), "no excess"), (("mounts", "no loss"), MOUNTS), (("paths", "no loss"), f"{RULESET}: no loss")):
            with self.subTest(kind):
                built, certificate = self.copies()
                self.forget(certificate, [self.rows_of_files(certificate)[kind]])
                self.assert_refuted(certificate, built, f"{what} is neither stated nor listed")
        built, certificate = self.copies()
        policy = json.loads((certificate / "policy.json").read_text())
        policy["target"]["stack"] = "oci"
        (certificate / "policy.json").write_text(json.dumps(policy))
        self.refresh(certificate, built)
        row = self.rows_of_files(certificate)["files", "no excess"]
        self.assertNotEqual(self.check(certificate, built).returncode, 0)
        with self.assertRaisesRegex(Refuted, "does not load both"):
            script.LAYERS[row["kind"]](row, [(built / CONFIG).read_bytes(), (built / RULESET).read_bytes()], policy)
        # one layer of two can't be left out by calling it by another kind
        built, certificate = self.copies()
        self.change(certificate, lambda index: [o.update(kind="paths") for o in index["obligations"] if o["kind"] == "files"])
        self.assertNotEqual(self.check(certificate, built).returncode, 0)
        # another ruleset beside the configuration that the row names
        built, certificate = self.copies()
        (built / RULESET).write_text((built / RULESET).read_text() + "\n")
        self.assert_refuted(certificate, built, "landlock/ruleset.json is not what the certificate is about")


class Nothing(Changes):
    """Where no rule permits anything the control is a layer that refuses nothing."""
    POLICY = """agp 1

policy nothing {
  syscall { allow read, exit_group, execve }
  run { command "/usr/bin/true" user 1000:1000 }
}
"""

    def test_control(self):
        row = self.obligation(self.certificate, MOUNTS, "no excess")
        self.assertEqual(row["control"]["demanded"], "EVERYTHING", self.said)
        self.assert_holds(MOUNTS)
        built, certificate = self.copies()
        self.change(certificate, lambda i: next(o for o in i["obligations"] if o["file"] == row["file"])["control"].update(demanded="NOTHING"))
        self.assert_refuted(certificate, built, "demands what no layer of files could be", only=[MOUNTS])


class Tools(Changes):
    POLICY = """agp 1

policy calls {
  syscall { allow read, exit_group, execve }
  tool {
    allow "files.*" except "files.delete"
    allow "search" until 2999-01-01
    ask "pay.*" risk high because "money moves"
    ask "pay.small" risk low because "little money moves"
    ask "mail.send" because "somebody reads it"
    deny "files.secret.*"
    allow "a?b\\*"
  }
  run { command "/usr/bin/true" user 1000:1000 }
  accept unenforced tool because "the gateway reads approvals.json"
}
"""
    PLACE = "approvals.json"

    def script_says(self, text):
        policy, out = self.policy_json(), set()
        try:
            document = script.strict_json(text.encode(), "the file")
            for direction in ENFORCED:
                check = tools.Check(tools.of_file(document), policy, direction == "no loss")
                try:
                    tools.inductive(document, policy, direction == "no loss", reachable(check, lambda text, c: text + c))
                except Refuted:
                    out.add((self.PLACE, direction))
        except (Unusable, ValueError, KeyError):
            return None
        return out

    def test_agreement(self):
        text = (self.built / self.PLACE).read_text()
        self.assertEqual(self.script_says(text), set())
        self.assertEqual([(o["kind"], o["direction"]) for o in self.rows(self.PLACE)], [("tools", d) for d in ENFORCED], self.said)
        self.assert_holds(self.PLACE)
        document = json.loads(text)

        def changed(step):
            other = json.loads(text)
            step(other["rules"])
            return json.dumps(other)

        def one(listed, name):
            return next(r for r in listed if name in r["tools"])

        def on(name, **values):
            return changed(lambda listed: one(listed, name).update(values))

        for name, (other, wrong) in {
                "the rules in another order": (changed(lambda listed: listed.reverse()), ""),
                "a rule more": (changed(lambda listed: listed.append({"rule": "x", "effect": "allow", "tools": ["x"]})), "excess"),
                "a rule less": (changed(lambda listed: listed.remove(one(listed, "mail.send"))), "loss"),
                "without its exception": (changed(lambda listed: one(listed, "files.*").pop("except")), "excess"),
                "an exception more": (on("files.*", **{"except": ["files.delete", "files.read"]}), "loss"),
                "without the refusal": (changed(lambda listed: listed.remove(one(listed, "files.secret.*"))), "excess"),
                "a shorter refusal": (on("files.secret.*", tools=["files.s*"]), "loss"),
                "a lower risk": (on("pay.*", risk="low"), "excess"),
                "a higher risk": (on("pay.small", risk="high"), ""),              # asked about at high risk anyway
                "a risk where there is none": (on("mail.send", risk="low"), "loss"),
                "for longer": (on("search", until="2999-01-02"), "excess"),
                "for ever": (changed(lambda listed: one(listed, "search").pop("until")), "excess"),
                "not as long": (on("search", until="2998-12-31"), "loss"),
                "over already": (changed(lambda listed: listed.append({"rule": "x", "effect": "allow", "tools": ["x"], "until": "2001-01-01"})), ""),
                "any character": (on("a?b\\*", tools=["a?b?"]), "excess"),
                "no wildcard": (on("a?b\\*", tools=["a\\?b\\*"]), "loss"),
                "as many characters": (on("files.*", tools=["files.?*", "files."]), ""),
                "asked instead": (on("search", effect="ask"), "loss"),
                "allowed instead": (on("mail.send", effect="allow"), "excess"),
                "the empty text, which is no name": (changed(lambda listed: listed.append({"rule": "x", "effect": "allow", "tools": [""]})), None),
                "a date that is none": (on("search", until="2999-02-30"), None),
                "a date by its week": (on("search", until="2999-W01-1"), None),
                "another key": (on("search", arguments=["x"]), None),
                "another default": (json.dumps({**document, "default": "allow"}), None),
                "another order of precedence": (json.dumps({**document, "precedence": ["allow", "ask", "deny"]}), None),
                "a key twice": (text.replace('"default": "deny"', '"default": "deny", "default": "deny"'), None),
        }.items():
            with self.subTest(name):
                expected = None if wrong is None else {(self.PLACE, f"no {one}") for one in wrong.split()}
                self.assertEqual((self.agp_says(self.policy, self.PLACE, other), self.script_says(other)), (expected, expected))

    def test_controls(self):
        built, certificate = self.copies()
        one = self.obligation(certificate, self.PLACE, "no excess")
        document = json.loads((certificate / one["file"]).read_text())
        document["states"].remove("files.")
        (certificate / one["file"]).write_text(json.dumps(document))
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, "no excess: the set of states is not closed", only=[self.PLACE])
        # a rule whose absence nobody notices is no control: what it permits is asked about anyway
        built, certificate = self.copies()
        small = next(i for i, rule in enumerate(self.policy_json()["rules"]) if "pay.small" in rule["patterns"])
        self.change(certificate, lambda index: [o["control"].update(removed={"rule": small, "id": "x", "text": "x"})
                                                for o in index["obligations"] if o["artifact"] == self.PLACE and o["direction"] == "no excess"])
        self.assert_refuted(certificate, built, "no excess: the control is not violated", only=[self.PLACE])
        for gone in ENFORCED:
            built, certificate = self.copies()
            self.forget(certificate, [self.obligation(certificate, self.PLACE, gone)])
            self.assert_refuted(certificate, built, f"{self.PLACE}: {gone} is neither stated nor listed")


class Alerts(Changes):
    POLICY = """agp 1

policy raised {
  syscall { allow read, exit_group, execve, connect, socket(domain == AF_INET) deny ptrace kill }
  file { allow read "/workspace/**" }
  net {
    allow connect tcp "api.example.com":443
    deny connect tcp 192.0.2.0/24:* as "inner"
    resolver 10.0.0.53
  }
  run { command "/usr/bin/true" user 1000:1000 mount tmpfs at "/workspace" writable size 16 MiB }
  on deny { log alert P1 for write, connect alert P3 for syscall, net }
}
"""
    PLACE = "alerts.json"

    def script_says(self, text):
        policy = self.policy_json()
        try:
            return {(self.PLACE, direction) for direction in ENFORCED
                    if settings.differs(*settings.SECTIONS[self.PLACE](text.encode(), policy, direction == "no loss"))}
        except (Unusable, KeyError):
            return None

    def test_agreement(self):
        text = (self.built / self.PLACE).read_text()
        self.assertEqual(self.script_says(text), set())
        self.assertEqual([(o["kind"], o["direction"]) for o in self.rows(self.PLACE)], [("settings", d) for d in ENFORCED], self.said)
        self.assertNotIn("alerts.json", self.said)
        self.assert_holds(self.PLACE)

        def changed(step):
            document = json.loads(text)
            step(document)
            return json.dumps(document)

        def in_alert(severity, step):
            return changed(lambda d: step(next(a for a in d["alerts"] if a["severity"] == severity)))

        def match(one, on, **values):
            next(m for m in one["matches"] if m["on"] == on and set(values) <= {*m, "verb"}).update({"on" if k == "verb" else k: v for k, v in values.items()})

        for name, (other, wrong) in {
                "no log": (changed(lambda d: d.pop("log")), "excess loss"),  # and what is not reported is not named
                "an alert more": (changed(lambda d: d["alerts"].append({"severity": "P2", "on": ["net"], "matches": [], "unreported": []})), "excess"),
                "an alert less": (changed(lambda d: d["alerts"].pop()), "excess loss"),
                "another severity": (in_alert("P1", lambda a: a.update(severity="P2")), "excess loss"),
                "a line less": (in_alert("P1", lambda a: a["matches"].pop()), "loss"),
                "no lines": (in_alert("P1", lambda a: a["matches"].clear()), "loss"),
                "another rule's lines": (in_alert("P1", lambda a: match(a, "connect", prefix="agp P=raised R=other ")), "excess loss"),
                "packets in": (in_alert("P1", lambda a: match(a, "connect", direction="in")), "excess loss"),
                "another record": (in_alert("P3", lambda a: match(a, "syscall", type=1327)), "excess loss"),
                "another expression": (in_alert("P3", lambda a: match(a, "net", regex="NXDOMAIN")), "excess loss"),
                "of another verb": (in_alert("P3", lambda a: match(a, "net", verb="connect")), "excess loss"),
                "of a verb that is listed": (in_alert("P1", lambda a: match(a, "connect", verb="write")), "excess loss"),
                "a word more": (in_alert("P1", lambda a: a["on"].append("read")), "excess"),
                "a word less": (in_alert("P3", lambda a: a["on"].remove("syscall")), "excess"),
                "nothing said of what is not reported": (in_alert("P1", lambda a: a["unreported"].clear()), "excess"),
                "said to be reported in part": (in_alert("P1", lambda a: [g.update(all=False) for g in a["unreported"]]), "excess"),
                "said not to be reported at all": (in_alert("P1", lambda a: [g.update(all=True) for g in a["unreported"]]), "loss"),
                "another reason": (in_alert("P1", lambda a: [g.update(reason="x") for g in a["unreported"]]), ""),
                "a key more": (changed(lambda d: d.update(x=1)), None),
                "a layer that reports nothing": (in_alert("P1", lambda a: a["matches"][0].update(layer="mounts")), None),
        }.items():
            with self.subTest(name):
                expected = None if wrong is None else {(self.PLACE, f"no {one}") for one in wrong.split()}
                self.assertEqual((self.agp_says(self.policy, self.PLACE, other), self.script_says(other)), (expected, expected))

    def test_control(self):
        built, certificate = self.copies()
        self.change(certificate, lambda index: [o["control"]["instead"].update(value=o["control"]["instead"]["value"][:-1] if o["control"]["instead"]["side"] == "artifact" else ["has", []])
                                                for o in index["obligations"] if o["artifact"] == self.PLACE])
        self.assert_refuted(certificate, built, "the control is not violated", only=[self.PLACE])


class Audited(Changes):
    """Files can't be audited. What a ruleset refuses of sockets is refused, whoever reports the rest."""
    POLICY = """agp 1

policy watched {
  isolation process
  mode audit for net, syscall
  syscall { allow read, openat, exit_group, execve, connect, socket(domain == AF_INET) }
  net { allow connect tcp 10.0.1.50:443 }
  file { allow read "/srv/data/**" allow read, exec "/usr/bin/true" }
  run { command "/usr/bin/true" user 1000:1000 cgroup "/agents/watched" }
}
"""
    PLACE, WORDS = RULESET, ("--target", "linux-6.18")

    def test_sockets(self):
        self.assertNotIn("not certified", self.said)
        self.assertEqual([(o["kind"], o["direction"]) for o in self.rows(self.PLACE) if o["about"] == "connection"], [("settings", "audit: permits all")])
        done = self.check(self.certificate, self.built)
        self.assertEqual(done.returncode, 0, done.stdout)
        built, certificate = self.copies()
        document = json.loads((built / self.PLACE).read_text())
        document["ruleset"][0]["scoped"] = ["abstract_unix_socket"]
        (built / self.PLACE).write_text(json.dumps(document))
        done = run(AGP, "verify", self.policy, built, *self.WORDS, "--no-config")
        self.assertIn("AGP5090", done.stdout + done.stderr)
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, f"{self.PLACE}: audit: permits all", "`abstract sockets of others` is 'refused'")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=0)
