"""Packages of a suite of Debian, downloaded by apt from the archive that this machine uses already, and unpacked; never
installed. Nothing of the machine's own package state is read or changed."""
import glob
import pathlib
import re
import shutil
import subprocess


class Unavailable(Exception):
    """Why the packages can't be had."""


def mirror():
    """The archive that this machine already uses."""
    for name in glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*"):
        for line in open(name, errors="replace"):
            found = re.search(r"(https?://\S+/debian)/?(\s|$)", line)
            if found and not line.lstrip().startswith("#"):
                return found[1]
    return None


class Suite:
    """`name` with its lists and archives in `folder`, which must be deleted by whoever made it."""
    def __init__(self, name, folder, arch="amd64"):
        self.folder = pathlib.Path(folder).resolve()
        if not shutil.which("apt-get") or not mirror():
            raise Unavailable("no apt here")
        for part in ("lists/partial", "cache/archives/partial", "parts"):
            (self.folder / part).mkdir(parents=True)
        source = self.folder / "sources.list"
        source.write_text(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror()} {name} main\n")
        self.own = [f"-oDir::Etc::sourcelist={source}", f"-oDir::Etc::sourceparts={self.folder}/parts",
                    f"-oDir::State::lists={self.folder}/lists", f"-oDir::Cache={self.folder}/cache", "-oAPT::Sandbox::User=root",
                    "-oDir::State::status=/dev/null", f"-oAPT::Architecture={arch}", f"-oAPT::Architectures={arch}"]
        update = self.run("apt-get", "-qq", "update")
        if update.returncode:
            raise Unavailable("the suite can't be reached: " + update.stderr.strip().split("\n")[-1])

    def run(self, program, *words):
        try:
            return subprocess.run([program, *self.own, *words], cwd=self.folder, capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired as e:
            raise Unavailable(f"{program} does not end within {e.timeout:.0f} s") from e

    def depends(self, package):
        return self.run("apt-cache", "depends", package).stdout

    def unpack(self, package, where):
        got = self.run("apt-get", "-qq", "download", package)
        if got.returncode:
            raise Unavailable(f"{package} can't be downloaded: " + got.stderr.strip().split("\n")[-1])
        for deb in self.folder.glob("*.deb"):
            done = subprocess.run(["dpkg-deb", "-x", str(deb), str(where)], capture_output=True, text=True)
            deb.unlink()
            if done.returncode:
                raise Unavailable(f"{package} can't be unpacked: " + done.stderr.strip())
