"""The readers of tools/check-certificate by themselves: what they don't understand is refused by name."""
import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(ROOT / "tools"))
from certificate import calls, documents, landlock, mounts, names, nft, packets, paths, tools  # noqa: E402
from certificate.formulas import Refuted, Statement, Unusable, bits  # noqa: E402

SCRIPT = """table inet t {
  counter seen {
  }
  set one {
    type ipv4_addr . inet_service
    flags interval
    elements = { 10.0.0.1 . 443 comment "a", 10.0.0.0/8 . 80-81 }
  }
  map to {
    type ipv4_addr : verdict
    elements = { 10.0.0.4 : drop, 10.0.0.5 : goto other }
  }
  chain other {
    tcp flags & (syn | ack) == syn counter name "seen" accept
  }
  chain output {
    type filter hook output priority 0; policy drop;
    ip daddr . tcp dport @one accept
    ip daddr vmap @to
  }
}
"""


def document():
    t = {"family": "inet", "table": "t"}
    daddr = {"payload": {"protocol": "ip", "field": "daddr"}}
    return {"nftables": [
        {"metainfo": {"json_schema_version": 1}},
        {"add": {"table": {"family": "inet", "name": "t"}}},
        {"add": {"counter": {**t, "name": "seen"}}},
        {"add": {"set": {**t, "name": "one", "type": ["ipv4_addr", "inet_service"], "flags": ["interval"], "elem": [
            {"elem": {"val": {"concat": ["10.0.0.1", 443]}, "comment": "a"}},
            {"concat": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, {"range": [80, 81]}]}]}}},
        {"add": {"map": {**t, "name": "to", "type": "ipv4_addr", "map": "verdict", "elem": [
            ["10.0.0.4", {"drop": None}], ["10.0.0.5", {"goto": {"target": "other"}}]]}}},
        {"add": {"chain": {**t, "name": "other"}}},
        {"add": {"chain": {**t, "name": "output", "type": "filter", "hook": "output", "prio": 0, "policy": "drop"}}},
        {"add": {"rule": {**t, "chain": "other", "expr": [
            {"match": {"op": "==", "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["syn", "ack"]]}, "right": "syn"}},
            {"counter": "seen"}, {"accept": None}]}}},
        {"add": {"rule": {**t, "chain": "output", "expr": [
            {"match": {"op": "==", "left": {"concat": [daddr, {"payload": {"protocol": "tcp", "field": "dport"}}]}, "right": "@one"}},
            {"accept": None}]}}},
        {"add": {"rule": {**t, "chain": "output", "expr": [{"vmap": {"key": daddr, "data": "@to"}}]}}}]}


def command(doc, what, n=0):
    return [body["add"][what] for body in doc["nftables"] if what in body.get("add", {})][n]


class Packets(unittest.TestCase):
    def test_both_forms_are_one_ruleset(self):
        self.assertEqual(vars(nft.read_script(SCRIPT)), vars(nft.read_json(document())))

    def refused_script(self, before, after, words):
        self.assertIn(before, SCRIPT)
        with self.assertRaisesRegex(Unusable, words):
            nft.read_script(SCRIPT.replace(before, after, 1))

    def refused_json(self, words, change):
        changed = document()
        change(changed)
        with self.assertRaisesRegex(Unusable, words):
            nft.read_json(changed)

    def test_time_outs_of_scripts(self):
        for before, after in (("flags interval", "flags interval, timeout"), ("flags interval", "flags interval\n    timeout 1s"),
                              ("10.0.0.1 . 443", "10.0.0.1 . 443 timeout 1s expires 500ms"), ("10.0.0.1 . 443", "10.0.0.1 . 443 expires 1s"),
                              ("ipv4_addr : verdict", "ipv4_addr : verdict\n    timeout 1s"), ("10.0.0.4 :", "10.0.0.4 timeout 1s :"),
                              ("@one", "{ 10.0.0.1 . 443 timeout 1s }")):
            with self.subTest(after):
                self.refused_script(before, after, "expire")
        self.refused_script("flags interval", "gc-interval 1s", "`gc-interval` of a set is not understood")

    def test_time_outs_of_documents(self):
        for what in ("set", "map"):
            self.refused_json("expire", lambda d: command(d, what).update(timeout=1))
            self.refused_json("expire", lambda d: command(d, what).update(flags=["timeout"]))
        for member in ("timeout", "expires"):
            self.refused_json("expire", lambda d: command(d, "set")["elem"][0]["elem"].update({member: 1}))
            element = {"elem": {"val": "10.0.0.4", member: 1}}
            self.refused_json("expire", lambda d: command(d, "map")["elem"].append([element, {"drop": None}]))

    def test_a_set_that_answers_fill_may_forget(self):
        """Its content is arbitrary for what may pass, and nothing for what has to."""
        script = SCRIPT.replace("ipv4_addr . inet_service\n    flags interval\n    elements = { 10.0.0.1 . 443 comment \"a\", 10.0.0.0/8 . 80-81 }",
                                "ipv4_addr\n    timeout 1s").replace("ip daddr . tcp dport @one", "ip daddr @one")
        for demanded, text in ((False, "in.one"), (True, "false")):
            passing = packets.Passing(Statement(packets.PACKET), nft.read_script(script), {"target": {"dns_user": "x"}}, ["one"], demanded)
            self.assertEqual(passing.inside("t", [nft.KEYS["ip daddr"]], "one"), text)

    def test_declared_twice(self):
        chain, one, to = SCRIPT.index("  chain other"), SCRIPT.index("  set one"), SCRIPT.index("  map to")
        output = SCRIPT.index("  chain output")
        for part, words in ((SCRIPT[chain:output], "chain other"), (SCRIPT[one:to], "set one"), (SCRIPT[to:chain], "map to")):
            for twice in (SCRIPT.replace(part, part + part), SCRIPT + "table inet u {\n" + part + part + "}\n"):
                with self.assertRaisesRegex(Unusable, f"{words} is declared twice"):
                    nft.read_script(twice)
        with self.assertRaisesRegex(Unusable, "table t is declared twice"):
            nft.read_script(SCRIPT + SCRIPT)
        self.refused_script("policy drop;", "policy drop;\n    type filter hook output priority 1; policy accept;", "two hooks")
        self.refused_script("flags interval", "type ipv4_addr", "`type` stands twice")
        for what in ("table", "chain", "set", "map"):
            self.refused_json("declared twice", lambda d: d["nftables"].append({"add": {what: command(d, what)}}))
        # the idiom that empties a table: declared, deleted, declared
        empty = "table inet t {\n}\ndelete table inet t\n"
        self.assertEqual(vars(nft.read_script(empty + SCRIPT)), vars(nft.read_script(SCRIPT)))
        for wrong in ("delete table inet t\n" + SCRIPT, empty.replace("delete table inet", "delete table ip") + SCRIPT, SCRIPT + "delete table inet t\n"):
            with self.assertRaisesRegex(Unusable, "deleted"):
                nft.read_script(wrong)

    def test_members_of_documents(self):
        for what, member, value in (("rule", "index", 0), ("rule", "position", 1), ("rule", "name", "x"), ("table", "flags", "dormant"),
                                    ("chain", "dev", "eth0"), ("chain", "flags", "offload"), ("set", "gc-interval", 1), ("set", "stmt", []),
                                    ("map", "policy", "memory"), ("counter", "reset", True)):
            with self.subTest(f"{what}.{member}"):
                self.refused_json(f"a {what} has members that are not understood: {member}", lambda d: command(d, what).update({member: value}))
        self.refused_json("the ruleset has members", lambda d: d.update(version=1))
        self.refused_json("no object with one member", lambda d: d["nftables"][1].update(comment="x"))
        self.refused_json("no object with one member", lambda d: command(d, "rule", 2)["expr"][0].update(comment="x"))
        self.refused_json("a match has members", lambda d: command(d, "rule")["expr"][0]["match"].update(x=1))
        self.refused_json("a payload has members", lambda d: command(d, "rule", 2)["expr"][0]["vmap"]["key"]["payload"].update(base="ll"))
        self.refused_json("an element has members", lambda d: command(d, "set")["elem"][0]["elem"].update(x=1))
        self.refused_json("a prefix has members", lambda d: command(d, "set")["elem"][1]["concat"][0]["prefix"].update(x=1))
        self.refused_json("`goto` has members", lambda d: command(d, "map")["elem"][1][1]["goto"].update(x=1))
        self.refused_json("has a policy and no hook", lambda d: command(d, "chain").update(policy="drop"))
        self.refused_json("there is no table", lambda d: command(d, "chain").update(family="ip"))
        self.refused_json("family ip ", lambda d: command(d, "table").update(family="ip"))
        self.refused_json("`delete` of `rule`", lambda d: d["nftables"].append({"delete": {"rule": command(d, "rule")}}))
        self.refused_json("`insert` of `rule`|not understood", lambda d: d["nftables"].append({"insert": {"rule": command(d, "rule")}}))
        self.refused_json("a flag that is not understood", lambda d: command(d, "set").update(flags=["dynamic"]))

    def test_words_of_scripts(self):
        self.refused_script("flags interval", "flags dynamic", "a flag that is not understood")
        self.refused_script("flags interval", "auto-merge", "`auto-merge` of a set is not understood")
        self.refused_script(" . inet_service", " inet_service", "`type ipv4_addr inet_service` is not understood")
        self.refused_script(": verdict", ": mark", "something else than verdicts")
        self.refused_script("hook output priority", "hook output device eth0 priority", "is not understood")
        self.refused_script("policy drop;", "policy drop accept;", "behind a policy")
        self.refused_script('comment "a"', 'comment "a', "quotation mark")

    def test_what_nft_reads_otherwise(self):
        """A zero in front is octal; before connections are tracked there is no state."""
        for priority in ("raw", "-200", "-300", "010", "dstnat", "-"):
            self.refused_script("priority 0", f"priority {priority}", "is no priority|tracked")
        for priority in (-200, -4294967296, True, None, "0x1"):
            self.refused_json("is no priority|tracked", lambda d: command(d, "chain", 1).update(prio=priority))
        self.refused_script("set one", 'set "one"', "names are not quoted")
        self.refused_script("flags interval", "size 1", "`size` of a set is not understood")
        for kind, word in (("inet_service", "0443"), ("inet_service", "1-010"), ("inet_service", "\u0664"), ("ipv4_addr", "10.0.0.0/010"),
                           ("ipv4_addr", "10.0.0.0/255.0.0.0"), ("ipv4_addr", "010.0.0.1"), ("", "0173"), ("ifname", "2")):
            with self.subTest(word), self.assertRaises((Unusable, ValueError)):
                packets.constant(kind, word, {"target": {"dns_user": "x"}, "attach": {}})
        self.assertEqual(packets.constant("inet_service", "0-443", {}), (0, 443))

    def test_a_server_beside_every_name(self):
        for text in ("no-resolv\nlocal=/#/\nserver=10.0.0.53\n", "local=/#/\n", "no-resolv\naddress=/#/\nserver=10.0.0.53\n"):
            with self.subTest(text), self.assertRaisesRegex(Unusable, "asks the other servers all the same"):
                names.Resolver(text.encode())
        self.assertEqual(names.Resolver(b"no-resolv\nlocal=/#/\n").rule("x", set())[0], "nothing")

    def test_numbers_that_do_not_fit(self):
        with self.assertRaisesRegex(Unusable, "70000 is no number of 16 bits"):
            bits(70000, 16)


class Documents(unittest.TestCase):
    def test_keys(self):
        for text in ('{"a": 1, "a": 1}', '[{"x": {"a": 1, "b": 2, "a": 3}}]', '{"a": 1, "\\u0061": 2}'):
            with self.assertRaisesRegex(Unusable, "twice"):
                documents.strict_json(text.encode(), "x")
        # readers that compare as it is written have two keys here
        self.assertEqual(documents.strict_json(b'{"a": 1, "A": 2}', "x"), {"a": 1, "A": 2})

    def test_what_is_no_json(self):
        for content in (b'{"a": NaN}', b"\xff", '{"a": 1}'.encode("utf-16"), b'\xef\xbb\xbf{}', b"[" * 100_000, b"{} {}"):
            with self.assertRaisesRegex(Unusable, "is not JSON|nested too deep"):
                documents.strict_json(content, "x")

    def test_fields_as_go_takes_them(self):
        """What Go's simple folding takes for an ASCII name, no less and no more: not the sharp s, nor the dotless i."""
        for other in ("Seccomp", "SECCOMP", "\u017feccomp"):
            with self.assertRaisesRegex(Unusable, "another spelling"):
                documents.field({"seccomp": 1, other: 2}, "seccomp", "x")
        for other in ("Linux", "LINUX"):
            with self.assertRaisesRegex(Unusable, "another spelling"):
                documents.field({"linux": 1, other: 2}, "linux", "x")
        with self.assertRaisesRegex(Unusable, "another spelling"):
            documents.field({"masked": 1, "mas\u212aed": 2}, "masked", "x")
        for name, other in (("linux", "l\u0131nux"), ("linux", "l\u0130nux"), ("class", "cla\u00df"), ("linux", "linux ")):
            self.assertEqual(documents.field({name: 1, other: 2}, name, "x"), 1)
        with self.assertRaisesRegex(Unusable, "no field `seccomp`"):
            calls.section({"linux": {}}, "/linux/seccomp")
        with self.assertRaisesRegex(Unusable, "another spelling"):
            calls.section({"linux": {"seccomp": {}}, "LINUX": {}}, "/linux/seccomp")

    def test_profiles(self):
        policy = {"calls": {"x86_64": {"audit": 0xc000003e, "machine": "x86_64", "calls": []}}, "target": {}}

        def read(**members):
            calls.profile(Statement(calls.CALL), {"defaultAction": "SCMP_ACT_ERRNO", **members}, policy, "x86_64", calls.answers("no excess"))
        read(syscalls=[{"names": ["x"], "action": "SCMP_ACT_ALLOW"}])
        for members in ({"Syscalls": []}, {"syscall\u017f": []}, {"syscalls": [{"names": ["x"], "action": "SCMP_ACT_ALLOW", "Args": []}]},
                        {"listenerPath": "/x"}):
            with self.assertRaisesRegex(Unusable, "members that are not understood"):
                read(**members)
        for members in ({"defaultErrnoRet": True}, {"defaultErrnoRet": 5000}, {"syscalls": [{"names": ["x"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}]}):
            with self.assertRaisesRegex(Unusable, "errno of the profile"):
                read(**members)


class Landlock(unittest.TestCase):
    CONFIG = {"abi": 6, "ruleset": [{"handledAccessFs": ["read_file", "execute"], "handledAccessNet": ["connect_tcp"]}],
              "pathBeneath": [{"allowedAccess": ["read_file"], "parent": ["/usr/"]}],
              "netPort": [{"allowedAccess": ["connect_tcp"], "port": [443]}]}

    def refused(self, reader, words, change):
        config = json.loads(json.dumps(self.CONFIG))
        reader(config)
        change(config)
        with self.assertRaisesRegex(Unusable, words):
            reader(config)

    def test_members(self):
        def paths(config):
            return landlock.Ruleset(config, {"target": {"landlock_abi": 6}})

        def ports(config):
            return landlock.artifact_ports(config, {"target": {"landlock_abi": 6}})

        for reader in (paths, ports):
            self.refused(reader, "`bind_udp` needs Landlock ABI 10, and the target has 6", lambda c: c["netPort"][0].update(allowedAccess=["bind_udp"]))
            self.refused(reader, "`resolve_unix` needs Landlock ABI 9", lambda c: c["ruleset"][0]["handledAccessFs"].append("resolve_unix"))
            self.refused(reader, "scopes that are not", lambda c: c["ruleset"][0].update(scoped=["network"]))
            self.refused(reader, "the ruleset has members", lambda c: c.update(variable=[]))
            self.refused(reader, "a ruleset has members", lambda c: c["ruleset"][0].update(handledAccessfs=["write_file"]))
        self.refused(paths, "a rule on paths has members", lambda c: c["pathBeneath"][0].update(Parent=["/etc/"]))
        self.refused(paths, "rights that are not understood", lambda c: c["pathBeneath"][0].update(allowedAccess=["abi.all"]))
        self.refused(ports, "a rule on ports has members", lambda c: c["netPort"][0].update(ports=[80]))
        self.refused(ports, "rights on ports that are not", lambda c: c["netPort"][0].update(allowedAccess=["bind_udp6"]))
        self.refused(ports, "70000", lambda c: c["netPort"][0].update(port=[70000]))
        self.refused(ports, "is no port", lambda c: c["netPort"][0].update(port=[True]))


class Mounts(unittest.TestCase):
    POLICY = {"rules": [{"block": "file", "effect": "allow", "verbs": ["read"], "patterns": ["/data/**", "/bin/tool"], "except": []}],
              "mounts": [], "gaps": []}
    CONFIG = {"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True}, "process": {"user": {"uid": 1000, "gid": 1000}},
              "mounts": [{"destination": "/dev", "type": "bind", "source": "dev", "options": ["bind", "ro"]},
                         {"destination": "/data", "type": "bind", "source": "/srv/data", "options": ["bind", "ro", "nodev", "noexec"]},
                         {"destination": "/bin/tool", "type": "bind", "source": "/bin/tool", "options": ["bind", "ro", "nodev"]}],
              "linux": {"namespaces": [{"type": "mount"}]}}

    def tree(self, change=lambda config: None):
        config = json.loads(json.dumps(self.CONFIG))
        change(config)
        return mounts.Tree(config, self.POLICY)

    def test_rights(self):
        plain, write = self.tree(), {"write_file", "truncate"}
        self.assertEqual(plain.nodes, ["/", "/bin", "/bin/tool", "/data", "/dev"])
        self.assertEqual(plain.answer(None, "/data")[0], {"read_file", "read_dir"})
        self.assertEqual(plain.answer("/bin/tool", "/bin")[0], {"read_file", "execute"})
        self.assertEqual(plain.answer("/bin", "/")[0], {"read_dir"})
        self.assertEqual(plain.answer(None, "/bin")[0], set())
        writable = self.tree(lambda c: c["mounts"][1]["options"].append("rw"))
        self.assertEqual(writable.answer(None, "/data")[0], {"read_file", "read_dir"} | write | mounts.ENTRIES)
        self.assertIn("execute", self.tree(lambda c: c["mounts"][1]["options"].append("exec")).answer(None, "/data")[0])
        devices = self.tree(lambda c: (c["mounts"][1]["options"].append("rw"), c["process"].update(capabilities={"bounding": ["CAP_MKNOD"]})))
        self.assertLessEqual({"make_char", "make_block"}, devices.answer(None, "/data")[0])

    def test_a_socket_is_no_file(self):
        bind = lambda c: c["mounts"].append({"destination": "/run/a", "type": "bind", "source": "/run/a", "options": ["bind", "ro", "nodev"]})
        unix = {"block": "unix", "effect": "allow", "direction": "connect", "patterns": ["/run/a"], "except": [], "abstract": False}
        either = {"read_file", "execute", "read_dir"}                            # a file or a directory: nobody says which
        for more, rights in (([unix], set()), ([{**unix, "effect": "deny"}], either),
                             ([unix, {**unix, "effect": "deny", "patterns": ["/run/**"]}], either), ([{**unix, "except": ["/run/a"]}], either),
                             ([{**unix, "patterns": ["/run/**"]}], either),
                             ([{**unix, "direction": "listen"}], either),
                             ([unix, {"block": "file", "effect": "allow", "verbs": ["read"], "patterns": ["/run/a"], "except": []}], {"read_file", "execute"})):
            config = json.loads(json.dumps(self.CONFIG))
            bind(config)
            self.assertEqual(mounts.Tree(config, {**self.POLICY, "rules": self.POLICY["rules"] + more}).answer("/run/a", "/run")[0], rights)

    def test_the_last_mount_shows(self):
        again = {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "nodev", "mode=0755", "uid=0"]}
        self.assertEqual(self.tree(lambda c: c["mounts"].append(again)).answer(None, "/data")[0], {"read_file", "read_dir", "execute"})
        self.assertEqual(self.tree(lambda c: c["mounts"].insert(0, again)).answer(None, "/data")[0], {"read_file", "read_dir"})
        own = {**again, "options": ["nodev", "mode=0700", "uid=1000"]}
        self.assertLessEqual(mounts.ENTRIES, self.tree(lambda c: c["mounts"].append(own)).answer(None, "/data")[0])
        for options in (["mode=0700"], ["mode=0755"], ["ro", "mode=0700"]):        # runc 1.1 gives it the mode of what it covers
            others = {**again, "options": ["nodev", "uid=0", *options]}
            with self.subTest(options), self.assertRaisesRegex(Unusable, "does not bind the agent: runc gives it that"):
                self.tree(lambda c, one=others: c["mounts"].append(one))

    def test_paths_over_mounts(self):
        writable = lambda c: c["mounts"][1]["options"].append("rw")
        mount = lambda c, *targets: c["mounts"].extend({**c["mounts"][1], "destination": t, "options": [*c["mounts"][1]["options"]]} for t in targets)
        proc = lambda c, *options: c["mounts"].append({"destination": "/proc", "type": "proc", "source": "proc", "options": list(options)})
        masked = self.tree(lambda c: c["linux"].update(maskedPaths=["/data", "/data/x", "/nowhere"]))
        self.assertEqual((masked.answer("/data", "/")[0], masked.answer(None, "/data")[0]), (set(), set()))
        self.assertNotIn("/nowhere", masked.nodes)
        self.assertNotIn("/data/x", masked.nodes)                                # nothing stands in what is masked
        self.assertEqual(self.tree(lambda c: (proc(c), c["linux"].update(maskedPaths=["/proc/kcore"]))).answer("/proc/kcore", "/proc")[0], set())
        # a directory that leads to a mount is there, and all of it is covered
        leads = self.tree(lambda c: (mount(c, "/data/x/y"), c["linux"].update(maskedPaths=["/data/x", "/bin"])))
        for node, around in (("/data/x", "/data"), ("/data/x/y", "/data/x"), ("/bin/tool", "/bin")):
            self.assertEqual(leads.answer(node, around)[0], set())
        readonly = self.tree(lambda c: (writable(c), c["linux"].update(readonlyPaths=["/data", "/nowhere"])))
        self.assertNotIn("write_file", readonly.answer(None, "/data")[0])
        readonly = self.tree(lambda c: (proc(c), c["linux"].update(readonlyPaths=["/proc/sys"])))
        self.assertIn("write_file", readonly.answer(None, "/proc")[0])
        self.assertNotIn("write_file", readonly.answer(None, "/proc/sys")[0])
        # where nothing can be written it makes no difference whether it is passed over
        self.assertEqual(self.tree(lambda c: c["linux"].update(readonlyPaths=["/data/x"])).nodes, self.tree().nodes)
        # a directory around a mount can be moved away with it, and another one made in its place
        deep = self.tree(lambda c: (writable(c), mount(c, "/data/x/y"), c["mounts"][-1]["options"].append("ro")))
        self.assertIn("write_file", deep.answer("/data/x/y", "/data/x")[0])
        for words, change in (
                ("/data/x is in a mount: whether anything stands there is not known", lambda c: c["linux"].update(maskedPaths=["/data/x"])),
                ("/data/x is in a mount", lambda c: (writable(c), c["linux"].update(readonlyPaths=["/data/x"]))),
                ("/data/x is in a mount", lambda c: (mount(c, "/data/x/y", "/data"), c["linux"].update(maskedPaths=["/data/x"]))),  # hidden
                ("/bin/tool/x is in a mount", lambda c: c["linux"].update(maskedPaths=["/bin/tool/x"])),
                ("/data of the read-only paths has a mount beneath it", lambda c: (writable(c), mount(c, "/data/x"), c["linux"].update(readonlyPaths=["/data"]))),
                ("/data/x of the read-only paths has a mount", lambda c: (writable(c), mount(c, "/data/x/y"), c["linux"].update(readonlyPaths=["/data/x"]))),
                ("the root itself", lambda c: c["linux"].update(maskedPaths=["/"])), ("the root itself", lambda c: c["linux"].update(readonlyPaths=["/"]))):
            with self.subTest(words), self.assertRaisesRegex(Unusable, words):
                self.tree(change)

    def test_numbers_of_a_tmpfs(self):
        tmpfs = lambda option: lambda c: c["mounts"].append({"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nodev", option]})
        for option in ("mode=7777", "mode=00755", "uid=4294967294", "gid=0", "size=18446744073709551615"):
            self.assertEqual(mounts.read_mount({"destination": "/t", "type": "tmpfs", "options": ["nodev", option]}).content, "tmpfs")
        for option in ("mode=10000", "mode=8", "mode=-1", "mode=0o7", "mode=", "mode=7_7", "mode= 7", "mode=7\n", "uid=4294967295", "uid=+1", "uid=-1",
                       "uid=1_0", "uid=\u0661", "gid=4294967295", "gid=x", "size=18446744073709551616", "size=1k", "size=50%", "size=",
                       "uid=0100", "gid=010", "size=010"):                         # octal to the kernel
            with self.subTest(option), self.assertRaisesRegex(Unusable, "no plain number, or too large"):
                self.tree(tmpfs(option))

    def test_what_is_not_understood(self):
        bind = lambda source, *options: lambda c: c["mounts"].append({"destination": "/x", "type": "bind", "source": source, "options": ["bind", *options]})
        self.assertEqual(self.tree(bind("/dev/null", "rw")).answer("/x", "/")[0], {"read_file", "execute", "write_file", "truncate"})
        for source in ("denied-directory", "denied-file"):
            self.assertEqual(self.tree(bind(source, "ro")).answer("/x", "/")[0], set())
        self.tree(lambda c: c["linux"].update(namespaces=[{"type": "pid"}, {"type": "mount", "path": ""}, {"type": "network", "path": "/run/netns/x"}]))
        spaces = lambda *listed: lambda c: c["linux"].update(namespaces=list(listed))
        for words, change in (
                ("shows a device with `nodev`", bind("/dev/null", "rw", "nodev")), ("shows a device with `nodev`", bind("/dev/zero", "ro", "nodev")),
                ("open writable", bind("denied-directory", "rw")), ("open writable", bind("denied-file")), ("open writable", bind("denied-file", "ro", "rw")),
                ("not an absolute path", bind("/srv/../etc", "ro", "nodev")), ("not an absolute path", bind("//dev/null", "ro", "nodev")),
                ("no mount namespace", spaces()), ("no mount namespace", spaces({"type": "pid"})), ("no mount namespace", lambda c: c["linux"].clear()),
                ("no mount namespace", spaces({"type": "mount", "path": "/proc/1/ns/mnt"})), ("a user namespace", spaces({"type": "mount"}, {"type": "user"})),
                ("declared twice", spaces({"type": "mount"}, {"type": "mount"})), ("a namespace has members", spaces({"type": "mount", "Path": "/x"})),
                ("the configuration has members", lambda c: c.update(hooks={})), ("the configuration has members", lambda c: c.update(Mounts=[])),
                ("`linux` has members", lambda c: c["linux"].update(rootfsPropagation="shared")), ("`process` has members", lambda c: c["process"].update(x=1)),
                ("a mount has members", lambda c: c["mounts"][0].update(uidMappings=[])), ("the root is not", lambda c: c["root"].update(readonly=False)),
                ("the mount option `rbind`", lambda c: c["mounts"][1]["options"].append("rbind")), ("devices of the host", lambda c: c["mounts"][1]["options"].append("dev")),
                ("no file of the bundle", lambda c: c["mounts"][0].update(source="other")), ("not an absolute path", lambda c: c["mounts"][1].update(destination="/data/../etc")),
                ("of a type", lambda c: c["mounts"].append({"destination": "/x", "type": "sysfs", "source": "sysfs"}))):
            with self.assertRaisesRegex(Unusable, words):
                self.tree(change)


class Letters(unittest.TestCase):
    """Of the characters that a state tells apart, each is tried, and one for all others."""

    def assert_told_apart(self, check, letters):
        self.assertLessEqual(set(check.telling(check.start)), {*letters})
        seen, work = {check.start}, [check.start]
        while work:
            state = work.pop()
            telling = check.telling(state)
            others = {check.step(state, c) for c in letters if c not in telling}
            self.assertLessEqual(len(others), 1, f"{state}: {telling}")
            following = {check.step(state, c) for c in letters} - {None}
            self.assertEqual(following, {check.step(state, c) for c in telling} - {None})
            work += following - seen
            seen |= following
        return len(seen)

    def test_paths(self):
        layer = paths.Everything()
        layer.nodes = ["/", "/bin", "/bin/tool", "/bin/tools", "/.é", "/data"]
        texts = ["/data/**", "/data/*.{log,lo?}", "/bin/t*l", "/.*", "/bin/?ool/**", "/data/a**b", "/**/x", "/data/\\*"]
        policy = {"rules": [{"block": "file", "effect": "allow", "verbs": ["read"], "patterns": texts, "except": ["/data/secret/**", "/data/d"]}], "gaps": []}
        self.assertGreater(self.assert_told_apart(paths.Check([layer, layer], policy, False), [*map(chr, range(128)), "é", "\u2603"]), 50)

    def test_tools(self):
        patterns = [["files.*", "f?les", "*é", "a\\*b"], ["files.delete*", "*.delete"]]
        document = [tools.rule("allow", None, None, *patterns)]
        policy = {"day": "2026-01-01", "rules": [{"block": "tool", "effect": "allow", "patterns": ["*"], "except": ["x"]}]}
        self.assertGreater(self.assert_told_apart(tools.Check(document, policy, False), [chr(n) for n in range(256)]), 20)

    def test_names(self):
        resolver = names.Resolver(b"no-resolv\nserver=/a.example.com/10.0.0.53\nlocal=/*.b-1.com/\n")
        policy = {"rules": [{"block": "net", "direction": "connect", "effect": "allow", "except": [], "endpoints": [
            {"name": "*.example.com", "ports": [[443, 443]], "sets": {}}]}], "gaps": [], "resolvers": []}
        self.assertGreater(self.assert_told_apart(names.Check(resolver, policy, False), "abcdelmnopx.!-1é_"), 20)

    def test_a_long_text(self):
        """Of a certificate that somebody made to be read for long."""
        policy = {"rules": [{"block": "file", "effect": "allow", "verbs": ["read"], "patterns": ["/data/**"], "except": []}], "gaps": []}
        check = paths.Check([paths.Everything], policy, False)
        check.after("/data/" + "ab/" * 500_000)
        with self.assertRaisesRegex(Refuted, "is nothing that a path begins with"):
            check.after("/data/" + "ab/" * 10 + "/")
        self.assertLess(len(check.known), 100)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=0)
