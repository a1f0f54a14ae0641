#!/usr/bin/python3
"""A container engine's default profile becomes a policy, and what is built of it replaces the profile.

  profiles.py docker|podman AGP LIBSECCOMP ATTEMPTS DOCKER_PROFILE

The profile is evaluated here a second time, as an engine does on x86_64 without further capabilities, so that runc can
load it as it is."""
import ctypes
import errno
import json
import os
import pathlib
import subprocess
import sys
import tempfile

CHECKS = []
KERNEL = (6, 1)  # of the target debian-12


def check(what, good, more=""):
    CHECKS.append(good)
    print(f"{'ok' if good else 'FAILED'}: {what}{'' if good else ': ' + more}")


def run(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=120, check=False)


def evaluated(profile):
    """What Docker or Podman gives to the runtime, for x86_64 alone and a container without capabilities."""
    def version(text):
        return tuple(int(n) for n in text.split(".")[:2])

    entries = []
    for entry in profile["syscalls"]:
        inc, exc = entry.get("includes") or {}, entry.get("excludes") or {}
        if "amd64" in (exc.get("arches") or []):
            continue
        if inc.get("arches") and "amd64" not in inc["arches"]:
            continue
        if inc.get("caps") or (inc.get("minKernel") and version(inc["minKernel"]) > KERNEL):
            continue
        kept = {k: entry[k] for k in ("names", "action", "errnoRet", "args") if entry.get(k) is not None}
        if "name" in entry and entry["name"]:
            kept["names"] = [entry["name"]]
        entries.append(kept)
    out = {"defaultAction": profile["defaultAction"], "architectures": ["SCMP_ARCH_X86_64"], "syscalls": entries}
    if "defaultErrnoRet" in profile:
        out["defaultErrnoRet"] = profile["defaultErrnoRet"]
    return out


def known(profile):
    """The profile without the names that this machine's libseccomp does not know, and drops. The decoder takes them for
    known where the target's kernel has no such call: nothing depends on it there, but a comparison sees it."""
    library = ctypes.CDLL("libseccomp.so.2")
    resolve = library.seccomp_syscall_resolve_name
    out = json.loads(json.dumps(profile))
    for entry in out["syscalls"]:
        entry["names"] = [n for n in entry["names"] if resolve(n.encode()) != -1]
    out["syscalls"] = [e for e in out["syscalls"] if e["names"]]
    return out


# What the source permits and its conditions look like refusing, as agp reports it; attempts of it; its errno.
HOLES = {
    "docker": ("socket(0x100000028)", {"refused": "29:28:1:0", "refused + 2^32": "29:100000028:1:0"}, errno.EPERM),
    "podman": ("socket(0x10, 0, 0x100000009)", {"refused": "29:10:3:9", "refused + 2^32": "29:10:3:100000009"},
               errno.EINVAL)}
PERMITTED = {"AF_INET": "29:2:1:0"}
RUN = '''
  run {
    command "/attempts"
    user 65534:65534
  }
}
'''


def errnos(attempts, made, seccomp, name):
    """What the attempts get in a container with this profile, by name."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = pathlib.Path(scratch)
        (bundle / "rootfs").mkdir()
        (bundle / "rootfs/attempts").write_bytes(pathlib.Path(attempts).read_bytes())
        (bundle / "rootfs/attempts").chmod(0o755)
        config = {
            "ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True},
            "process": {"terminal": False, "cwd": "/", "args": ["/attempts", *made.values()],
                        "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "network", "ipc", "uts")]}}
        if seccomp is not None:
            config["linux"]["seccomp"] = seccomp
        (bundle / "config.json").write_text(json.dumps(config))
        id_ = f"agp-import-{os.getpid()}-{name}"
        done = run("runc", "run", "--bundle", bundle, id_)
        run("runc", "delete", "--force", id_)
        assert done.returncode == 0, done.stderr
        return dict(zip(made, (int(n) for n in done.stdout.split())))


def main():
    which, agp, libseccomp, attempts, docker = sys.argv[1:]
    witness, made, refusal = HOLES[which]
    made = {**PERMITTED, **made}
    source = pathlib.Path(docker) if which == "docker" else pathlib.Path("/usr/share/containers/seccomp.json")
    if not source.exists():
        hint = "beside the checkout" if which == "docker" else "here: the package golang-github-containers-common has it"
        print(f"skipped: {source.name} is not {hint}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        (work / "agp.toml").write_text("")
        policy = work / "imported.agp"
        done = run(agp, "import", "--from", "oci-seccomp", source, "--project-root", work)
        policy.write_text(done.stdout.rstrip().removesuffix("}") + RUN)
        check("imported", done.returncode == 0, done.stderr)
        check("proved equal as register values", "proved equal as register values" in done.stderr, done.stderr)
        check("the hole is reported with its witness", witness in done.stderr, done.stderr)
        plain = work / "plain.json"
        plain.write_text(json.dumps(evaluated(json.loads(source.read_text()))))
        # A profile that others wrote permits what no policy of ours would: its findings are a baseline.
        recorded = run(agp, "check", policy, "--write-baseline", work / "baseline", "-q")
        check("its findings are recorded", recorded.returncode == 0, recorded.stdout + recorded.stderr)
        ours = run(agp, "build", policy, "-o", work / "built", "--emit", "seccomp", "-q", "--baseline", work / "baseline")
        check("built, with its proofs", ours.returncode == 0, ours.stdout + ours.stderr)
        profile = work / "built/seccomp/profile.json"
        verified = run(agp, "verify", policy, "--oci-seccomp", profile)
        check("proved again from the file", verified.returncode == 0, verified.stdout + verified.stderr)
        wider = run(agp, "compare", profile, plain)
        check("what is built is not the source", wider.returncode == 1 and "permits less" in wider.stdout,
              wider.stdout + wider.stderr)
        check("… and the witness is the hole", "socket(0x1" in wider.stdout, wider.stdout)
        bpf, source_known = work / "libseccomp.bpf", work / "known.json"
        source_known.write_text(json.dumps(known(json.loads(plain.read_text()))))
        done = run(libseccomp, source_known, bpf)
        check("libseccomp makes a program of the source", done.returncode == 0, done.stderr)
        same = run(agp, "compare", bpf, source_known)
        check("its program is what the decoder makes of the source", same.returncode == 0, same.stdout + same.stderr)
        hole = run(agp, "verify", policy, "--seccomp", bpf)
        check("verify refutes libseccomp's program by the hole",
              hole.returncode == 1 and witness in hole.stdout, hole.stdout)
        own, ours_known = work / "own.bpf", work / "ours.json"
        ours_known.write_text(json.dumps(known(json.loads(profile.read_text()))))
        done = run(libseccomp, ours_known, own)
        check("libseccomp makes a program of ours", done.returncode == 0, done.stderr)
        good = run(agp, "compare", own, ours_known)
        check("its program of ours is what the decoder makes of it", good.returncode == 0, good.stdout + good.stderr)
        if os.geteuid() != 0:
            print("skipped: the part under runc needs root")
            if all(CHECKS):
                sys.exit(77)
        else:
            without = errnos(attempts, made, None, "none")
            theirs = errnos(attempts, made, json.loads(plain.read_text()), "theirs")
            mine = errnos(attempts, made, json.loads(profile.read_text()), "ours")
            slips = "refused + 2^32"
            check("without a filter the kernel takes both for one call, and does not refuse it so",
                  without[slips] == without["refused"] != refusal, str(without))
            check("both permit AF_INET", theirs["AF_INET"] == mine["AF_INET"] == without["AF_INET"], f"{theirs} {mine}")
            check("both refuse the call", theirs["refused"] == mine["refused"] == refusal, f"{theirs} {mine}")
            check("theirs lets it through with a bit that the kernel ignores", theirs[slips] == without[slips],
                  str(theirs))
            check("ours does not", mine[slips] == refusal, str(mine))
    sys.exit(0 if all(CHECKS) else 1)


main()
