"""A root of Debian 12's own packages, for programs that are too big to be installed for a test, or that the machine has
from elsewhere. Packages are downloaded by apt from the mirror that the machine uses and unpacked; nothing is installed
and none of their scripts runs."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

CACHE = pathlib.Path(os.environ.get("AGP_DEBIAN_ROOTS", "/var/tmp/agp-debian-roots"))


class Unavailable(Exception):
    pass


def run(*words, **options):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=900, check=False, **options)


def debian_sources():
    """The lines of the machine's own sources that are Debian 12's."""
    found = []
    for target in run("apt-get", "indextargets", "--format", "$(SITE)|$(SUITE)|$(COMPONENT)|$(CODENAME)|$(ORIGIN)|$(LABEL)",
                      "Created-By: Packages").stdout.splitlines():
        site, suite, component, codename, origin, _ = target.split("|")
        if origin == "Debian" and codename.startswith("bookworm") and "backports" not in codename:
            found.append(f"deb {site} {codename} {component}")
    return sorted(set(found))


def unpacked(packages):
    """The directory with `packages` and all that they depend on. Kept between runs."""
    name = hashlib.sha256(" ".join(sorted(packages)).encode()).hexdigest()[:16]
    root = CACHE / name
    if (root / ".complete").exists():
        return root
    sources = debian_sources()
    if not sources:
        raise Unavailable("this machine has no package source of Debian 12")
    CACHE.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="unfinished-", dir=CACHE))
    try:
        (work / "status").write_text("")
        (work / "list").write_text("\n".join(sources) + "\n")
        (work / "archives/partial").mkdir(parents=True)
        options = ["-o", f"Dir::State::status={work}/status", "-o", f"Dir::Etc::sourcelist={work}/list", "-o", "Dir::Etc::sourceparts=-",
                   "-o", f"Dir::Cache::archives={work}/archives", "-o", "APT::Install-Recommends=false", "-o", "APT::Sandbox::User=root"]
        done = run("apt-get", "-qq", "-y", *options, "--download-only", "install", *packages)
        archives = sorted((work / "archives").glob("*.deb"))
        if done.returncode != 0 or not archives:
            raise Unavailable(f"packages can't be downloaded: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        for archive in archives:
            done = run("dpkg-deb", "-x", archive, work / "root")
            if done.returncode != 0:
                raise Unavailable(f"{archive.name} can't be unpacked: {done.stderr.strip()}")
        merged(work / "root")
        configured(work / "root")
        (work / "root/.complete").write_text("".join(a.name + "\n" for a in archives))
        (work / "root").chmod(0o755)
        if not root.exists():
            (work / "root").rename(root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return root


def merged(root):
    """/bin, /lib and the like become links to those of /usr, as on every Debian 12, and
    absolute links lead to what is beneath the root."""
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        old = root / name
        if old.is_dir() and not old.is_symlink():
            run("cp", "-a", f"{old}/.", root / "usr" / name) if (root / "usr" / name).exists() else shutil.move(old, root / "usr" / name)
            shutil.rmtree(old, ignore_errors=True)
        if not old.exists() and (root / "usr" / name).exists():
            old.symlink_to(f"usr/{name}")
    for link in root.rglob("*"):
        if link.is_symlink() and (to := os.readlink(link)).startswith("/"):
            link.unlink()
            link.symlink_to(os.path.relpath(root / to.lstrip("/"), link.parent))


def configured(root):
    """What the packages' own scripts would have made: alternatives, and the file of all certificates."""
    for name, program in (("cc", "gcc"), ("c++", "g++")):
        if (root / "usr/bin" / program).exists() and not (root / "usr/bin" / name).is_symlink():
            (root / "usr/bin" / name).symlink_to(program)
    certificates = root / "etc/ssl/certs/ca-certificates.crt"
    if not certificates.exists() and (root / "usr/share/ca-certificates").exists():
        certificates.write_text("".join(c.read_text() for c in sorted((root / "usr/share/ca-certificates").rglob("*.crt"))))
