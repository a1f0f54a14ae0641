#!/usr/bin/python3
"""Converts Firejail's profiles into policies, checks them, and prints which lints find how much.

  firejail.py AGP PROFILES [PROFILES...] [--keep DIR] [--every N] [--seconds N] [--sample N [--seed N]] [--show CODE]

PROFILES are directories with *.profile and *.inc, such as /etc/firejail with Debian's firejail and firejail-profiles. The
conversion is rough where the languages differ, always towards what Firejail permits: the user's own files and the whole
system may be read, the home and temporary directories written, unless a profile says otherwise; what the user may not do
anyway is left out. Each policy is checked by a process of its own, one after the other, with the least priority; one that
takes longer than `--seconds` is counted as not decided. `--keep` leaves the policies in DIR, `--every` takes each Nth
profile, `--sample` prints some findings of each code to be reviewed, `--show` all of one.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

HOME, RUN = "/home/user", "/run/user/1000"
WORDS = {"HOME": [HOME], "RUNUSER": [RUN], "PATH": ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"],
         **{name: [f"{HOME}/{name.capitalize()}"] for name in ("DESKTOP", "DOCUMENTS", "DOWNLOADS", "MUSIC", "PICTURES", "VIDEOS")}}
TOPS = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "run", "sbin", "srv", "sys",
        "tmp", "usr", "var")
INSIDE = {"/usr": ("bin", "games", "include", "lib", "lib32", "lib64", "libexec", "libx32", "local", "sbin", "share", "src"),
          "/run": ("dbus", "lock", "log", "mount", "systemd", "udev", "user/1000")}
WHITELISTED = (HOME, "/usr/share", RUN, "/run", "/var", "/opt", "/srv", "/etc", "/dev", "/tmp", "/mnt", "/media", "/proc", "/sys")
FAMILIES = {"unix": "AF_UNIX", "inet": "AF_INET", "inet6": "AF_INET6", "netlink": "AF_NETLINK", "packet": "AF_PACKET",
            "bluetooth": "AF_BLUETOOTH"}


def lines(path, directories, seen, ignored):
    """The commands of a profile with those that it includes, in order; `ignore` counts for what comes later."""
    for raw in path.read_text(errors="replace").splitlines():
        line = re.sub(r"\s+#.*$", "", raw).strip()
        if not line or line.startswith("#"):
            continue
        conditional = re.match(r"\?(\w+):\s*(.*)", line)
        if conditional:
            if conditional[1] != "BROWSER_DISABLE_U2F":  # the only one that is on where nothing is configured
                continue
            line = conditional[2]
        if line.startswith("ignore "):
            ignored.append(line[len("ignore "):].strip())
            continue
        if any(line == one or line.startswith(one + " ") for one in ignored):
            continue
        if line.startswith("include "):
            name = line[len("include "):].strip().replace("${CFG}/", "").split("/")[-1]
            found = next((d / name for d in directories if (d / name).exists()), None)
            if found and (name.endswith(".inc") or found not in seen):
                seen.add(found)
                yield from lines(found, directories, seen, ignored)
            continue
        yield line


def paths(text):
    """What `${NAME}/x` stands for: absolute, one or several; none where a word is not known."""
    name = re.match(r"\$\{(\w+)\}", text)
    if name:
        return [base + text[name.end():] for base in WORDS.get(name[1], [])]
    text = text.replace("~/", HOME + "/", 1) if text.startswith("~/") else text
    return [text] if text.startswith("/") else []


def quoted(path):
    path = re.sub(r"/+", "/", path).rstrip("/") or "/"
    path = re.sub(r"\[(?:\[:\w+:\]|[^\]/])*\]", "?", path)  # a class of characters
    if re.search(r"(^|/)\.{1,2}(/|$)", path):
        return None
    path = path.replace("**", "*")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("{", "\\{").replace("}", "\\}")
    return escaped.replace(",", "\\,") if "," in path else escaped


def globs_match(pattern, path):
    made = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.fullmatch(made, path) is not None


class Profile:
    def __init__(self, name, commands):
        self.name = name
        self.deny, self.readonly, self.writable, self.noexec, self.white = [], [], [], [], []
        self.noblacklist = set()
        self.flags, self.value = set(), {}
        for line in commands:
            word, _, rest = line.partition(" ")
            rest = rest.strip()
            if word in ("blacklist", "blacklist-nolog"):
                self.deny += [p for p in paths(rest) if p not in self.noblacklist]
            elif word == "noblacklist":
                self.noblacklist.update(paths(rest))
            elif word in ("whitelist", "whitelist-ro"):
                self.white += paths(rest)
                self.readonly += paths(rest) if word == "whitelist-ro" else []
            elif word == "read-only":
                self.readonly += paths(rest)
            elif word == "read-write":
                self.writable += paths(rest)
            elif word == "noexec":
                self.noexec += paths(rest)
            elif rest:
                self.value[word] = rest
            else:
                self.flags.add(word)
        # a pattern of a blacklist that matches what is spared is spared as a whole
        self.deny = [p for p in dict.fromkeys(self.deny) if p not in self.noblacklist and
                     not (re.search(r"[*?]", p) and any(globs_match(p, n) for n in self.noblacklist))]
        self.readonly = [p for p in dict.fromkeys(self.readonly) if p not in self.writable]

    def beneath(self, top):
        return list(dict.fromkeys(p for p in self.white if p == top or p.startswith(top + "/")))

    def readable(self):
        out = []
        for top in TOPS:
            self.tree("/" + top, out)
        if "private" in self.flags or self.value.get("private"):
            return out
        return out + (self.beneath(HOME) or [HOME])

    def tree(self, path, out):
        if path == "/tmp" and "private-tmp" in self.flags:
            return
        if path == "/dev" and "private-dev" in self.flags:
            out += ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/pts", "/dev/shm", "/dev/dri"]
            return
        for part in ("etc", "bin", "opt", "srv"):
            if path == f"/{part}" and self.value.get(f"private-{part}"):
                out += [f"/{part}/{name.strip()}" for name in self.value[f"private-{part}"].split(",") if name.strip() not in ("", "none")]
                return
        own = self.beneath(path) if path in WHITELISTED else []
        inner = [w for w in WHITELISTED if w.startswith(path + "/") and self.beneath(w)]
        if own and not all(any(o.startswith(w + "/") or o == w for w in inner) for o in own):
            out += own
        elif inner and path in INSIDE:
            for name in INSIDE[path]:
                self.tree(f"{path}/{name}", out)
        else:
            out += own or [path]

    def written(self):
        out = [] if "private" in self.flags or self.value.get("private") else (self.beneath(HOME) or [HOME])
        out += ["/tmp"] if "private-tmp" in self.flags else self.beneath("/tmp") or ["/tmp"]
        out += ["/var/tmp", "/dev/shm"] + (self.beneath(RUN) or [RUN])
        return out + self.writable

    def text(self):
        def rule(effect, verbs, list_, deep=True):
            made = dict.fromkeys(q for q in map(quoted, list_) if q)
            return [f'    {effect} {verbs} "{q}"' + (', "%s/**"' % q.rstrip("/") if deep and os.path.dirname(q) not in WORDS["PATH"] else "") for q in made]

        program = self.name
        body = ["  file {", *rule("allow", "read", self.readable()), *rule("allow", "write", self.written())]
        binaries = self.value.get("private-bin")
        if binaries:
            body += rule("allow", "exec", [f"/usr/bin/{b.strip()}" for b in binaries.split(",") if b.strip() not in ("", "none")], deep=False)
        else:
            body += rule("allow", "exec", ["/usr", "/bin", "/sbin", "/lib", "/opt", HOME])
        body += rule("deny", "read, write, exec", self.deny) + rule("deny", "write", self.readonly) + rule("deny", "exec", self.noexec)
        body += ["  }"]
        net = self.value.get("net") != "none"
        families = [f for f in self.value.get("protocol", "").split(",") if f in FAMILIES]
        if net and (not families or {"inet", "inet6"} & set(families)):
            every = [a for f, a in (("inet", "0.0.0.0/0"), ("inet6", "[::/0]")) if not families or f in families]
            body += ["  net {", *[f"    allow connect tcp, udp {a}:*" for a in every], "  }"]
        wide = "seccomp" not in self.flags and "seccomp" not in self.value
        calls = ["    allow @default"]
        if wide:
            calls.append("    allow @mount, @debug, @keyring, @module, @reboot, @raw-io, @clock, @swap, @cpu-emulation")
        extra = [FAMILIES[f] for f in families if f in ("netlink", "packet", "bluetooth")]
        if extra:
            calls.append(f"    allow socket(domain in [{', '.join(extra)}])")
        body += ["  syscall {", *calls, "  }"]
        keep = [c.strip() for c in self.value.get("caps.keep", "").split(",") if c.strip()]
        if keep:
            body += ["  capability {", *[f"    allow CAP_{c.upper()}" for c in keep], "  }"]
        body += ["  env {", '    allow "*"', "  }"]
        user = "1000:1000"
        body += ["  run {", f'    command "/usr/bin/{quoted(program)}"', f"    user {user}"]
        body += ['    mount tmpfs at "/tmp" writable size 1 GiB'] if "private-tmp" in self.flags else []
        body += ["  }"]
        name = re.sub(r"[^a-z0-9-]", "-", self.name.lower()).strip("-")
        name = name if name[:1].isalpha() else "p-" + name
        return "agp 1\n\npolicy " + name + " {\n  isolation container\n" + "\n".join(body) + "\n}\n"


def convert(directories, every):
    for path in sorted({p.name: p for d in reversed(directories) for p in d.glob("*.profile")}.values())[::every]:
        yield path.stem, Profile(path.stem, lines(path, directories, {path}, [])).text()


def check(agp, policy, seconds):
    """The findings; nothing where the time is not enough, or the check gives up."""
    command = ["nice", "-n", "10", agp, "check", "--jobs", "1", "--format", "json", "--project-root", str(policy.parent), str(policy)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        found = json.loads(done.stdout)["diagnostics"]
    except subprocess.TimeoutExpired:
        return None
    except ValueError:
        sys.exit(f"{policy.name}: no report: {done.stderr}")
    return None if any(f["code"] == "AGP2018" for f in found) else found


def line(f):
    return f"  {f['location']['path'] if f['location'] else ''}: {f['severity']}: {f['message']} [{f['witness'] or ''}]"


class Tally:
    """The findings of one code. Hundreds of thousands are too many to keep: only a sample is, each as likely as another."""
    def __init__(self):
        self.count, self.policies, self.severities, self.shown = 0, set(), collections.Counter(), []

    def add(self, finding, policy, chance, most):
        self.count += 1
        self.policies.add(policy)
        self.severities[finding["severity"]] += 1
        if most is None or len(self.shown) < most:
            self.shown.append(line(finding))
        elif chance.randrange(self.count) < most:
            self.shown[chance.randrange(most)] = line(finding)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agp")
    parser.add_argument("profiles", nargs="+", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=1, metavar="N")
    parser.add_argument("--seconds", type=int, default=60, metavar="N")
    parser.add_argument("--sample", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--show", default="")
    options = parser.parse_args()
    tallies, open_, count, clock = collections.defaultdict(Tally), [], 0, time.monotonic()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        root = options.keep or pathlib.Path(scratch)
        root.mkdir(exist_ok=True)
        (root / "agp.toml").write_text("[limits]\ncells = 1000000000\n")
        for name, text in convert(options.profiles, options.every):
            policy = root / f"{name}.agp"
            policy.write_text(text)
            count += 1
            found = check(os.path.abspath(options.agp), policy, options.seconds)
            if found is None:
                open_.append(name)
            for f in found or ():
                tallies[f["code"]].add(f, name, chance, None if f["code"] == options.show else options.sample)
    print(f"{count} profiles, {len(open_)} not decided, {sum(t.count for t in tallies.values())} findings, "
          f"{time.monotonic() - clock:.0f} s")
    print("".join(f"not decided: {name}\n" for name in open_), end="")
    print("| code | policies | findings | severities |\n|---|---|---|---|")
    for code, t in sorted(tallies.items()):
        print(f"| {code} | {len(t.policies)} | {t.count} | {', '.join(f'{n} {s}' for s, n in t.severities.most_common())} |")
    for code, t in sorted(tallies.items()):
        if t.shown:
            print(code, *t.shown, sep="\n")


if __name__ == "__main__":
    main()
