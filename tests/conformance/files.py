#!/usr/bin/python3
"""files.py AGP VERDICTS LAUNCHER ATTEMPTS: the model's answers about files against the kernel's, under Landlock.

Policies are drawn over one tree; at each directory, those beside and beneath it, each verb is tried by real system calls.
Every attempt is made in a fresh tree without the layer first, by the same user, and must succeed. Exits 77 without root or
Landlock ABI 6.
"""
import ctypes
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

LONG = "AGP_LONG" in os.environ
USER = 65534
DIRECTORIES = ["data", "database", "data/deep", "data/deep/er", "srv", "srv/x", "s", "opt"]
# verb of the action, word of the attempt, what it is tried on
ATTEMPTS = [("read", "read", "f"), ("list", "list", ""), ("modify", "write", "f"), ("modify", "truncate", "g"),
            ("create", "create", "new"), ("create", "mkdir", "newd"), ("create", "fifo", "newp"), ("create", "symlink", "newl"),
            ("create", "sock", "news"), ("delete", "unlink", "u"), ("delete", "rmdir", "e"), ("exec", "exec", "tool")]


def policy(r, number, tree):
    rules = []
    for place in r.sample(DIRECTORIES, r.randint(4, 7)):
        verbs = r.choice(["read, exec", "read, write", "read, write, exec", "read, write, exec", "list", "read, modify"])
        rules.append(f'    allow {verbs} "{tree}/{place}/**"')
    for place in r.sample(DIRECTORIES, r.randint(0, 2)):
        rules.append(f'    allow {r.choice(["read", "read, modify"])} "{tree}/{place}/f"')
    return (f"agp 1\npolicy p{number} {{\n  isolation process\n  file {{\n    allow read, exec \"{tree}/bin/attempts\"\n"
            f"    allow read \"{tree}/list\"\n" + "\n".join(rules) + f'\n  }}\n  run {{ command "{tree}/bin/attempts", '
            f'"{tree}/list" user {USER}:{USER} cgroup "/x" }}\n  accept wider file because "attributes"\n}}\n')


def make(tree, program):
    shutil.rmtree(tree, ignore_errors=True)
    for place in ["bin", *DIRECTORIES]:
        folder = pathlib.Path(tree, place)
        folder.mkdir(parents=True, exist_ok=True)
    for place in DIRECTORIES:
        folder = pathlib.Path(tree, place)
        for name in ("f", "g", "u"):
            (folder / name).write_text("x")
        (folder / "e").mkdir()
        shutil.copy(program, folder / "tool")   # a link would be the same inode, with the rights of a rule on the other
    shutil.copy(program, pathlib.Path(tree, "bin/attempts"))
    pathlib.Path(tree, "list").write_text("".join(f"{word} {path}\n" for word, path in attempts(tree)))
    for where, _, names in os.walk(tree):
        for path in [where] + [os.path.join(where, n) for n in names]:
            os.chmod(path, 0o755)
            os.chown(path, USER, USER)


def attempts(tree):
    return [(word, f"{tree}/{place}/{name}".rstrip("/")) for place in DIRECTORIES for _, word, name in ATTEMPTS]


def actions(tree):
    return [f'{verb} "{tree}/{place}/{name}'.rstrip("/") + '"' for place in DIRECTORIES for verb, _, name in ATTEMPTS]


def main():
    agp, verdicts, launcher, program = sys.argv[1:]
    abi = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)
    if os.geteuid() != 0 or abi < 6:
        print(f"skipped: root and Landlock ABI 6 are needed, here it is {abi}")
        sys.exit(77)
    seed = os.environ.get("AGP_SEED", "5")
    print(f"seed: {seed}")
    r, least, policies, pairs, denied, wrong = random.Random(seed), 10_000 if LONG else 400, 0, 0, 0, []
    child = subprocess.Popen([verdicts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory(prefix="agp-files-") as scratch:
        os.chmod(scratch, 0o755)
        pathlib.Path(scratch, "agp.toml").write_text("")
        shutil.copy(program, f"{scratch}/program")
        tree, number = f"{scratch}/tree", 0
        while pairs < least:
            number += 1
            file = pathlib.Path(scratch, f"p{number}.agp")
            file.write_text(policy(r, number, tree))
            built = f"{scratch}/out{number}"
            done = subprocess.run([agp, "build", "-q", "--no-verify", "--target", "linux-6.18", file, "-o", built],
                                  capture_output=True, text=True, check=False)
            if done.returncode not in (0, 3):
                if number > 50 and policies * 5 < number:
                    sys.exit(f"few of the drawn policies build: {done.stderr}")
                continue
            print(json.dumps({"policy": str(file), "actions": actions(tree)}), file=child.stdin, flush=True)
            wanted = json.loads(child.stdout.readline())["decisions"]
            command = [f"{tree}/bin/attempts", f"{tree}/list"]
            held = [launcher, "--ruleset", f"{built}/landlock/ruleset.json", "--user", f"{USER}:{USER}", "--", *command]
            make(tree, f"{scratch}/program")
            free = subprocess.run(command, user=USER, group=USER, extra_groups=[], capture_output=True, text=True, check=False)
            make(tree, f"{scratch}/program")
            under = subprocess.run(held, capture_output=True, text=True, check=False)
            without, got = free.stdout.split(), under.stdout.split()
            if set(without) != {"ok"} or len(got) != len(wanted):
                sys.exit(f"{file.read_text()}without the layer: {without} {free.stderr}; with it: {got} {under.stderr}")
            policies += 1
            every = list(zip(actions(tree), wanted, got))
            r.shuffle(every)
            most = min(sum(answer == "ok" for _, _, answer in every), sum(answer != "ok" for _, _, answer in every)) * 5 // 4
            for what, decision, answer in [e for e in every if e[2] == "ok"][:most] + [e for e in every if e[2] != "ok"][:most]:
                pairs += 1
                denied += answer != "ok"
                if (answer == "ok") != (decision == "allow") or answer not in ("ok", "EACCES"):
                    wrong.append(f"p{number}: {what}: {answer}, the model says {decision}")
    print(f"result: files under Landlock ABI {abi}: {pairs} distinct (policy, action) pairs of {policies} policies, each "
          f"succeeding without the layer: {denied} denied ({100 * denied // pairs} %), {pairs - denied} passed "
          f"({100 * (pairs - denied) // pairs} %), {len(wrong)} not as the model says")
    print("\n".join(wrong[:30]))
    sys.exit(1 if wrong or not 0.4 <= denied / pairs <= 0.6 else 0)


if __name__ == "__main__":
    main()
