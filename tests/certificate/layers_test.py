"""Names, settings and packets in certificates: what agp proves or refutes of a changed artifact, the script proves or
refutes too. Both are asked about every change; the script within this process, where a change is about one artifact."""
import json
import sys
import unittest

from support import AGP, ENFORCED, Changes, reachable, run, script

from certificate import names, settings
from certificate.formulas import Refuted, Unusable


class Names(Changes):
    POLICY = """agp 1

policy names {
  syscall { allow read, exit_group, execve, connect, sendto, socket(domain == AF_INET) }
  net {
    allow connect tcp "api.example.com":443
    allow connect tcp "*.cdn.example.com":[80, 443] within 198.51.100.0/24
    allow connect udp time.example.org:123
    allow connect tcp "*.example.net":443 except "bad.example.net":443
    deny connect tcp "evil.cdn.example.com":*
    allow connect tcp 192.0.2.1:443
    resolver 10.0.0.53, 10.0.0.54
  }
  run { command "/usr/bin/true" user 1000:1000 }
  accept unenforced connect tcp evil.cdn.example.com:* because "its addresses are those of the others"
}
"""

    def script_says(self, text):
        """As `agp_says`, in every state that there is: those of the certificate are of another artifact."""
        policy, out = self.policy_json(), set()
        try:
            resolver = names.Resolver(text.encode())
        except Unusable:
            return None
        for direction in ENFORCED:
            check = names.Check(resolver, policy, direction == "no loss")
            try:
                names.inductive(resolver, policy, direction == "no loss", reachable(check, lambda text, c: c + text))
            except Refuted:
                out.add(("dns/dnsmasq.conf", direction))
        return out

    def test_agreement(self):
        place = "dns/dnsmasq.conf"
        text = (self.built / place).read_text()
        self.assertEqual(self.script_says(text), set())
        self.assertEqual([(o["kind"], o["direction"]) for o in self.rows(place)], [("names", d) for d in ENFORCED], self.said)
        self.assert_holds(place, "dns/resolv.conf")
        sets = next(line for line in text.splitlines() if line.startswith("nftset=/api.example.com/"))
        api = "server=/api.example.com/10.0.0.53\n"
        changes = {
            # forwarded, or to whom, or not
            "a name more": (api, api + "server=/www.example.com/10.0.0.53\n", "excess"),
            "a name less": (api + "server=/api.example.com/10.0.0.54\n", "", "loss"),
            "the names beneath": ("local=/*.api.example.com/\n", "", "excess"),
            "the name above": ("local=/cdn.example.com/\n", "", ""),
            "a whole domain": (api, api + "server=/com/10.0.0.53\n", "excess"),
            "another server": (api, "server=/api.example.com/10.0.0.55\n", "excess"),
            "one server of two": (api, "", ""),
            "everything else": ("address=/#/\n", "", ""),
            "everything else, by a server": ("address=/#/\n", "server=10.0.0.53\n", "excess"),
            "the exception": ("local=/bad.example.net/\n", "", "excess"),
            "the refusal": ("local=/evil.cdn.example.com/\n", "", "excess"),
            "beneath and not itself": ("server=/api.example.com/", "server=/*.api.example.com.x/", "excess loss"),
            "a longer one": (api, api + "local=/x.cdn.example.com/\n", "loss"),
            "an end within a label": (api, api + "server=/xapi.example.com/10.0.0.53\n", "excess"),
            "another case": ("server=/api.example.com/", "server=/API.Example.COM/", ""),
            "an address": ("address=/#/\n", "address=/#/\naddress=/api2.example.com/192.0.2.7\n", "excess"),
            "an address of a permitted name": (api + "server=/api.example.com/10.0.0.54\n", "address=/api.example.com/192.0.2.7\n", "loss"),
            # what an answer opens
            "no sets": (sets + "\n", "", "loss"),
            "one family": (sets, sets[:sets.index(",")], "loss"),
            "another set": (sets, sets.replace("_4,", "_9,"), "excess loss"),
            "another table": (sets, sets.replace("agp_names", "agp_other"), "excess loss"),
            "sets of the domain above": (sets, sets.replace("api.example.com", "example.com"), ""),
            "sets of the names beneath": (sets, sets.replace("/api.example.com/", "/x.api.example.com/"), "loss"),
            "the sets of another name": (sets, sets.replace("nftset=/api.example.com/", "nftset=/api.example.com/time.example.org/"), None),
            # the whole
            "a cache": ("cache-size=0", "cache-size=150", "excess"),
            "a cache by default": ("cache-size=0\n", "", "excess"),
            "the host's names": ("no-hosts\n", "", "excess"),
            "the host's servers": ("no-resolv\n", "", None),                             # asked all the same, whatever `/#/` says
            "another port": ("port=53\n", "port=54\n", "loss"),
            "another place": ("listen-address=127.0.0.53", "listen-address=127.0.0.1", "loss"),
            "two places": ("listen-address=127.0.0.53", "listen-address=127.0.0.1,127.0.0.53", ""),
            "another user": ("user=dnsmasq", "user=root", "loss"),
            "a record type more": ("filter-rr=2,3,", "filter-rr=2,", "excess"),
            "addresses emptied": ("filter-rr=2,3,", "filter-rr=1,2,3,", "loss"),
            "a comment": (api, "# " + api + api, ""),
        }
        for name, (before, after, wrong) in changes.items():
            with self.subTest(name):
                other = self.changed(place, before, after)
                expected = None if wrong is None else {(place, f"no {one}") for one in wrong.split()}
                self.assertEqual((self.agp_says(self.policy, place, other), self.script_says(other)), (expected, expected))

    def test_controls(self):
        built, certificate = self.copies()
        policy = self.policy_json()
        harmless = next(i for i, rule in enumerate(policy["rules"]) if "192.0.2.1" in rule["text"])
        place = "dns/dnsmasq.conf"
        self.change(certificate, lambda index: next(o for o in index["obligations"] if o["artifact"] == place)["control"].update(
            removed={"rule": harmless, "id": "x", "text": "x"}))
        self.assert_refuted(certificate, built, "no excess: the control is not violated", only=[place])
        # a state less; a file of another statement; both rows gone
        built, certificate = self.copies()
        one = self.obligation(certificate, place, "no excess")
        document = json.loads((certificate / one["file"]).read_text())
        document["states"].remove(".com")
        (certificate / one["file"]).write_text(json.dumps(document))
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, "no excess: the set of states is not closed", only=[place])
        for gone, what in ((ENFORCED, "dns/dnsmasq.conf"), (("no loss",), "dns/dnsmasq.conf: no loss"), (("no excess",), "dns/dnsmasq.conf: no excess")):
            built, certificate = self.copies()
            self.forget(certificate, [self.obligation(certificate, place, direction) for direction in gone])
            self.assert_refuted(certificate, built, f"the obligations are complete: {what} is neither stated nor listed", only=["dns/resolv.conf"])

    def test_not_understood(self):
        for line, words in (
                ("domain-needed", "the option `domain-needed`"), ("conf-file=/etc/x", "the option"), ("server=/a.b./10.0.0.53", "`a.b.` is no domain"),
                ("server=/*b/10.0.0.53", "is no domain"), ("server=/.b/10.0.0.53", "is no domain"), ("server=//10.0.0.53", "is no domain"),
                ("server=/a/10.0.0.53#54", "another port"), ("server=/a/#", "another port"), ("server=/a", "does not end with a `/`"), ("address=1.2.3.4", "without domains"),
                ("server=/a/10.0.0.53@eth0", "is no address"), ("server=/a/\nlocal=/A/10.0.0.53", "line 2: `A` is answered in two ways"),
                ("nftset=/a/inet#t#s", "sets are written"), ("nftset=/a/4#ip#t#s", "sets are written"), ("nftset=/#/4#inet#t#s", "is no domain"),
                ("nftset=/a/4#inet#t#s\nnftset=/A/4#inet#t#s", "has sets already"), ("port=53\nport=53", "stands there twice"), ("no-hosts=1", "the option"),
                ("filter-rr=TXT", "is no number"), ("filter-rr=65536", "is no number"), ("cache-size=-1", "is no number"), ("user", "the option"),
                ('user="x"', "quotes"), ("server=/\u00fc/10.0.0.53", "not printable"), ("# " + "x" * 1100, "cuts lines"), ("listen-address=", "is no address")):
            with self.subTest(line[:40]), self.assertRaisesRegex(Unusable, words):
                names.Resolver(line.encode())


class Settings(Changes):
    """A container's other settings: each in turn more, less, another one, missing."""
    POLICY = """agp 1

policy set {
  syscall { allow read, openat, exit_group, execve }
  capability { allow CAP_NET_BIND_SERVICE deny CAP_CHOWN }
  file { allow read "/workspace/**" }
  env { set "PATH" = "/usr/bin" set "EMPTY" = "" allow "LC_*" except "LC_ALL" }
  limit { cpu 1.5 memory 64 MiB pids 16 files 32 }
  run { command "/usr/bin/true", "-x" workdir "/workspace" user 1000:1001 mount tmpfs at "/workspace" writable size 1 MiB }
}
"""

    SECTIONS = [s for s in settings.SECTIONS if s.startswith("oci/config.json#/") and not s.endswith(" (sources)")]

    def script_says(self, text):
        policy, out = self.policy_json(), set()
        try:
            for section in self.SECTIONS:
                for direction in settings.directions(section, policy):
                    if settings.differs(*settings.SECTIONS[section](text.encode(), policy, direction == "no loss")):
                        out.add((section, direction))
        except Unusable:
            return None
        return out

    def test_agreement(self):
        place = "oci/config.json"
        text = (self.built / place).read_text()
        self.assertEqual(self.script_says(text), set())
        sections = self.SECTIONS
        self.assert_holds(*sections)

        def change(step):
            other = json.loads(text)
            step(other)
            return json.dumps(other)
        process, linux, resources = (lambda step: lambda c: step(c["process"])), (lambda step: lambda c: step(c["linux"])), \
            (lambda step: lambda c: step(c["linux"]["resources"]))
        spaces = lambda step: lambda c: step(c["linux"]["namespaces"])
        rlimit = lambda **what: process(lambda p: next(r for r in p["rlimits"] if r["type"] == "RLIMIT_NOFILE").update(what))
        caps = "CAP_NET_BIND_SERVICE"
        for name, step, wrong in (
                ("nothing", lambda c: None, ""),
                ("a capability more", process(lambda p: p["capabilities"]["bounding"].append("CAP_SYS_ADMIN")), "capabilities:excess"),
                ("a refused one", process(lambda p: p["capabilities"]["ambient"].append("CAP_CHOWN")), "capabilities:excess"),
                ("one less", process(lambda p: p["capabilities"]["ambient"].remove(caps)), "capabilities:loss"),
                ("none", process(lambda p: p.pop("capabilities")), "capabilities:loss"),
                ("a variable more", process(lambda p: p["env"].append("HOME=/")), "env:excess"),
                ("a permitted variable", process(lambda p: p["env"].append("LC_TIME=C")), ""),
                ("its exception", process(lambda p: p["env"].append("LC_ALL=C")), "env:excess"),
                ("another value", process(lambda p: p["env"].__setitem__(p["env"].index("PATH=/usr/bin"), "PATH=/bin")), "env:excess env:loss"),
                ("a value twice", process(lambda p: p["env"].append("PATH=/usr/bin")), "env:loss"),
                ("two values", process(lambda p: p["env"].append("PATH=/x")), "env:excess env:loss"),
                ("a variable less", process(lambda p: p["env"].remove("EMPTY=")), "env:loss"),
                ("no value", process(lambda p: p["env"].append("HOME")), None),
                ("another word", process(lambda p: p["args"].append("y")), "process:excess process:loss"),
                ("a word less", process(lambda p: p["args"].pop()), "process:excess process:loss"),
                ("another place", process(lambda p: p.update(cwd="/")), "process:excess process:loss"),
                ("root", process(lambda p: p["user"].update(uid=0)), "process:excess process:loss"),
                ("another group", process(lambda p: p["user"].update(gid=1000)), "process:excess process:loss"),
                ("a group more", process(lambda p: p["user"].update(additionalGids=[0])), "process:excess process:loss"),
                ("new privileges", process(lambda p: p.update(noNewPrivileges=False)), "process:excess"),
                ("new privileges by default", process(lambda p: p.pop("noNewPrivileges")), "process:excess"),
                ("a terminal", process(lambda p: p.update(terminal=True)), None),
                ("more memory", resources(lambda r: r["memory"].update(limit=2 ** 27, swap=2 ** 27)), "resources:excess"),
                ("swap beside", resources(lambda r: r["memory"].update(swap=2 ** 27)), "resources:excess"),
                ("no swap bound", resources(lambda r: r["memory"].update(swap=-1)), "resources:excess"),
                ("less memory", resources(lambda r: r["memory"].update(limit=2 ** 20)), "resources:loss"),
                ("no memory bound", resources(lambda r: r.pop("memory")), "resources:excess"),
                ("a process more", resources(lambda r: r["pids"].update(limit=17)), "resources:excess"),
                ("a process less", resources(lambda r: r["pids"].update(limit=15)), "resources:loss"),
                ("no bound of processes", resources(lambda r: r["pids"].update(limit=0)), "resources:excess"),
                ("as much by another period", resources(lambda r: r["cpu"].update(quota=75000, period=50000)), ""),
                ("more by another period", resources(lambda r: r["cpu"].update(period=99999)), "resources:excess"),
                ("less", resources(lambda r: r["cpu"].update(quota=149999)), "resources:loss"),
                ("the default period", resources(lambda r: r["cpu"].pop("period")), ""),
                ("files", rlimit(hard=33), "resources:excess"), ("files at first", rlimit(soft=31), "resources:loss"),
                ("no bound of files", process(lambda p: p.pop("rlimits")), "resources:excess"),
                ("another bound", process(lambda p: p["rlimits"].append({"type": "RLIMIT_NPROC", "soft": 1, "hard": 1})), "resources:loss"),
                ("a bound twice", process(lambda p: p["rlimits"].append({"type": "RLIMIT_NOFILE", "soft": 32, "hard": 32})), None),
                *((f"the host's {kind}", spaces(lambda n, kind=kind: n.remove(next(s for s in n if s["type"] == kind))), "namespaces:excess")
                  for kind in ("pid", "ipc", "uts", "cgroup")),
                ("another's processes", spaces(lambda n: n[0].update(path="/proc/1/ns/pid")), "namespaces:excess"),
                ("another network", spaces(lambda n: next(s for s in n if s["type"] == "network").update(path="/run/netns/x")), "namespaces:excess"),
                ("a new network", spaces(lambda n: next(s for s in n if s["type"] == "network").pop("path")), "namespaces:excess"),
                ("a namespace twice", spaces(lambda n: n.append({"type": "pid"})), None),
                ("a sysctl", linux(lambda x: x.update(sysctl={"net.ipv4.ip_forward": "1"})), "namespaces:excess"),
                ("its default", linux(lambda x: x.update(sysctl={"net.ipv4.ping_group_range": "1 0"})), ""),
                ("every device", lambda c: (c["linux"]["resources"]["devices"].insert(0, {"allow": True, "access": "rwm"}), c["process"]["capabilities"].update(
                    bounding=[caps, "CAP_MKNOD"])), "capabilities:excess"),
                ("every device, last", lambda c: (c["linux"]["resources"]["devices"].append({"allow": True, "access": "rwm"}), c["process"]["capabilities"].update(
                    bounding=[caps, "CAP_MKNOD"])), "capabilities:excess namespaces:excess"),
                ("a device less", resources(lambda r: r["devices"].append({"allow": False, "type": "c", "major": 1, "minor": 3, "access": "r"})), None),
                ("hooks", lambda c: c.update(hooks={}), None), ("a writable root", lambda c: c["root"].update(readonly=False), "process:excess"),
                ("a member of the process", process(lambda p: p.update(oomScoreAdj=1)), None), ("a member of linux", linux(lambda x: x.update(intelRdt={})), None),
                ("a bound of another kind", resources(lambda r: r.update(hugepageLimits=[])), None), ("another spelling", process(lambda p: p.update(Args=[])), None)):
            with self.subTest(name):
                other = change(step)
                kinds = dict.fromkeys(("capabilities", "env"), "#/process/") | dict.fromkeys(("resources", "namespaces"), "#/linux/") | {"process": "#/"}
                expected = None if wrong is None else {(place + kinds[s] + s, f"no {d}") for s, _, d in (w.partition(":") for w in wrong.split())}
                by_agp = None if name == "a writable root" else expected         # which it does not read at all
                self.assertEqual((self.agp_says(self.policy, place, other, sections), self.script_says(other)), (by_agp, expected))

    def test_files(self):
        """A file that says something else, a control that is none, rows that are gone."""
        place = "oci/config.json#/linux/resources"

        def edited(step, **words):
            built, certificate = self.copies()
            one = self.obligation(certificate, place, "no excess")
            document = json.loads((certificate / one["file"]).read_text())
            step(document)
            (certificate / one["file"]).write_text(json.dumps(document))
            self.refresh(certificate, built)
            self.assert_refuted(certificate, built, "no excess: the file states something else", only=[place])
        edited(lambda d: d["artifact"].update(pids=15))
        edited(lambda d: d["policy"].update(pids=["at most", 17]))
        edited(lambda d: d["policy"].pop("pids"))
        for instead in ({"side": "policy", "setting": "pids", "value": ["at most", 16]}, {"side": "artifact", "setting": "other limits", "value": ["x"]}):
            built, certificate = self.copies()
            self.change(certificate, lambda index: next(o for o in index["obligations"] if o["artifact"] == place)["control"].update(instead=instead))
            self.assert_refuted(certificate, built, "no excess: the control is not violated", only=[place])
        for artifact, gone, said in ((place, ENFORCED, place), (place, ENFORCED[1:], place + ": no loss"), ("oci/config.json#/process", ENFORCED[:1], "oci/config.json#/process: no excess"),
                                     ("oci/config.json#/linux/namespaces", ENFORCED[:1], "oci/config.json#/linux/namespaces")):
            built, certificate = self.copies()
            self.forget(certificate, [self.obligation(certificate, artifact, direction) for direction in gone])
            self.assert_refuted(certificate, built, f"the obligations are complete: {said} is neither stated nor listed", only=["oci/config.json#/process/env"])


class Sources(Changes):
    POLICY = """agp 1

policy shown {
  syscall { allow read, openat, write, exit_group, execve, connect, socket(domain == AF_INET) }
  file {
    allow read "/etc/hosts"
    allow read, exec "/usr/bin/**"
    allow read, write "/workspace/**"
    allow read "/data/**", "/image/**"
    allow read, modify "/dev/null"
  }
  net { allow connect tcp names.internal:443 within 10.0.0.0/8 resolver 10.0.0.53 }
  run {
    command "/usr/bin/true"
    user 1000:1000
    mount tmpfs at "/workspace" writable size 16 MiB
    mount "/srv/data" at "/data" readonly
  }
}
"""
    SECTION = "oci/config.json#/mounts (sources)"

    def test_agreement(self):
        self.assert_holds(self.SECTION)
        place, policy = "oci/config.json", self.policy_json()
        text = (self.built / place).read_text()
        at = lambda target, **what: lambda mounts: next(m for m in mounts if m["destination"] == target).update(what)
        bound = lambda target, source, *flags: {"destination": target, "type": "bind", "source": source, "options": ["bind", "nosuid", "noexec", *(flags or ("ro", "nodev"))]}
        tmpfs = lambda target, *options: {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "noexec", *options]}
        size = lambda number: lambda mounts: next(m for m in mounts if m["destination"] == "/workspace").update(
            options=["rw", "nosuid", "nodev", "noexec", "mode=0700", "uid=1000", "gid=1000", *([f"size={number}"] if number else [])])
        for name, step, right in (
                ("nothing", lambda mounts: None, True),
                ("another file", at("/etc/hosts", source="/etc/shadow"), False), ("another directory", at("/data", source="/srv"), False),
                ("the same by the image", at("/data", source="/data"), False), ("a directory beneath", lambda m: m.append(bound("/data/x", "/srv/data/x")), True),
                ("another one beneath", lambda m: m.append(bound("/data/x", "/srv/x")), False), ("one beneath, by its place", lambda m: m.append(bound("/data/x", "/data/x")), False),
                ("one of the host in what is empty", lambda m: m.append(bound("/workspace/x", "/workspace/x")), False),
                ("a device in what is empty", lambda m: m.append(bound("/workspace/null", "/dev/null", "rw", "dev")), False),
                ("as many bytes", size(16 * 2 ** 20), True), ("another bound", size(16 * 2 ** 20 + 1), False), ("no bound", size(None), False),
                ("an empty one beneath, as large", lambda m: m.append(tmpfs("/workspace/x", "rw", "size=16777216")), True),
                ("an empty one beneath, larger", lambda m: m.append(tmpfs("/workspace/x", "rw", "size=16777217")), False),
                ("an empty one, read-only", lambda m: m.append(tmpfs("/workspace/x", "ro")), True),
                ("an empty one elsewhere", lambda m: m.append(tmpfs("/data/x", "ro")), False),
                ("hidden by a later one", lambda m: m.insert(0, bound("/data", "/srv/other")), True),
                ("another device", at("/dev/null", source="/dev/zero"), False), ("a device as itself", lambda m: m.append(bound("/dev/full", "/dev/full", "rw", "dev")), True),
                ("a device elsewhere", lambda m: m.append(bound("/data/null", "/dev/null", "rw", "dev")), False),
                ("no resolv.conf", lambda m: m.remove(next(x for x in m if x["destination"] == "/etc/resolv.conf")), False),
                ("the host's resolv.conf", at("/etc/resolv.conf", source="/etc/resolv.conf"), False),
                ("an empty file where one may be read", at("/etc/hosts", source="empty-file"), False),
                ("an empty file where none may", lambda m: m.append(bound("/srv/x", "empty-file")), True),
                ("an empty directory where one may be read", at("/data", source="dev"), False),
                ("resolv.conf elsewhere", at("/etc/hosts", source="resolv.conf"), False),
                ("a mount in a file", lambda m: m.append(bound("/etc/resolv.conf/x", "/etc/resolv.conf/x")), False),
                ("a mount in a device", lambda m: m.append(bound("/dev/null/x", "/dev/null/x")), False),
                ("a mount in what nobody may open", lambda m: m.extend([bound("/srv/x", "denied-directory"), bound("/srv/x/y", "/srv/x/y")]), False)):
            with self.subTest(name):
                config = json.loads(text)
                step(config["mounts"])
                other = json.dumps(config)
                wrong = set() if right else {(self.SECTION, d) for d in ENFORCED}
                by_script = {(self.SECTION, d) for d in ENFORCED if settings.differs(*settings.SECTIONS[self.SECTION](other.encode(), policy, d == "no loss"))}
                self.assertEqual((self.agp_says(self.policy, place, other, [self.SECTION]), by_script), (wrong, wrong))
        for gone, said in ((ENFORCED, self.SECTION), (ENFORCED[1:], self.SECTION + ": no loss"), (ENFORCED[:1], self.SECTION + ": no excess")):
            built, certificate = self.copies()
            self.forget(certificate, [self.obligation(certificate, self.SECTION, direction) for direction in gone])
            self.assert_refuted(certificate, built, f"the obligations are complete: {said} is neither stated nor listed", only=["oci/config.json#/process/env"])


class Packets(Changes):
    """The table among the host's packets, and the table that only reports: what the solver finds of a changed one."""
    RULES = """
  net {
    allow connect tcp 10.0.1.50:443
    allow connect udp [fd00:1::1]:5300
    deny connect tcp 10.0.1.50:444 as "not there"
    %s
  }"""
    HOST = """agp 1

policy host {
  isolation process
  file { allow read, exec "/usr/bin/true" }%s
  run { command "/usr/bin/true" user 1200:1200 %s }
  accept wider file because "mode, owner and times are for the file permissions to hold"
}
"""
    AUDIT = """agp 1

policy watched {
  mode audit for net
  syscall { allow @default }%s
  run { command "/usr/bin/true" user 1200:1200 }
}
"""
    LISTEN = "allow listen tcp 127.0.0.1:80"

    def prepare(self, name, text, place="nftables/egress.nft"):
        self.policy, self.place = self.top / f"{name}.agp", place
        self.policy.write_text(text)
        self.built, self.certificate = self.make(self.policy, name, emit="nftables", single={"--nft": "nftables/egress.nft", "--nft-json": "nftables/egress.json"}
                                                 if place.endswith("json") else {"--nft": place})
        # whoever has both directories checks them by the place in the layout
        self.refresh(self.certificate, self.built, "nftables/egress.nft", "nftables/egress.json")
        self.assert_holds(*{place, "nftables/egress.nft"})

    def script_says(self, text):
        """The statements that a solver refutes of these bytes: of the script's own, which the files are compared with."""
        policy, solver, out = self.policy_json(), script.Solver("z3", 60), set()
        for o in self.rows(self.place):
            try:
                if solver.ask(script.state(o, text.encode(), policy, {}).text(script.violation(o, "s."))) == "sat":
                    out.add(o["direction"])
            except Unusable:
                return None
        return out

    def assert_changes(self, *changes):
        """Each with the statements that it makes false; `None` is beyond what the script understands."""
        option = "--nft-json" if self.place.endswith("json") else "--nft"
        for before, after, *wrong in changes:
            with self.subTest(after[:70]):
                text = self.changed(self.place, before, after)
                (self.top / "changed").write_text(text)
                done = run(AGP, "verify", self.policy, option, self.top / "changed", "--no-config", "--format", "json")
                rows = json.loads(done.stdout)["obligations"]
                self.assertEqual({o["direction"] for o in rows if o["verdict"] != "proved"} if rows else None, wrong[0], done.stdout[-2000:])
                self.assertEqual(self.script_says(text), wrong[-1])

    def test_by_cgroup(self):
        self.prepare("host", self.HOST % (self.RULES % self.LISTEN, 'cgroup "/agents/one"'))
        excess, loss, both = {"no excess"}, {"no loss"}, set(ENFORCED)
        self.assert_changes(
            # the level of another path is that of no packet: everything passes
            ("level 2", "level 1", excess), ("level 2", "level 3", excess),
            ('"agents/one" goto from', '"agents/two" goto from', both, None),
            ('"agents/one" goto from', '"agents" goto from', excess, None),
            ('cgroupv2 level 2 "agents/one" goto to_agent', 'cgroupv2 level 2 != "agents/one" goto to_agent', None),
            # everybody is judged: the host is cut off
            ('socket cgroupv2 level 2 "agents/one" goto from_agent', "goto from_agent", loss),
            ("hook output priority 0; policy accept;", "hook output priority 0; policy drop;", loss),
            ("hook input priority 0; policy accept;", "hook input priority 0; policy drop;", loss),
            ("10.0.1.50 . tcp . 443", "10.0.1.50 . tcp . 443-445", excess), ("10.0.1.50 . tcp . 443", "10.0.1.51 . tcp . 443", both),
            ("127.0.0.1 . tcp . 80", "127.0.0.1 . tcp . 81", both), ("related : goto on_related, ", "related : accept, ", excess),
            ("established : accept, ", "", loss), ("chain refused {", "chain refused {\n    accept", excess),
            ("chain input {", "chain forward {\n    type filter hook forward priority 0; policy drop;\n  }\n\n  chain input {", loss))

    def test_by_user(self):
        self.prepare("host", self.HOST % (self.RULES % "", ""))
        excess, loss = {"no excess"}, {"no loss"}
        self.assert_changes(
            ("meta skuid 1200", "meta skuid 1201", set(ENFORCED)), ("meta skuid 1200", "meta skuid 1200-1201", loss),
            ("meta skuid 1200 goto", "meta skuid != 1200 goto", set(ENFORCED)), ("meta skuid 1200 goto", "goto", loss),
            ("10.0.1.50 . tcp . 443", "10.0.1.50 . tcp . 444", loss), ("10.0.1.50 . tcp . 443", "10.0.1.50 . tcp . 445", set(ENFORCED)), ("invalid : drop", "invalid : accept", excess),
            ("chain output {", "chain input {\n    type filter hook input priority 0; policy accept;\n    tcp dport 22 drop\n  }\n\n  chain output {", loss))

    def test_by_interface(self):
        self.prepare("host", self.HOST % (self.RULES % self.LISTEN, 'interface "tap0"'))
        excess, loss = {"no excess"}, {"no loss"}
        self.assert_changes(
            ('oifname "tap0" goto to_agent', 'oifname "tap1" goto to_agent', set(ENFORCED), None), ('meta iifname "tap0" goto from_agent', 'meta iifname "lo" goto from_agent', set(ENFORCED)),
            ("10.0.1.50 . tcp . 443", "10.0.1.50 . tcp . 442-443", excess), ("policy accept;", "policy drop;", loss),
            ("chain forward {", "chain forwarding {", set()), ("hook forward", "hook input", excess))

    def test_audited(self):
        for place in ("nftables/egress.nft", "nftables/egress.json"):
            self.prepare("watched", self.AUDIT % (self.RULES % self.LISTEN), place)
            permits, reports, quiet = (f"audit: {what}" for what in ("permits all", "reports every refusal", "reports nothing else"))
            self.assertEqual([(o["direction"], o["control"].get("demanded")) for o in self.rows(place)], [(permits, "NO_REPORT"), (reports, None), (quiet, None)], self.said)
            if place.endswith("json"):
                log = '{"log":{"prefix":"agp P=watched R=default "}}'
                self.assert_changes((log, '{"log":{"prefix":"agp P=watched R=other "}}', {reports}), (log + ",", "", {reports}),
                                    (log, '{"log":{"prefix":"agp P=watched R=default ","level":"info"}}', set()),
                                    # somebody else's log
                                    *((log, log.replace("}}", "," + more + "}}"), {reports}, None) for more in ('"group":1', '"level":"audit"')))
                continue
            default, named = 'log prefix "agp P=watched R=default "', 'log prefix "agp P=watched R=not%20there "'
            self.assert_changes(
                # a rule that reports and drops; a line that names nobody, another policy, another rule
                ("counter name count_default accept", "counter name count_default drop", {permits}),
                ("counter name count_default accept", "counter name count_default reject", {permits}),
                (default + " ", "", {reports}), (default, 'log prefix "agp P=other R=default "', {reports}), (default, "log", {reports}),
                (named, default, set()), (default, default + " level info", set()), (default, default + " level audit", {reports}, None),
                # a line about what is permitted, whosever it is
                ("@allow_4 counter accept", '@allow_4 log prefix "other" counter accept', {quiet}), ("10.0.1.50 . tcp . 443", "10.0.1.51 . tcp . 443", {reports, quiet}),
                ("established : accept, ", "", {quiet}), ("hook output priority 0; policy accept;", "hook output priority 0; policy drop;", set()),
                ("chain output {", "chain more {\n    type filter hook output priority 1; policy accept;\n    log\n  }\n\n  chain output {", {quiet}),
                ("chain output {", "chain more {\n    type filter hook output priority 1; policy drop;\n  }\n\n  chain output {", {permits, quiet}))
            # a control of another statement; a statement of an enforced block; a row less
            built, certificate = self.copies()
            self.change(certificate, lambda index: index["obligations"][2]["control"].update(demanded="NO_REPORT"))
            self.assert_refuted(certificate, built, "the control does not say what it changes", only=[place])
            built, certificate = self.copies()
            self.change(certificate, lambda index: index["obligations"][2].update(direction="no loss"))
            self.assert_refuted(certificate, built, "no statement about such an artifact", only=[place])
            built, certificate = self.copies()
            self.forget(certificate, [self.obligation(certificate, place, permits)])
            self.assert_refuted(certificate, built, f"{place}: {permits} is neither stated nor listed", only=[place])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=0)
