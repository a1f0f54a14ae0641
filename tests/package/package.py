#!/usr/bin/python3
"""The archive and the Debian package, each in a bare Debian 12 without compilers: agp checks, builds and proves the
example there. Needs root, debootstrap and the network: where one is missing, a counted skip says so.

  package.py BUILD
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cases import Skip, expect, run_all

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
MIRROR = os.environ.get("AGP_MIRROR")  # else the one that this machine's own packages come from
EXAMPLE = ROOT / "docs/examples/code-execution.agp"


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=800, **more)


def inside(root, script, **variables):
    """A shell script in the root, with /proc and a network, and nothing of the host's beside them. The mounts are the
    script's own and end with it."""
    enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive sh -ec "$1"'
    for name, value in variables.items():
        script = f"export {name}={value}\n{script}"
    return run("unshare", "--mount", "--pid", "--fork", "sh", "-ec", enter, root, script)


def mirror():
    if MIRROR:
        return [MIRROR]
    sites = run("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Codename: bookworm")
    return sites.stdout.split()[:1]  # none: debootstrap's own default


def works(done):
    expect(done.returncode == 0, f"exit status {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    return done.stdout


class Suite:
    def __init__(self, scratch):
        self.scratch = pathlib.Path(scratch)
        self.bare = None

    def packages(self):
        out = self.scratch / "package"
        if not out.exists():
            works(run(ROOT / "scripts/package", out, env={**os.environ, "AGP_BUILD": str(BUILD)}))
        deb, = out.glob("*.deb")
        archive, = out.glob("*.tar.gz")
        return deb, archive

    def root(self, name):
        """A fresh copy of a bare bookworm, with the example in /work."""
        if os.geteuid() != 0:
            raise Skip("a root of its own needs root")
        if not shutil.which("debootstrap"):
            raise Skip("debootstrap is not installed")
        if self.bare is None:
            bare = self.scratch / "bare"
            made = run("debootstrap", "--variant=minbase", "bookworm", bare, *mirror())
            if made.returncode != 0:
                last = (made.stdout + made.stderr).strip().splitlines()[-1:] or ["no reason given"]
                raise Skip(f"debootstrap can't make a bookworm here: {last[0]}")
            self.bare = bare
        root = self.scratch / name
        works(run("cp", "-a", self.bare, root))
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        (root / "work").mkdir()
        shutil.copy(EXAMPLE, root / "work/example.agp")
        expect(not list(root.glob("usr/bin/*gcc*")) and not list(root.glob("usr/lib/*/libz3*")), "the root is not bare")
        return root

    def the_example(self, root, agp, **variables):
        version = json.loads(works(inside(root, f"{agp} version --format json", **variables)))
        expect(version["solver"].startswith("Z3 4."), version)
        works(inside(root, f"cd /work && {agp} check example.agp", **variables))
        done = inside(root, f"cd /work && rm -rf out && {agp} build example.agp -o out", **variables)
        works(done)
        expect(" proved" in done.stderr and "refuted" not in done.stderr and "unknown" not in done.stderr, done.stderr)
        expect((root / "work/out/seccomp/profile.json").exists(), "nothing was built")

    def archive_in_a_bare_root(self):
        root = self.root("archive")
        works(run("tar", "-C", root / "opt", "-xzf", self.packages()[1]))
        home, = (root / "opt").iterdir()
        agp = f"/opt/{home.name}/bin/agp"
        self.the_example(root, agp)
        # A library of the name elsewhere is not taken, wherever somebody points.
        (root / "work/libz3.so.4").write_text("not a library")
        self.the_example(root, agp, LD_LIBRARY_PATH="/work:.")
        # Moved as a whole it still finds what stands beside it.
        home.rename(root / "srv/elsewhere")
        self.the_example(root, "/srv/elsewhere/bin/agp")

    def package_in_a_bare_root(self):
        root = self.root("package-root")
        deb, _ = self.packages()
        shutil.copy(deb, root / "agp.deb")
        done = inside(root, "apt-get -qq update && apt-get -qq -y --no-install-recommends install /agp.deb")
        if done.returncode != 0 and "Failed to fetch" in done.stderr + done.stdout:
            raise Skip("the mirror does not answer")
        works(done)
        self.the_example(root, "agp")
        expect(works(inside(root, "dpkg --verify agp")) == "", "files differ from what the package says")
        files = works(inside(root, "dpkg -L agp"))
        for path in ("/usr/share/man/man1/agp.1.gz", "/usr/share/man/man1/agp-check.1.gz", "/usr/libexec/agp/agp-probe",
                     "/usr/share/bash-completion/completions/agp", "/usr/share/doc/agp/examples/code-execution.agp",
                     "/usr/share/doc/agp/tutorial.md"):
            expect(f"{path}\n" in files, f"{path} is not in the package")
        works(inside(root, "apt-get -qq -y remove agp"))
        expect(not (root / "usr/bin/agp").exists(), "the package leaves its binary")

    def twice_the_same_bytes(self):
        deb, archive = self.packages()
        again = self.scratch / "again"
        works(run(ROOT / "scripts/package", again, env={**os.environ, "AGP_BUILD": str(BUILD)}))
        for one in (deb, archive):
            expect(one.read_bytes() == (again / one.name).read_bytes(), f"{one.name} differs when it is made again")

    def image_from_the_package(self):
        if not shutil.which("podman"):
            raise Skip("podman is not installed")
        root = self.root("image")
        store = ["--root", self.scratch / "store", "--runroot", self.scratch / "store-run", "--storage-driver", "vfs"]
        tag = f"localhost/agp-test-{os.getpid()}"
        works(run("sh", "-ec", 'tar -C "$0" -c . | podman "$@"', root, *store, "import", "-", f"{tag}:base"))
        done = run("podman", *store, "build", "--isolation", "chroot", "--network", "host", "--build-arg", f"BASE={tag}:base",
                   "-t", f"{tag}:agp", "-f", ROOT / "Containerfile", self.packages()[0].parent)
        works(done)
        # Started as an image's command would be; runtime and mounts of podman itself are not what is tested here.
        mounted = works(run("podman", *store, "image", "mount", f"{tag}:agp")).strip()
        try:
            self.the_example(pathlib.Path(mounted), "/usr/bin/agp")
        finally:
            run("podman", *store, "image", "unmount", f"{tag}:agp")


def antlr_versions():
    def check(tool, runtime):
        return run("cmake", f"-DTOOL={tool}", f"-DRUNTIME={runtime}", "-P", ROOT / "cmake/antlr.cmake").returncode == 0
    for tool, runtime, fit in [("4.7.2", "4.9", True), ("4.9", "4.9", True), ("4.13.1", "4.13.2", True), ("4.7.2", "4.10", False),
                               ("4.10.1", "4.9", False), ("4.12", "4.13", False), ("4.1", "4.10", False), ("", "4.9", False), ("4.9", "", False)]:
        expect(check(tool, runtime) == fit, f"the tool {tool} and the runtime {runtime}")


def main():
    with tempfile.TemporaryDirectory(prefix="agp-package-") as scratch:
        suite = Suite(scratch)
        run_all("package", (antlr_versions, suite.twice_the_same_bytes, suite.archive_in_a_bare_root,
                            suite.package_in_a_bare_root, suite.image_from_the_package))


if __name__ == "__main__":
    main()
