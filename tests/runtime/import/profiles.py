#!/usr/bin/python3
"""A container engine's default profile becomes a policy, and what is built of it replaces the profile.

  profiles.py docker|podman AGP LIBSECCOMP ATTEMPTS DOCKER_PROFILE

The profile is evaluated here a second time, as an engine does on x86_64 without further capabilities, so that runc can
load it as it is."""
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


ATTEMPTS_MADE = {"AF_INET": "29:2:1:0", "AF_VSOCK": "29:28:1:0", "AF_VSOCK + 2^32": "29:100000028:1:0"}


def errnos(attempts, seccomp, name):
    """What the attempts get in a container with this profile, by name."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = pathlib.Path(scratch)
        (bundle / "rootfs").mkdir()
        (bundle / "rootfs/attempts").write_bytes(pathlib.Path(attempts).read_bytes())
        (bundle / "rootfs/attempts").chmod(0o755)
        config = {
            "ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True},
            "process": {"terminal": False, "cwd": "/", "args": ["/attempts", *ATTEMPTS_MADE.values()],
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
        return dict(zip(ATTEMPTS_MADE, (int(n) for n in done.stdout.split())))


def main():
    which, agp, libseccomp, attempts, docker = sys.argv[1:]
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
        policy.write_text(done.stdout)
        check("imported", done.returncode == 0, done.stderr)
        check("proved equal as register values", "proved equal as register values" in done.stderr, done.stderr)
        check("the hole is reported with its witness", "socket(0x100000028)" in done.stderr, done.stderr)
        plain = work / "plain.json"
        plain.write_text(json.dumps(evaluated(json.loads(source.read_text()))))
        ours = run(agp, "build", policy, "-o", work / "built", "--emit", "seccomp", "-q")
        check("built, with its proofs", ours.returncode == 0, ours.stdout + ours.stderr)
        profile = work / "built/seccomp/profile.json"
        verified = run(agp, "verify", policy, "--oci-seccomp", profile)
        check("proved again from the file", verified.returncode == 0, verified.stdout + verified.stderr)
        wider = run(agp, "compare", profile, plain)
        check("what is built is not the source", wider.returncode == 1 and "permits less" in wider.stdout,
              wider.stdout + wider.stderr)
        check("… and the witness is the hole", "0x1000000" in wider.stdout, wider.stdout)
        bpf = work / "libseccomp.bpf"
        made = run(libseccomp, plain, bpf)
        check("libseccomp makes a program of the source", made.returncode == 0, made.stderr)
        same = run(agp, "compare", bpf, plain)
        check("its program is what the decoder makes of the source", same.returncode == 0, same.stdout + same.stderr)
        hole = run(agp, "verify", policy, "--seccomp", bpf)
        check("verify refutes libseccomp's program by the hole",
              hole.returncode == 1 and "socket(0x100000028)" in hole.stdout, hole.stdout)
        own = work / "own.bpf"
        made = run(libseccomp, profile, own)
        check("libseccomp makes a program of ours", made.returncode == 0, made.stderr)
        good = run(agp, "compare", own, profile)
        check("its program of ours is what the decoder makes of it", good.returncode == 0, good.stdout + good.stderr)
        if os.geteuid() != 0:
            print("skipped: the part under runc needs root")
        else:
            without = errnos(attempts, None, "none")
            theirs = errnos(attempts, json.loads(plain.read_text()), "theirs")
            mine = errnos(attempts, json.loads(profile.read_text()), "ours")
            eperm = 1
            check("without a filter the kernel does not refuse the call", without["AF_VSOCK + 2^32"] != eperm, str(without))
            check("both permit AF_INET", theirs["AF_INET"] == mine["AF_INET"] == without["AF_INET"], f"{theirs} {mine}")
            check("both refuse AF_VSOCK", theirs["AF_VSOCK"] == mine["AF_VSOCK"] == eperm, f"{theirs} {mine}")
            check("theirs lets AF_VSOCK + 2^32 through", theirs["AF_VSOCK + 2^32"] == without["AF_VSOCK + 2^32"], str(theirs))
            check("ours does not", mine["AF_VSOCK + 2^32"] == eperm, str(mine))
    sys.exit(0 if all(CHECKS) else 1)


main()
