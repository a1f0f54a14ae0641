"""Pods: what the kubelet and the runtime give the one container of a Pod of core/v1, from `pod.json` (the API reference of
Kubernetes 1.33; docs/decisions/0020 says from where the rest is). What is absent is not the safe value, so that each
default stands here; a field that is not understood is none that can be passed over. That the stack's `prepare` has made
the empty image and the node's files is an assumption."""
import fractions
import re

from .containers import EMPTY_ROOT, SETS, SHARED, Container
from .documents import known, strict_json
from .formulas import Unusable
from .mounts import NODES, Mount, canonical

# Where it is scheduled, and what the API server writes down about it, decides nothing here.
PASSED_OVER = ("affinity", "nodeName", "nodeSelector", "preemptionPolicy", "priority", "priorityClassName", "schedulerName",
               "serviceAccount", "serviceAccountName", "tolerations", "topologySpreadConstraints")
SPEC = ("activeDeadlineSeconds", "automountServiceAccountToken", "containers", "dnsPolicy", "enableServiceLinks", "hostIPC", "hostNetwork", "hostPID",
        "hostname", "restartPolicy", "securityContext", "shareProcessNamespace", "terminationGracePeriodSeconds", "volumes")
CONTAINER = ("name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "resources", "securityContext", "terminationMessagePath",
             "terminationMessagePolicy", "volumeMounts", "stdin", "stdinOnce", "tty")
OF_POD = ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "sysctls", "supplementalGroups", "supplementalGroupsPolicy", "fsGroup")
OF_CONTAINER = ("privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities", "runAsUser", "runAsGroup", "runAsNonRoot",
                "seccompProfile", "procMount")
SERVICE = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTPS", "PORT", "PORT_443_TCP", "PORT_443_TCP_PROTO", "PORT_443_TCP_PORT", "PORT_443_TCP_ADDR")
VARIABLES = ("HOME", "HOSTNAME", "PATH", *(f"KUBERNETES_{name}" for name in SERVICE))
DEFAULT_CAPABILITIES = {f"CAP_{name}" for name in (                              # containerd, pkg/oci
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",
    "AUDIT_WRITE")}
MASKED = ("acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")
STACK = {"dev": ("tree", "Directory"), "sys": ("tree", "Directory"), "denied-directory": ("nothing", "Directory"), "denied-file": ("nothing", "File"),
         "empty-file": ("file", "File")}
POWERS = {"": 1, "n": "1/1000000000", "u": "1/1000000", "m": "1/1000", **{c: 1000 ** n for n, c in enumerate("kMGTPE", 1)},
          **{f"{c}i": 1024 ** n for n, c in enumerate("KMGTPE", 1)}}
NO_PING = ("net.ipv4.ping_group_range", "1 0")


def part(thing, keys, what):
    """Without what is null, which is absent."""
    return {name: value for name, value in known(thing, keys, what).items() if value is not None}


def typed(thing, name, kind, default=None):
    value = thing.get(name, default)
    if value is not default and (type(value) is not kind or (kind is str and "\0" in value)):
        raise Unusable(f"`{name}` is of another type")
    return value


def items(thing, name):
    return typed(thing, name, list, [])


def count(thing, name, most=2 ** 31 - 1):
    value = typed(thing, name, int)
    if value is not None and not 0 <= value <= most:
        raise Unusable(f"`{name}` is no number up to {most}")
    return value


def has_to_be(thing, name, value, why):
    if thing.get(name) != value or type(thing[name]) is not type(value):
        raise Unusable(f"`{name}` is not `{value}`: {why}")


def literal(text):
    """`$(NAME)` is expanded, `$$` is one `$`, and any other `$` itself."""
    if not isinstance(text, str) or "\0" in text:
        raise Unusable("a word or a value is no text")
    if "$(" in re.findall(r"(?s)\$\$|\$\(|.", text):                             # from left to right: `$$(` is `$(` itself
        raise Unusable(f"`{text}` has `$(`, which the kubelet expands")
    return text.replace("$$", "$")


def quantity(thing, name):
    """Thousandths of a number with a suffix (apimachinery, resource.Quantity), where it is a whole number of them."""
    value = thing.get(name, 0)
    match = re.fullmatch(r"\+?(?=\.?[0-9])([0-9]*\.?[0-9]*)(?:([a-zA-Z]{0,2})|[eE]([+-]?[0-9]{1,2}))", str(value), re.A)
    if type(value) not in (int, str) or not match or (match[3] is None and match[2] not in POWERS) or len(match[1]) > 31:
        raise Unusable(f"`{name}` is no quantity: {value!r}")
    digits = fractions.Fraction("0" + match[1] if match[1][0] == "." else match[1].rstrip("."))
    out = 1000 * digits * (fractions.Fraction(POWERS[match[2]]) if match[3] is None else fractions.Fraction(10) ** int(match[3]))
    if out.denominator != 1 or out >= 2 ** 63:
        raise Unusable(f"`{name}` is too large, or finer than a thousandth: {value!r}")
    return int(out)


def whole(thing, name):
    out = quantity(thing, name)
    if out % 1000:
        raise Unusable(f"`{name}` is no whole number")
    return out // 1000


def metadata(thing):
    """No annotations: runtimes and plugins take orders from them."""
    out = part(thing.get("metadata"), ("name", "namespace", "labels", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"), "`metadata`")
    labels = typed(out, "labels", dict, {})
    if not typed(out, "name", str) or not all(isinstance(value, str) for value in labels.values()):
        raise Unusable("it has no name, or labels that are no texts")
    return out["name"], typed(out, "namespace", str, ""), labels


class Pod:
    def __init__(self, content, policy):
        self.out, self.pings = Container(), True
        pod = part(strict_json(content, "the pod"), ("apiVersion", "kind", "metadata", "spec", "status"), "the pod")
        has_to_be(pod, "apiVersion", "v1", "it is no Pod of core/v1")
        has_to_be(pod, "kind", "Pod", "it is no Pod of core/v1")
        self.name, self.namespace, self.labels = metadata(pod)
        if self.name != policy["policy"]:
            raise Unusable("the pod is not called as the policy is, whose files the stack makes")
        spec = part(pod.get("spec"), SPEC + PASSED_OVER, "`spec`")
        has_to_be(spec, "automountServiceAccountToken", False, "the container gets a key to the API server")
        has_to_be(spec, "enableServiceLinks", False, "the container gets variables of every service")
        has_to_be(spec, "restartPolicy", "Never", "the container is started again")
        if (count(spec, "terminationGracePeriodSeconds") or 0) > 2 or "terminationGracePeriodSeconds" not in spec:
            raise Unusable("the container goes on behind its deadline")
        containers = items(spec, "containers")
        if len(containers) != 1:
            raise Unusable("there is not one container")
        one = part(containers[0], CONTAINER, "the container")
        self.out.holds_time, self.out.seconds = True, count(spec, "activeDeadlineSeconds")
        if self.out.seconds == 0:
            raise Unusable("a deadline of 0 is none that the API server takes")
        typed(spec, "hostname", str)
        self.spaces(spec)
        self.process(one)
        self.resources(part(one.get("resources", {}), ("limits", "requests"), "`resources`"))
        self.security(part(spec.get("securityContext", {}), OF_POD, "the pod's `securityContext`"),
                      part(one.get("securityContext", {}), OF_CONTAINER, "the container's `securityContext`"))
        self.volumes(spec, one)

    def spaces(self, spec):
        spaces = self.out.namespaces
        spaces.update(dict.fromkeys(SHARED, ""))
        for name, kind in (("hostNetwork", "network"), ("hostPID", "pid"), ("hostIPC", "ipc")):
            if typed(spec, name, bool):
                spaces[kind] = None
        if typed(spec, "shareProcessNamespace", bool):
            spaces["pid"] = "the pod's"

    def process(self, one):
        out = self.out
        if typed(one, "name", str) is None:
            raise Unusable("the container has no name")
        has_to_be(one, "image", "localhost/agp-root:latest", "its files are not decided here")
        has_to_be(one, "imagePullPolicy", "Never", "another image may be fetched")
        if any(typed(one, name, bool) for name in ("stdin", "stdinOnce", "tty")):
            raise Unusable("there is a way in that stays open, or a terminal")
        if not items(one, "command"):
            raise Unusable("there is no `command`: the image's own would start")
        out.args = [literal(word) for word in one["command"] + items(one, "args")]
        out.cwd = typed(one, "workingDir", str) or "/"
        environment = dict.fromkeys(VARIABLES, "")
        names = []
        for variable in items(one, "env"):
            variable = part(variable, ("name", "value"), "a variable")           # `valueFrom` is somebody else's value
            names.append(typed(variable, "name", str))
            if not names[-1] or "=" in names[-1] or len(set(names)) < len(names):
                raise Unusable("a variable has no name, or that of another")
            environment[names[-1]] = literal(variable.get("value", ""))
        out.environment = list(environment.items())

    def resources(self, groups):
        """A bound of 0 is none. Requests are the scheduler's; swap is the kubelet's, and `NoSwap` by default."""
        for name in ("limits", "requests"):
            bounds = part(groups.get(name, {}), ("cpu", "memory", "ephemeral-storage"), f"`{name}`")
            whole(bounds, "ephemeral-storage")                                   # looked at from time to time
            milli, memory = quantity(bounds, "cpu"), whole(bounds, "memory")
            if name == "limits":
                self.out.quota = max(milli * 100, 1000) if milli else None       # pkg/kubelet/cm, MilliCPUToQuota
                self.out.memory = self.out.memory_and_swap = memory or None

    def security(self, pod, own):
        out, both = self.out, {**pod, **own}                                     # the container's counts
        out.user = [count(both, "runAsUser") or 0, count(both, "runAsGroup") or 0]
        if typed(both, "runAsNonRoot", bool) and out.user[0] == 0:
            raise Unusable("`runAsNonRoot` contradicts the user, which is root")
        out.user += [count({"supplementalGroups": g}, "supplementalGroups") for g in items(pod, "supplementalGroups")]
        out.user += [count(pod, "fsGroup")] if "fsGroup" in pod else []
        typed(pod, "supplementalGroupsPolicy", str)                              # the empty image names no groups
        for one in items(pod, "sysctls"):
            one = part(one, ("name", "value"), "a sysctl")
            if not typed(one, "name", str) or typed(one, "value", str) is None or one["name"] in out.sysctls:
                raise Unusable("a sysctl has no name and value, or stands there twice")
            out.sysctls[one["name"]] = one["value"]
        self.pings = NO_PING not in out.sysctls.items()
        profile = part(both.get("seccompProfile"), ("type", "localhostProfile"), "`seccompProfile`")
        if profile != {"type": "Localhost", "localhostProfile": f"agp/{self.name}.json"}:
            raise Unusable("the filter is not the policy's own, or there is none")
        if typed(own, "privileged", bool) or typed(own, "procMount", str, "Default") != "Default":
            raise Unusable("the container gets the node, or what is masked in /proc")
        self.capabilities(part(own.get("capabilities", {}), ("add", "drop"), "`capabilities`"))
        out.no_new_privileges = typed(own, "allowPrivilegeEscalation", bool) is False
        out.root = EMPTY_ROOT if typed(own, "readOnlyRootFilesystem", bool) is True else "another one"

    def capabilities(self, lists):
        """Names in any case, before which containerd puts `CAP_`: one that has it names nothing. None is ambient; root gets
        all of the bounding set at execve."""
        def names(key):
            out = {word.upper() for word in items(lists, key) if isinstance(word, str) and re.fullmatch("[A-Za-z_]+", word, re.A)}
            if len(items(lists, key)) != sum(isinstance(word, str) and word.upper() in out for word in items(lists, key)):
                raise Unusable("a capability is no name")
            if any(word.startswith("CAP_") for word in out):
                raise Unusable("a capability begins with `CAP_`, and names none to containerd")
            return {word if word == "ALL" else f"CAP_{word}" for word in out}
        add, drop = names("add"), names("drop")
        if "ALL" in add:
            raise Unusable("every capability is added, and runtimes differ in what drops them again")
        given = sorted((set() if "ALL" in drop else DEFAULT_CAPABILITIES - drop) | add)
        for one in SETS if self.out.user[0] == 0 else ("bounding", "effective", "permitted"):
            self.out.capabilities[one] = given

    # volumes

    def volumes(self, spec, one):
        volumes, used, mounts = {}, set(), self.out.mounts
        for volume in items(spec, "volumes"):
            volume = part(volume, ("name", "emptyDir", "hostPath"), "a volume")
            if not typed(volume, "name", str) or volume["name"] in volumes or len(volume) != 2:
                raise Unusable("a volume is not one of emptyDir and hostPath, with a name of its own")
            volumes[volume["name"]] = self.empty(volume["emptyDir"]) if "emptyDir" in volume else self.of_node(volume["hostPath"])
        for mount in items(one, "volumeMounts"):
            mount = part(mount, ("name", "mountPath", "readOnly", "recursiveReadOnly", "mountPropagation"), "a mount of a volume")  # `subPath` follows links
            name = typed(mount, "name", str)
            if name not in volumes or (name in used and volumes[name][0] == "tmpfs"):
                raise Unusable(f"`{name}` is no volume of the pod, or an empty one that is mounted already")
            used.add(name)
            mounts.append(self.mount(mount, *volumes[name]))
        if used != set(volumes) or len({m.target for m in mounts}) < len(mounts):
            raise Unusable("a volume is mounted nowhere, or two at one path")
        self.by_itself(canonical(typed(one, "terminationMessagePath", str) or "/dev/termination-log"))

    @staticmethod
    def empty(volume):
        """Root's, of mode 0777. On the node's disk its size is looked at from time to time only."""
        volume = part(volume, ("medium", "sizeLimit"), "`emptyDir`")
        if typed(volume, "medium", str, "") not in ("", "Memory"):
            raise Unusable("an empty directory has a medium that is not understood")
        size = whole(volume, "sizeLimit")
        return "tmpfs", "", False, size if size and volume.get("medium") == "Memory" else None

    def of_node(self, volume):
        volume, own = part(volume, ("path", "type"), "`hostPath`"), f"/var/lib/agp/{self.name}"
        path, kind = canonical(volume.get("path")), typed(volume, "type", str)
        if kind not in ("Directory", "File", "Socket", "CharDevice"):
            raise Unusable(f"{path}: what stands there is not said")
        if path == own or path.startswith(own + "/"):
            content, due = STACK.get(path[len(own) + 1:], (None, None))
            if due != kind:
                raise Unusable(f"{path} is no file that the stack makes, or of another type")
            return content, {"sys": "dev"}.get(path[len(own) + 1:], path[len(own) + 1:]), kind == "Directory", None
        if kind == "CharDevice" and path not in NODES:
            raise Unusable(f"{path} is a device that is not understood")
        return "device" if kind == "CharDevice" else "host", path, kind == "Directory", None

    @staticmethod
    def mount(mount, content, source, directory, size):
        target, writable, whole_tree = canonical(mount.get("mountPath")), not typed(mount, "readOnly", bool), typed(mount, "recursiveReadOnly", str, "")
        if target in ("/", "/proc") or target.startswith("/proc/") or ":" in target:
            raise Unusable(f"{target} is the runtime's own, or has a colon")
        if typed(mount, "mountPropagation", str, "None") not in ("None", "") or (writable and whole_tree):
            raise Unusable(f"{target} shows mounts that are made later, or is read-only and writable")
        if not writable and directory and whole_tree != "Enabled":
            raise Unusable(f"{target} is read-only, and what is mounted beneath its source stays writable")
        if writable and content in ("tree", "nothing", "file"):
            raise Unusable(f"{target} shows a file of the stack writable, and other pods see what is put there")
        of = {"mode": 0o777, "uid": 0, "gid": 0, "size": size} if content == "tmpfs" else {"source": source}
        return Mount(target, content, writable, content in ("host", "tmpfs", "file"), **of)

    def by_itself(self, log):
        """A volume takes the place of what the kubelet and the runtime mount at its path, but for the kubelet's file; one
        at /dev of the nodes too. Mounts are made by the depth of their paths."""
        mounts, own = self.out.mounts, []
        said = {m.target for m in mounts}
        if log in said:
            raise Unusable(f"{log} is a volume's, and the kubelet's file too")
        empty = {"mode": 0o1777, "uid": 0, "gid": 0}
        own += [Mount("/proc", "processes", True), Mount("/sys", "host", False, True, source="/sys"), Mount("/sys/fs/cgroup", "host", source="/sys/fs/cgroup")]
        if "/dev" not in said:
            own += [Mount("/dev", "tmpfs", True, **{**empty, "mode": 0o755}), *(Mount(path, "device", True, source=path) for path in NODES),
                    Mount("/dev/mqueue", "tmpfs", True, **empty), Mount("/dev/pts", "tmpfs", True, **{**empty, "mode": 0o755})]
        own.append(Mount("/dev/shm", "tmpfs", True, **empty))
        own += [Mount(path, "file", self.out.root != EMPTY_ROOT, True, source="empty-file") for path in ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")]
        own.append(Mount(log, "file", True, True, source="empty-file"))
        for m in own:
            if m.target not in {other.target for other in mounts}:
                mounts.append(m)
        mounts.sort(key=lambda m: m.target.count("/"))
        mounts += [Mount(f"/proc/{name}", "nothing") for name in MASKED]


def pod(content, policy):
    return Pod(content, policy).out
