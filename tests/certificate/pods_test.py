"""Pods and NetworkPolicies in certificates: each field of what agp writes is taken out and made another one, and agp and the
script are asked about it; what neither understands; and certificates about them that somebody changed."""
import copy
import json
import sys
import unittest

from support import ENFORCED, Containers, script

from certificate import settings
from certificate.formulas import Unusable

POLICY = """agp 1

policy podded {
  isolation container
  file {
    allow read, exec "/usr/**", "/srv/tools/**"
    deny  read, exec "/srv/tools/keys", "/srv/tools/keys/**"
    allow read, write, exec "/work/**"
    allow read, modify "/dev/urandom"
  }
  net {
    allow connect tcp 198.51.0.0/16:443 except 198.51.100.0/24:443
    allow connect tcp, udp [fd00::53]:53
    deny  connect tcp 198.51.7.7:443
    allow listen tcp any:[8080, 9000-9010] from 10.1.0.0/16
  }
  env { set "PATH" = "/usr/bin"   set "PRICE" = "$5 or $(HOME)" }
  limit { cpu 0.5   memory 512 MiB   time 10 min }
  run {
    command "/usr/bin/agent", "--cost", "$5"
    user    65534:65534
    workdir "/work"
    mount   tmpfs at "/work" writable size 64 MiB
  }
}
"""
NETWORK = "kubernetes/network-policy.json"


def places(thing, at=()):
    """The way to each member and element."""
    for key, value in thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ():
        yield (*at, key)
        yield from places(value, (*at, key))


def within(thing, way):
    for key in way:
        thing = thing[key]
    return thing


def without(thing, way):
    out = copy.deepcopy(thing)
    del within(out, way[:-1])[way[-1]]
    return out


def instead(thing, way, value):
    out = copy.deepcopy(thing)
    within(out, way[:-1])[way[-1]] = value
    return out


class Cluster(Containers):
    place = "kubernetes/pod.json"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.policy = cls.top / "podded.agp"
        cls.policy.write_text(POLICY)
        cls.prepare("kubernetes")
        cls.pod, cls.network = json.loads(cls.text), json.loads((cls.built / NETWORK).read_text())

    def agp_verifies(self, text, network=None):
        (self.alone / NETWORK).write_text(json.dumps(network or self.network))
        return super().agp_verifies(text)

    def test_whole(self):
        rows = [o for o in json.loads((self.certificate / "certificate.json").read_text())["obligations"] if o["artifact"].startswith("kubernetes/")]
        words = [*settings.OF_CONTAINERS, "sources", "mounts"]
        expected = {(settings.section(self.place, word), direction) for word in words for direction in ENFORCED} - {(f"{self.place} (namespaces)", "no loss")}
        self.assertEqual({(o["artifact"], o["direction"]) for o in rows}, expected | {(NETWORK, direction) for direction in ENFORCED}, self.said)
        for solver in ("z3", "cvc5"):
            done = self.check(self.certificate, self.built, "--solver", solver, *(() if solver == "z3" else ("--only", NETWORK)))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"holds         {NETWORK}: no loss", done.stdout)

    def test_without(self):
        """What is absent is not the safe value, but for what is written although its absence is the same, and what the
        NetworkPolicy selects the pod by, or leaves to it."""
        one, same = "spec.containers.0", ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostname", "dnsPolicy")
        expected = {"metadata.namespace", "metadata.labels", "metadata.labels.agp-policy", *(f"spec.{name}" for name in same), f"{one}.terminationMessagePath",
                    f"{one}.securityContext.privileged", *(f"spec.securityContext.{name}" for name in ("runAsNonRoot", "sysctls", "sysctls.0"))}
        expected |= {f"{one}.volumeMounts.{n}.readOnly" for n, m in enumerate(self.pod["spec"]["containers"][0]["volumeMounts"]) if not m["readOnly"]}
        proved = set()
        for way in places(self.pod):
            with self.subTest(way):
                if self.assert_same(json.dumps(without(self.pod, way))) == set():
                    proved.add(".".join(map(str, way)))
        self.assertEqual(proved, expected)

    def test_changes(self):
        spec, one = ("spec",), ("spec", "containers", 0)
        context, mounts = (*one, "securityContext"), (*one, "volumeMounts")
        listed = self.pod["spec"]["containers"][0]["volumeMounts"]
        at = lambda path: (*mounts, next(n for n, m in enumerate(listed) if m["mountPath"] == path))
        source = lambda path: ("spec", "volumes", next(n for n, v in enumerate(self.pod["spec"]["volumes"]) if v["name"] == within(self.pod, at(path))["name"]))
        for way, value, wrong in (
                ((*spec, "activeDeadlineSeconds"), 601, "resources:excess"), ((*spec, "activeDeadlineSeconds"), 599, "resources:loss"),
                ((*spec, "hostPID"), True, "namespaces:excess"), ((*spec, "hostNetwork"), True, "namespaces:excess"), ((*spec, "shareProcessNamespace"), True, "namespaces:excess"),
                ((*one, "command", 1), "--price", "process:excess process:loss"), ((*one, "args"), ["x"], "process:excess process:loss"),
                ((*one, "command", 2), "$5", ""), ((*one, "command", 2), "$$$5", "process:excess process:loss"),
                ((*one, "workingDir"), "/", "process:excess process:loss"), ((*one, "env"), [], "env:excess env:loss"),
                ((*one, "env", 0, "value"), "/bin", "env:excess env:loss"), ((*one, "env", 0, "name"), "HOME", "env:excess env:loss"),
                ((*one, "resources", "limits", "cpu"), "501m", "resources:excess"), ((*one, "resources", "limits", "cpu"), "0.5", ""), ((*one, "resources", "limits", "cpu"), "5e-1", ""),
                ((*one, "resources", "limits", "cpu"), "0", "resources:excess"), ((*one, "resources", "limits", "memory"), "0.5Gi", ""),
                ((*one, "resources", "limits", "memory"), "512M", "resources:loss"), ((*one, "resources", "limits", "memory"), 536870913, "resources:excess"),
                ((*one, "resources", "requests"), {"cpu": "2"}, ""),
                ((*context, "allowPrivilegeEscalation"), True, "process:excess"), ((*context, "capabilities", "add"), ["net_raw"], "capabilities:excess"),
                ((*context, "capabilities", "drop"), ["CHOWN"], "capabilities:excess"),
                ((*context, "runAsUser"), 65533, "process:excess process:loss"), ((*spec, "securityContext", "runAsGroup"), 0, "process:excess process:loss"),
                ((*spec, "securityContext", "supplementalGroups"), [0], "process:excess process:loss"), ((*spec, "securityContext", "fsGroup"), 7, "process:excess process:loss"),
                ((*spec, "securityContext", "sysctls"), [{"name": "net.ipv4.ip_forward", "value": "1"}], "namespaces:excess"),
                ((*source("/srv/tools"), "hostPath", "path"), "/srv", "sources:excess sources:loss"), ((*at("/usr"), "mountPath"), "/opt", None),
                ((*source("/work"), "emptyDir", "sizeLimit"), "67108865", "sources:excess sources:loss"), ((*source("/work"), "emptyDir", "sizeLimit"), "64Mi", ""),
                ((*source("/work"), "emptyDir", "medium"), "", "sources:excess sources:loss"), ((*at("/work"), "readOnly"), True, ":loss"),
                ((*at("/etc/hosts"), "mountPath"), "/etc/other", None)):
            with self.subTest(way, value=value):
                said = self.assert_same(json.dumps(instead(self.pod, way, value)))
                if wrong is not None:
                    self.assertEqual(said, {(s, f"no {d}") for s, _, d in (w.partition(":") for w in wrong.split())})
                else:
                    self.assertTrue(said)

    def test_not_understood(self):
        spec, one = ("spec",), ("spec", "containers", 0)
        context, mount = (*one, "securityContext"), (*one, "volumeMounts", 3)
        for way, value in (
                (("apiVersion",), "v2"), (("kind",), "pod"), (("Kind",), "Pod"), (("metadata", "annotations"), {}), (("metadata", "name"), "other"), (("metadata", "labels"), {"a": 1}),
                ((*spec, "initContainers"), []), ((*spec, "ephemeralContainers"), []), ((*spec, "hostUsers"), True), ((*spec, "runtimeClassName"), "x"), ((*spec, "hostpid"), True), ((*spec, "hostPID"), "false"),
                ((*spec, "enableServiceLinks"), True), ((*spec, "automountServiceAccountToken"), True), ((*spec, "automountServiceAccountToken"), 0), ((*spec, "restartPolicy"), "Always"),
                ((*spec, "terminationGracePeriodSeconds"), 3), ((*spec, "activeDeadlineSeconds"), 0), ((*spec, "activeDeadlineSeconds"), 600.0), ((*spec, "activeDeadlineSeconds"), 2 ** 31),
                ((*spec, "containers"), []), ((*spec, "containers"), self.pod["spec"]["containers"] * 2), ((*one, "image"), "localhost/agp-root:other"), ((*one, "imagePullPolicy"), "Always"),
                ((*one, "tty"), True), ((*one, "stdin"), True), ((*one, "lifecycle"), {}), ((*one, "volumeDevices"), []), ((*one, "envFrom"), []), ((*one, "ports"), []), ((*one, "command"), []),
                ((*one, "command", 2), "$(HOME)"), ((*one, "command", 2), "$$$(HOME)"), ((*one, "env", 0), {"name": "PATH", "valueFrom": {}}), ((*one, "env", 0, "name"), "A=B"), ((*one, "env", 0, "name"), "PRICE"),
                ((*one, "resources", "limits", "cpu"), "0.0001"), ((*one, "resources", "limits", "cpu"), 0.5), ((*one, "resources", "limits", "cpu"), "-1"), ((*one, "resources", "limits", "cpu"), "1x"),
                ((*one, "resources", "limits", "memory"), "1m"), ((*one, "resources", "limits", "memory"), "9Ei"), ((*one, "resources", "limits", "hugepages-2Mi"), "1"), ((*one, "resources", "claims"), []),
                ((*context, "privileged"), True), ((*context, "procMount"), "Unmasked"), ((*context, "appArmorProfile"), {}), ((*context, "seLinuxOptions"), {}), ((*context, "capabilities", "add"), ["ALL"]),
                ((*context, "capabilities", "drop"), [0]), ((*context, "capabilities", "drop"), ["CAP_CHOWN"]), ((*context, "capabilities", "add"), ["cap_chown"]), ((*context, "seccompProfile"), {"type": "Unconfined"}), ((*context, "seccompProfile"), {"type": "RuntimeDefault"}),
                ((*spec, "securityContext", "seccompProfile", "localhostProfile"), "agp/other.json"), ((*spec, "securityContext", "runAsUser"), -1), ((*spec, "securityContext", "windowsOptions"), {}),
                ((*mount, "subPath"), "x"), ((*mount, "recursiveReadOnly"), "IfPossible"), ((*mount, "recursiveReadOnly"), "Disabled"), ((*mount, "mountPropagation"), "HostToContainer"),
                ((*mount, "mountPath"), "/proc/sys"), ((*mount, "mountPath"), "/"), ((*mount, "mountPath"), "/a:b"), ((*mount, "mountPath"), "/work"), ((*mount, "mountPath"), "/srv/../x"), ((*mount, "name"), "none"),
                ((*one, "terminationMessagePath"), "/work"), ((*spec, "volumes"), []), ((*spec, "volumes", 0), {"name": "v0", "configMap": {}}), ((*spec, "volumes", 0, "hostPath", "type"), ""),
                ((*spec, "volumes", 0, "hostPath", "type"), "DirectoryOrCreate"), ((*spec, "volumes", 0, "hostPath", "type"), "File"), ((*spec, "volumes", 0, "hostPath", "path"), "/var/lib/agp/podded/other"),
                ((*spec, "volumes", 1, "hostPath", "path"), "/dev/sda"), ((*spec, "volumes", 0, "name"), "v1")):
            with self.subTest(way, value=value):
                text = json.dumps(instead(self.pod, way, value))
                self.assertIsNone(self.script_says(text))
                self.assertNotEqual(self.agp_says(text), set())

    # the NetworkPolicy

    def packets_say(self, network, pod=None):
        """What agp and the script find of the packets: directions, or None where it is not understood."""
        text = json.dumps(pod or self.pod)
        rows = [o for o in json.loads(self.agp_verifies(text, network).stdout)["obligations"] if o["artifact"] == NETWORK]
        by_agp, out = {o["direction"] for o in rows if o["verdict"] != "proved"} if rows else None, set()
        for o in self.rows(NETWORK):
            try:
                own = script.state(o, json.dumps(network).encode(), self.rules, {}, text.encode())
            except Unusable:
                out = None
                break
            if script.Solver("z3", 60).ask(own.text(script.violation(o, "s."))) == "sat":
                out.add(o["direction"])
        return by_agp, out

    def test_packets(self):
        excess, loss = {"no excess"}, {"no loss"}
        self.assertEqual(self.packets_say(self.network), (set(), set()))
        out = ("spec", "egress", next(n for n, rule in enumerate(self.network["spec"]["egress"]) if "except" in json.dumps(rule)))
        block, came = (*out, "to", 0, "ipBlock"), ("spec", "ingress", 0)
        for way, value, wrong in (
                ((*out, "ports", 0, "port"), 444, excess | loss), ((*out, "ports", 0, "endPort"), 444, excess), ((*out, "ports", 0, "protocol"), "UDP", excess | loss),
                ((*out, "ports", 0, "protocol"), "SCTP", excess | loss), ((*out, "ports"), [], excess), ((*out, "ports"), [{"protocol": "TCP"}], excess), ((*out, "to"), [], excess),
                ((*block, "except"), [], excess), ((*block, "except"), [*within(self.network, (*block, "except")), "198.51.0.0/24"], loss), ((*block, "cidr"), "198.50.0.0/15", excess),
                ((*came, "from", 0, "ipBlock", "cidr"), "10.1.0.0/17", loss), ((*came, "from"), [], excess), (("spec", "egress"), [], loss), (("spec", "ingress"), [], loss),
                (("spec", "egress"), [{}], excess), (("spec", "policyTypes"), ["Ingress"], excess), (("spec", "policyTypes"), ["Egress"], excess), (("spec", "policyTypes"), [], set()),
                (("spec", "podSelector"), {}, set()), (("spec", "podSelector", "matchLabels"), {"agp-policy": "other"}, excess), (("metadata", "namespace"), "other", excess),
                (("spec", "podSelector"), {"matchExpressions": [{"key": "agp-policy", "operator": "Exists"}]}, set()),
                (("spec", "podSelector"), {"matchExpressions": [{"key": "agp-policy", "operator": "NotIn", "values": ["podded"]}]}, excess),
                # and what neither understands
                ((*out, "to", 0), {"podSelector": {}}, None), ((*block, "cidr"), "198.51.0.1/16", None), ((*block, "cidr"), "198.51.0.0/016", None), ((*block, "cidr"), "::ffff:198.51.0.0/112", None),
                ((*block, "except"), ["198.50.0.0/24"], None), ((*out, "ports", 0, "port"), "https", None), ((*out, "ports", 0, "port"), 0, None), ((*out, "ports", 0, "endPort"), 442, None),
                (("metadata", "annotations"), {}, None), (("spec", "PolicyTypes"), ["Ingress"], None), (("spec", "policyTypes"), ["egress"], None), (("metadata", "namespace"), None, None),
                (("apiVersion",), "cilium.io/v2", None)):
            with self.subTest(way, value=value):
                self.assertEqual(self.packets_say(instead(self.network, way, value)), (wrong, wrong))
        # of two that select it either lets something pass
        more = instead(self.network, ("spec", "egress"), [{"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]}])
        listed = lambda *some: {"apiVersion": "v1", "kind": "List", "items": list(some)}
        self.assertEqual(self.packets_say(listed(self.network, more)), (excess, excess))
        self.assertEqual(self.packets_say(listed(self.network, instead(more, ("metadata", "namespace"), "other"))), (set(), set()))
        self.assertEqual(self.packets_say(listed()), (excess, excess))
        # sockets that no NetworkPolicy decides
        self.assertEqual(self.packets_say(self.network, without(self.pod, ("spec", "securityContext", "sysctls"))), (excess, excess))
        raw = instead(self.pod, ("spec", "containers", 0, "securityContext", "capabilities", "add"), ["NET_RAW"])
        self.assertEqual(self.packets_say(self.network, raw), (excess, excess))

    def test_certificate(self):
        built, certificate = self.copies()
        path = built / NETWORK
        path.write_text(path.read_text().replace("443", "444"))
        self.assert_refuted(certificate, built, f"{NETWORK} is not what the certificate is about", only=[NETWORK])
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, f"refuted       {NETWORK}: no excess", f"refuted       {NETWORK}: no loss", only=[NETWORK])
        # the pod is a part of it
        built, certificate = self.copies()
        (built / self.place).write_text(json.dumps(instead(self.pod, ("metadata", "labels"), {"agp-policy": "other"})))
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, f"refuted       {NETWORK}: no excess", only=[NETWORK])
        (built / self.place).write_text(json.dumps(instead(self.pod, ("spec", "activeDeadlineSeconds"), 601)))
        self.refresh(certificate, built)
        self.assert_refuted(certificate, built, f"refuted       {self.place} (resources): no excess: `time` is 601000", only=[f"{self.place} (resources)"])
        for section in (NETWORK, self.place, f"{self.place} (sources)", f"{self.place} (process)"):
            for gone in (ENFORCED, ENFORCED[:1], ENFORCED[1:]):
                with self.subTest(section, gone=gone):
                    built, certificate = self.copies()
                    self.forget(certificate, [self.obligation(certificate, section, direction) for direction in gone])
                    self.assert_refuted(certificate, built, f"the obligations are complete: {section}", "neither stated nor listed", only=["seccomp/profile.json"])
        # a statement of one file told of the other
        built, certificate = self.copies()
        row = self.obligation(certificate, NETWORK, "no excess")
        self.change(certificate, lambda index: next(o for o in index["obligations"] if o["file"] == row["file"]).update(artifact=self.place))
        done = self.check(certificate, built, "--only", self.place)
        self.assertNotEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=0)
