#!/usr/bin/python3
"""kernels.py AGP LAUNCHER ATTEMPTS FOLDER: the same attempts under Debian's cloud kernels, in QEMU.

FOLDER (in the build tree) keeps the kernels; one that is not there is downloaded as a package and unpacked, never
installed. The short tier boots the first. What can't be had is skipped, counted and named; exits 77 if nothing ran.
"""
import glob
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import debian  # noqa: E402
import world  # noqa: E402

# Suite, built-in target, and the Landlock ABI that its kernel must turn out to have.
KERNELS = [("bookworm", "debian-12", 2), ("bookworm-backports", "debian-13", 6)]
LIMIT = 500  # seconds for one boot, by emulation on a busy machine

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs etc /etc
mount -t tmpfs tree /tree
echo x > /etc/passwd
ip link set lo up
echo BEGIN
n=0
while read -r words; do
  for rules in free held; do
    cp -a /image/. /tree/
    echo "$words" > /tree/list
    echo "$n $rules $(/launcher --ruleset /$rules.json --user 65534:65534 -- /tree/bin/attempts /tree/list 2>&1)"
    rm -rf /tree/*
  done
  n=$((n + 1))
done < /attempts.list
echo END
poweroff -f
"""
# Nothing but the change of the user: a layer that does not grant `refer` refuses renames between directories.
FREE = ('{"ruleset":[{"handledAccessFs":["make_char","refer"]}],'
        '"pathBeneath":[{"allowedAccess":["refer"],"parent":["/tree/"]}]}')


def download(suite, folder, arch="amd64", image="linux-image-cloud-amd64"):
    """Unpacks the suite's newest kernel IMAGE for ARCH into FOLDER/SUITE. What went wrong, or nothing."""
    where = pathlib.Path(folder, suite)
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    try:
        source = debian.Suite(suite, where / "apt", arch)
        found = re.search(r"Depends: (linux-image-\S+)", source.depends(image))
        if not found:
            return f"the suite has no {image}"
        package = found[1]
        binary = re.search(r"Depends: (linux-binary-\S+)", source.depends(package))  # where signed images have the kernel elsewhere
        for name in [package] + ([binary[1]] if binary else []):
            source.unpack(name, where / "root")
    except debian.Unavailable as why:
        return str(why)
    for extra in ("apt", "root/lib", "root/usr"):
        shutil.rmtree(where / extra, ignore_errors=True)
    return None if kernel(suite, folder) else "the package holds no kernel"


def kernel(suite, folder):
    found = sorted(glob.glob(f"{folder}/{suite}/root/boot/vmlinuz-*"))
    return found[-1] if found else None


def archive(root):
    """A directory as a cpio archive in the kernel's `newc` form (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    out = bytearray()

    def add(name, mode, data, uid):
        out.extend(b"070701" + b"".join(b"%08X" % v for v in
                                        (len(out), mode, uid, uid, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)))
        out.extend(name.encode() + b"\0")
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(data)
        out.extend(b"\0" * (-len(out) % 4))
    for path in sorted(pathlib.Path(root).rglob("*")):
        status = path.lstat()
        data = (os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if stat.S_ISREG(status.st_mode) else b"")
        uid = 65534 if path.parts[len(pathlib.Path(root).parts)] == "image" else 0
        add(str(path.relative_to(root)), status.st_mode, data, uid)
    add("TRAILER!!!", 0, b"", 0)
    return bytes(out)


def image(scratch, launcher, program, ruleset):
    root = pathlib.Path(scratch, "root")
    for folder in ("bin", "proc", "dev", "etc", "tree"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in ("sh", "mount", "cp", "rm", "ip", "poweroff"):
        os.symlink("busybox", root / "bin" / name)
    world.make(str(root / "image"), program)
    shutil.copy(launcher, root / "launcher")
    shutil.copy(ruleset, root / "held.json")
    (root / "free.json").write_text(FREE)
    (root / "attempts.list").write_text("".join(w.replace("{T}", "/tree") + "\n" for w, _ in attempts()))
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    file = pathlib.Path(scratch, "initramfs")
    file.write_bytes(archive(root))
    return file


def attempts():
    return world.ATTEMPTS + [("connect 4701", True), ("connect 4703", False), ("bind 4702", True), ("bind 4704", False)]


def boot(vmlinuz, initramfs):
    words = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max,-cx16", "-m", "512", "-nographic", "-no-reboot",
             "-nic", "none", "-kernel", vmlinuz, "-initrd", str(initramfs), "-append", "console=ttyS0 panic=-1 quiet"]
    for _ in range(2):
        try:
            out = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            continue
        if "BEGIN" in out and "END" in out:
            return out.replace("\r", "")
    return None


def one(agp, launcher, program, vmlinuz, target, abi):
    faults = []
    with tempfile.TemporaryDirectory(prefix="agp-landlock-vm-") as scratch:
        policy, built = f"{scratch}/policy.agp", f"{scratch}/built"
        with open(policy, "w") as f:
            f.write(world.policy(abi))
        done = subprocess.run([agp, "build", policy, "-o", built, "--target", target, "--set", "tree=/tree"], capture_output=True,
                              text=True)
        if done.returncode:
            return [f"agp build: {done.returncode}\n{done.stdout}{done.stderr}"]
        out = boot(vmlinuz, image(scratch, launcher, program, f"{built}/landlock/ruleset.json"))
    if out is None:
        return ["the kernel did not boot and finish in time, twice"]
    seen = {(int(n), rules): answer for n, rules, answer in re.findall(r"^(\d+) (free|held) (.*)$", out, re.M)}
    for n, allowed in enumerate(world.expected(attempts(), abi)):
        words = attempts()[n][0]
        free, held = seen.get((n, "free")), seen.get((n, "held"))
        if free != "ok":
            faults.append(f"{words}: without the rules {free}")
        if (held == "ok") != allowed or not (allowed or held in ("EACCES", "EXDEV")):
            faults.append(f"{words}: {held}, and at ABI {abi} the rules say {'allow' if allowed else 'deny'}")
    return faults


def main():
    agp, launcher, program, folder = sys.argv[1:5]
    if not shutil.which("qemu-system-x86_64") or not os.path.exists("/bin/busybox"):
        print(f"skipped {len(KERNELS)} kernels: no qemu-system-x86_64, or no static busybox")
        sys.exit(77)
    faults, ran = [], 0
    for suite, target, abi in KERNELS if os.environ.get("AGP_LONG") else KERNELS[:1]:
        why = None if kernel(suite, folder) else download(suite, folder)
        if why:
            print(f"skipped the kernel of {suite}: {why}")
            continue
        ran += 1
        found = one(agp, launcher, program, kernel(suite, folder), target, abi)
        print(f"{suite}, ABI {abi}: {len(attempts())} attempts, {len(found)} faults")
        faults += [f"{suite}: {f}" for f in found]
    print("\n".join(faults))
    sys.exit(1 if faults else 0 if ran else 77)


if __name__ == "__main__":
    main()
