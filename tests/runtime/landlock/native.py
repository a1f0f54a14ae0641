#!/usr/bin/python3
"""native.py AGP LAUNCHER ATTEMPTS: a policy of the stack `launcher`, built, and its rules in the running kernel.

Every attempt is made without the layer first, as the same user, and must then succeed: a refusal is the layer's. Then
under the rules, the launcher started as root and not. Exits 77 without Landlock ABI 6.
"""
import ctypes
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

import world

USER = 65534
NET = [("connect 4701", True), ("connect 4703", False), ("bind 4702", True), ("bind 4704", False)]


def abi():
    value = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)
    return max(value, 0)


class Run:
    def __init__(self, agp, launcher, program, scratch, target):
        self.tree, self.launcher, self.program, self.faults = os.path.join(scratch, "tree"), launcher, program, []
        policy, built = os.path.join(scratch, "policy.agp"), os.path.join(scratch, "built")
        with open(policy, "w") as f:
            f.write(world.policy(7))
        done = subprocess.run([agp, "build", policy, "-o", built, "--target", target, "--set", f"tree={self.tree}"],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"agp build: {done.returncode}\n{done.stdout}{done.stderr}")
        self.ruleset = f"{built}/landlock/ruleset.json"
        with open(f"{built}/manifest.json") as f:
            self.manifest = json.load(f)
        self.built = built

    def attempt(self, words, layer, root):
        """What one attempt gives, in a fresh tree: `ok` or an errno."""
        world.make(self.tree, self.program, USER)
        with open(f"{self.tree}/list", "w") as f:
            f.write(words.replace("{T}", self.tree) + "\n")
        command = [f"{self.tree}/bin/attempts", f"{self.tree}/list"]
        if layer:
            command = [self.launcher, "--ruleset", self.ruleset, "--user", f"{USER}:{USER}", "--"] + command
        drop = {} if layer and root else {"user": USER, "group": USER, "extra_groups": []}
        done = subprocess.run(command, capture_output=True, text=True, **(drop if os.getuid() == 0 else {}))
        return done.stdout.strip() or f"{done.returncode}: {done.stderr.strip()}"

    def check(self, words, allowed, refusals, root):
        free = self.attempt(words, False, root)
        held = self.attempt(words, True, root)
        if free != "ok":
            self.faults.append(f"{words}: without the layer {free}")
        if (held == "ok") != allowed or not (allowed or held in refusals):
            self.faults.append(f"{words}: {held}, and the policy says {'allow' if allowed else 'deny'}")


def ports_are_plain_tcp(run):
    """A port that is denied is reached by MPTCP, and by MSG_FASTOPEN on kernels that look at connect(2) alone."""
    for words in ("mptcp 4703", "fastopen 4703"):
        if run.attempt(words, False, True) == "ok":
            held = run.attempt(words, True, True)
            print(f"{words}: {held}, though the port is denied to connect(2)")
            if held not in ("ok", "EACCES") or (held != "ok" and words.startswith("mptcp")):
                run.faults.append(f"{words}: {held}")
        else:
            print(f"{words}: skipped, this kernel has none")


def outer_socket(name):
    s = socket.socket(socket.AF_UNIX)
    s.bind("\0" + name)
    s.listen()
    return s


def launcher_refuses(run):
    """Nothing is skipped: each of these ends the launcher with its code before the command starts."""
    good = json.load(open(run.ruleset))
    cases = []

    def case(code, change, *words):
        text = json.loads(json.dumps(good))
        change(text)
        path = os.path.join(os.path.dirname(run.ruleset), f"case{len(cases)}.json")
        with open(path, "w") as f:
            json.dump(text, f)
        cases.append((code, ["--ruleset", path, *words]))

    def same(_):
        pass
    case(122, lambda j: j.update(extra=1))
    case(122, lambda j: j["ruleset"][0]["handledAccessFs"].append("fly"))
    case(122, lambda j: j["pathBeneath"][0]["parent"].append("/not/there/"))
    case(122, lambda j: j["pathBeneath"].append({"allowedAccess": ["read_file"], "parent": [run.tree]}))  # a directory
    case(122, lambda j: j["pathBeneath"].append({"allowedAccess": ["read_dir"], "parent": [f"{run.tree}/one.txt"]}))
    case(122, lambda j: j["pathBeneath"].append({"allowedAccess": ["read_file"], "parent": [f"{run.tree}/one.txt/"]}))
    case(122, lambda j: j["pathBeneath"].append({"allowedAccess": ["read_file"], "parent": ["relative"]}))
    case(122, lambda j: j["netPort"][0]["port"].append(65536))
    case(122, lambda j: j["ruleset"].append({"handledAccessFs": []}))
    if abi() < 9:
        case(123, lambda j: j["ruleset"][0]["handledAccessFs"].append("resolve_unix"))
    case(121, same, "--unknown")
    case(121, same, "--rlimit", "none=1")
    case(121, same, "--capability", "CAP_NOTHING")
    case(122, same, "--seccomp", run.ruleset + ".not")
    for code, words in cases:
        done = subprocess.run([run.launcher, *words, "--", f"{run.tree}/bin/attempts", "--nothing"], capture_output=True, text=True)
        if done.returncode != code:
            run.faults.append(f"launcher {words}: {done.returncode} {done.stderr.strip()}, and not {code}")
    whole = [run.launcher, "--ruleset", run.ruleset]
    for code, command in ((127, f"{run.tree}/bin/none"), (126, f"{run.tree}/one.txt"), (0, f"{run.tree}/bin/attempts")):
        done = subprocess.run(whole + ["--", command, "--nothing"], capture_output=True, text=True)
        if done.returncode != code:
            run.faults.append(f"launcher on {command}: {done.returncode} {done.stderr.strip()}, and not {code}")


def launcher_state(run):
    """User, groups, environment, limits, capabilities, descriptors and no_new_privs, as the command finds them."""
    ruleset = os.path.join(os.path.dirname(run.ruleset), "wide.json")
    with open(ruleset, "w") as f:
        json.dump({"abi": 1, "ruleset": [{"handledAccessFs": ["make_char"]}]}, f)
    r, w = os.pipe()
    os.set_inheritable(w, True)
    words = [run.launcher, "--ruleset", ruleset, "--env", "A=b c", "--pass-env", "KEEP_*", "--rlimit", "nofile=77",
             "--rlimit", "core=0", "--directory", "/usr"]
    if os.getuid() == 0:
        words += ["--user", f"{USER}:{USER}", "--capability", "CAP_NET_BIND_SERVICE"]
    done = subprocess.run(words + ["--", "/bin/busybox", "sh", "-c",
                                   "env; pwd; ulimit -n; id; grep -E 'Cap|NoNew|Groups' /proc/self/status; ls /proc/self/fd"],
                          env={"KEEP_me": "1", "DROP_me": "2"}, capture_output=True, text=True, close_fds=False)
    os.close(r)
    os.close(w)
    out = done.stdout
    wanted = ["A=b c\n", "KEEP_me=1\n", "\n/usr\n", "\n77\n", "NoNewPrivs:\t1"]
    if os.getuid() == 0:
        wanted += [f"uid={USER}", "CapEff:\t0000000000000400", "CapBnd:\t0000000000000400", "CapAmb:\t0000000000000400"]
    for text in wanted:
        if text not in out:
            run.faults.append(f"launcher's state: no {text!r} in {out!r}{done.stderr!r}")
    if "DROP_me" in out or f"\n{w}\n" in out:
        run.faults.append(f"launcher's state: something is left over in {out!r}")


def whole_stack(run):
    """The manifest's own commands, in a network namespace that is not the host's."""
    if os.getuid() != 0 or not shutil.which("nft"):
        print("the stack's commands: skipped, they need root and nft")
        return
    world.make(run.tree, run.program, USER)
    with open(f"{run.tree}/list", "w") as f:
        f.write(f"read {run.tree}/ro/a.txt\nread {run.tree}/out/a.txt\nconnect 4703\n")
    fill = {"{dir}": run.built, "{launcher}": run.launcher}

    def filled(word):
        for name, value in fill.items():
            word = word.replace(name, value)
        return word
    commands, script = run.manifest["stack"]["commands"], []
    for part in ("prepare", "run", "finally"):
        for command in commands[part]:
            script.append(shlex.join(filled(w) for w in command) + (" && " if part == "prepare" else "; "))
    done = subprocess.run(["unshare", "--net", "sh", "-c", "ip link set lo up; " + "".join(script)], capture_output=True, text=True)
    got = done.stdout.split()
    if got[:2] != ["ok", "EACCES"] or len(got) != 3 or got[2] == "ok":
        run.faults.append(f"the stack's commands: {got} {done.stderr.strip()}")


def main():
    agp, launcher, program = sys.argv[1:4]
    if abi() < 6:
        print(f"skipped: this kernel has Landlock ABI {abi()}")
        sys.exit(77)
    scratch = tempfile.mkdtemp(prefix="agp-landlock-")
    os.chmod(scratch, 0o755)
    if os.getuid() != 0:
        world.make.__defaults__ = (None,)
    try:
        for name in ("launcher", "attempts"):  # the agent's user has to reach them
            shutil.copy(launcher if name == "launcher" else program, f"{scratch}/{name}")
            os.chmod(f"{scratch}/{name}", 0o755)
        run = Run(agp, f"{scratch}/launcher", f"{scratch}/attempts", scratch, "linux-6.18")
        with outer_socket("agp-landlock-outer"):
            parent = os.getpid()
            for root in (True, False):
                for words, allowed in world.ATTEMPTS:
                    run.check(words, allowed, ("EACCES", "EXDEV"), root)
                for words, allowed in NET:
                    run.check(words, allowed, ("EACCES",), root)
                run.check("abstract agp-landlock-outer", False, ("EPERM",), root)
                if os.getuid() != 0:
                    break
            # what the plan calls wider is: no right decides attributes, and MPTCP passes a port's denial
            run.check("chmod {T}/out/a.txt", True, (), True)
            ports_are_plain_tcp(run)
            # a process outside of the domain, of the same user: without the scope it can be signalled
            other = subprocess.Popen(["/bin/sleep", "1000"], **({"user": USER} if os.getuid() == 0 else {}))
            try:
                run.check(f"signal {other.pid}", False, ("EPERM",), True)
            finally:
                other.kill()
                other.wait()
        launcher_refuses(run)
        launcher_state(run)
        whole_stack(run)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("\n".join(run.faults) or f"landlock: {2 * (len(world.ATTEMPTS) + len(NET))} attempts, as root and not")
    sys.exit(1 if run.faults else 0)


if __name__ == "__main__":
    main()
