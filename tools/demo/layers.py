"""Which layer holds an attempt: shown by taking the layer away.

A removal edits the copy of a built directory, or the prepared namespace. What was refused by the layer alone then
succeeds; where it is still refused, a second layer is taken away as well, and the one that made the difference is named.
"""
import dataclasses
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess

from sandbox import PROBE_MOUNT, SECRETS, Failed, with_probe


def edit_config(tree, change):
    path = tree / "oci/config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def no_seccomp(tree, _):
    edit_config(tree, lambda c: c["linux"].pop("seccomp", None))


def own_capabilities():
    """What this process may hand on."""
    status = pathlib.Path("/proc/self/status").read_text()
    mask = min(int(l.split()[1], 16) for l in status.splitlines() if l.startswith(("CapPrm", "CapBnd")))
    return [name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1]


def all_capabilities(tree, _):
    sets = {s: own_capabilities() for s in ("bounding", "effective", "inheritable", "permitted", "ambient")}
    edit_config(tree, lambda c: c["process"].update(capabilities=sets))


def as_root(tree, _):
    edit_config(tree, lambda c: c["process"].update(user={"uid": 0, "gid": 0}))


def no_limits(tree, _):
    def change(config):
        config["linux"]["resources"] = {k: v for k, v in config["linux"].get("resources", {}).items() if k == "devices"}
        config["process"]["rlimits"] = []
    edit_config(tree, change)


def no_nftables(tree, _):
    # nft -f wants rules; a table without chains decides nothing.
    (tree / "nftables/egress.nft").write_text("table inet agp_demo_none {\n}\n")


def open_dns(tree, _):
    path = tree / "dns/dnsmasq.conf"
    lines = [l for l in path.read_text().splitlines() if l.split("=")[0] not in ("server", "local", "address", "filter-rr", "filter-AAAA")]
    upstream = [l.rsplit("/", 1)[-1] for l in path.read_text().splitlines() if l.startswith("server=")]
    path.write_text("\n".join([*lines, *sorted({f"server={u}" for u in upstream if u})]) + "\n")


def whole_environment(tree, _):
    edit_config(tree, lambda c: c["process"]["env"].extend(f"{k}={v}" for k, v in SECRETS.items()))


def no_mounts(tree, lines):
    """A root file system of the usual kind instead of an empty one: every path that an attempt names is there, writable
    and executable, and nothing is mounted over it but /proc, without masks."""
    def change(config):
        config["root"]["readonly"] = False
        proc = {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "nodev", "noexec"]}
        config["mounts"] = [proc] + [m for m in config["mounts"] if m["destination"] == PROBE_MOUNT]
        config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    edit_config(tree, change)


def populate(rootfs, lines):
    made = set()

    def directory(path):
        for d in [*reversed(path.parents), path]:
            if d != pathlib.Path("/") and d not in made:
                (rootfs / d.relative_to("/")).mkdir(exist_ok=True)
                os.chmod(rootfs / d.relative_to("/"), 0o777)
                made.add(d)

    os.chmod(rootfs, 0o777)
    for line in lines:
        a = line["attempt"]
        if not a.get("path", "").startswith("/") or a["path"].startswith("/proc/"):
            continue
        path, kind = pathlib.Path(a["path"]), a["kind"]
        if kind == "list":
            directory(path)
            continue
        directory(path.parent)
        if "to" in a:
            directory(pathlib.Path(a["to"]).parent)
        target = rootfs / path.relative_to("/")
        if kind == "connect-unix":
            # bind(2) wants a short path: the node is made where the process stands.
            here = os.getcwd()
            os.chdir(target.parent)
            s = socket.socket(socket.AF_UNIX)
            s.bind(target.name)
            s.listen(8)
            os.chdir(here)
            os.chmod(target, 0o777)
            SOCKETS.append(s)
        elif kind in ("read", "modify", "exec", "delete", "rename", "link") and a.get("needs") == "file" and not target.exists():
            if kind == "exec":
                shutil.copy(PROGRAM[0], target)
            else:
                target.write_text("stand-in\n")
            os.chmod(target, 0o777)


SOCKETS = []   # kept open while the process lives
PROGRAM = [""]  # the executor, to be copied where an attempt executes something


def ping_for_all(sandbox):
    subprocess.run(["ip", "netns", "exec", sandbox.namespace, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647"],
                   capture_output=True, check=True)


@dataclasses.dataclass(frozen=True)
class Removal:
    name: str                    # as the table prints it
    change: object = None        # on the copied tree, with the lines to be run
    prepared: object = None      # on the prepared sandbox, with the lines


REMOVALS = {
    "seccomp": Removal("seccomp", no_seccomp),
    "nftables": Removal("nftables", no_nftables),
    "dns": Removal("dns", open_dns),
    "oci mounts": Removal("oci mounts", no_mounts, lambda s, lines: populate(s.run_dir_rootfs(), lines)),
    "oci capabilities": Removal("oci capabilities", all_capabilities),
    "oci limits": Removal("oci limits", no_limits),
    "oci environment": Removal("oci environment", whole_environment),
    "oci user": Removal("oci user", as_root),
    "kernel ping_group_range": Removal("kernel ping_group_range", None, lambda s, lines: ping_for_all(s)),
}

# Where to look for a second layer, most likely first.
SECOND = {
    "seccomp": ["nftables", "oci capabilities", "oci mounts", "oci user"],
    "nftables": ["kernel ping_group_range", "seccomp", "dns"],
    "dns": ["nftables"],
    "oci mounts": ["oci user", "oci capabilities", "seccomp"],
    "oci capabilities": ["oci user"],
    "oci limits": ["oci user"],
    "oci environment": [],
}

# include/uapi/linux/capability.h, by number
CAPABILITIES = ["CAP_" + n for n in (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()]
