"""Debian's Docker, downloaded and unpacked, never installed; and a daemon of it in namespaces of its own, of which nothing is
left when the process that entered them ends."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import debian  # noqa: E402

PACKAGES = ("docker.io", "containerd")
INSIDE = "AGP_TEST_DOCKER"   # set in the namespaces


def had(folder):
    """The directories of its programs. Raises debian.Unavailable."""
    folder = folder.resolve()
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        suite = debian.Suite("bookworm", folder / "apt")
        for package in PACKAGES:
            suite.unpack(package, folder)
        shutil.rmtree(folder / "apt")
        (folder / "complete").touch()
    return [str(folder / "usr/bin"), str(folder / "usr/sbin")]


def enter(folder):
    """This program again, where it sees mounts, processes and a network of its own: the caller's end is that of all."""
    if INSIDE not in os.environ:
        os.environ["PATH"] = ":".join([*had(folder), os.environ["PATH"]])
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child",
                              "--mount-proc", sys.executable, "-B", *sys.argv])
    done = subprocess.run(["sh", "-ec", """
        mount -t tmpfs -o mode=0755 none /var/lib   # where the stack keeps what its mounts show
        mount -t tmpfs -o mode=0755 none /run       # of dockerd, containerd and ip-netns(8)
        mkdir /run/etc                              # dockerd writes a key there
        cp -a /etc/. /run/etc
        mount --bind /run/etc /etc
        rm -rf /etc/docker
        ip link set lo up
        ip link add agp-other type veth peer name agp-peer || :   # what the container must not see
        """], capture_output=True, text=True)
    if done.returncode:
        raise debian.Unavailable("no file systems of its own here: " + done.stderr.strip())


class Daemon:
    """A dockerd without a network. `refused`: why it does not run."""

    def __init__(self, home, name):
        os.environ["DOCKER_HOST"] = f"unix://{home}/docker.sock"
        self.refused, self.group = None, f"{name}-daemon"
        with open(home / "log", "w") as log:
            self.process = subprocess.Popen(
                ["dockerd", f"--host={os.environ['DOCKER_HOST']}", f"--data-root={home}/data", f"--exec-root={home}/exec",
                 f"--pidfile={home}/pid", "--storage-driver=vfs", "--exec-opt=native.cgroupdriver=cgroupfs",
                 f"--cgroup-parent=/{self.group}", "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false",
                 "--ip-forward=false"], stdout=log, stderr=log)
        until = time.monotonic() + 60
        while subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                self.refused = (home / "log").read_text().strip().splitlines()[-1]
                return

    def end(self):
        self.process.terminate()
        self.process.wait(60)
        for group in pathlib.Path("/sys/fs/cgroup").glob(f"**/{self.group}"):
            group.rmdir()
