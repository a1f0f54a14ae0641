"""Oracles of the artifacts about files, processes and names: Landlock rules, a container's configuration, dnsmasq's file.
Each is read a second time here, one path, section or name at a time; written from landlockconfig's format and landlock(7),
the OCI runtime specification and mount(8), and dnsmasq(8), not from agp."""
import json
import re
import subprocess

import filters
from filters import Refused

ON_NODE = {"read_file", "read_dir", "execute", "write_file", "truncate", "resolve_unix"}  # ioctl_dev: no action of files
ON_ENTRY = {"make_reg", "make_dir", "make_sock", "make_fifo", "make_sym", "make_char", "make_block", "remove_file",
            "remove_dir"}
VERBS = {"open": {"read_file", "read_dir"}, "read": {"read_file"}, "list": {"read_dir"}, "exec": {"execute", "read_file"},
         "modify": {"write_file", "truncate"}, "create": {n for n in ON_ENTRY if n.startswith("make")} | {"refer"},
         "delete": {"remove_file", "remove_dir", "refer"}}


def quoted(action):
    """The verb and the path of a witness."""
    found = re.match(r'(\w+) ("(?:[^"\\]|\\.)*")', action)
    return (found[1], json.loads(found[2])) if found else (None, None)


def parents(path):
    while path != "/":
        path = path.rsplit("/", 1)[0] or "/"
        yield path


def borders(bases):
    for base in sorted(bases):
        base = "/" + base.strip("/")
        yield from (base, base.rstrip("/") + "/x", base.rstrip("/") + "/x/y", base + "x", base[:-1] or "/")
        yield from parents(base)


class Landlock:
    def __init__(self, data):
        try:
            whole = json.loads(data)
            self.handled = {r for one in whole.get("ruleset", []) for r in one.get("handledAccessFs", [])}
            self.net = {r for one in whole.get("ruleset", []) for r in one.get("handledAccessNet", [])}
            self.scoped = {r for one in whole.get("ruleset", []) for r in one.get("scoped", [])}
            self.rules, self.ports = {}, {}
            for rule in whole.get("pathBeneath", []):
                for parent in rule["parent"]:
                    path = "/" + "/".join(c for c in parent.replace("$$", "$").split("/") if c not in ("", "."))
                    rights, directory = self.rules.get(path, (set(), False))
                    # landlock_add_rule(2) takes rights of directories for directories alone
                    of_directories = set(rule["allowedAccess"]) - {"read_file", "write_file", "execute", "truncate", "ioctl_dev"}
                    is_directory = parent.endswith("/") or directory or bool(of_directories)
                    self.rules[path] = (rights | set(rule["allowedAccess"]), is_directory)
            for rule in whole.get("netPort", []):
                for right in rule["allowedAccess"]:
                    self.ports.setdefault(right, set()).update(rule["port"])
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise Refused(repr(e)) from e
        self.handled |= {r for rights, _ in self.rules.values() for r in rights}
        self.net |= set(self.ports)

    def state(self, path):
        """The rights at a path; None where nothing can be. Attributes no right decides."""
        chain = [path, *parents(path)]
        if any(p in self.rules and not self.rules[p][1] for p in chain[1:]):
            return None
        node = {r for p in chain if p in self.rules for r in self.rules[p][0]}
        entry = {r for p in chain[1:] if p in self.rules for r in self.rules[p][0]}
        every = {r for r in ON_NODE | ON_ENTRY if r not in self.handled}
        out = (node & ON_NODE) | (entry & (ON_ENTRY | {"refer"})) | every
        if path in self.rules:
            out -= {"read_file", "execute", "write_file", "truncate"} if self.rules[path][1] else {"read_dir"}
        elif any(other.startswith(path.rstrip("/") + "/") for other in self.rules):
            out -= {"read_file", "execute", "write_file", "truncate"}
        if not out & ON_ENTRY:   # alone it moves nothing
            out.discard("refer")
        if "read_file" not in out:   # execve opens for reading too
            out.discard("execute")
        return frozenset(out)

    def open_ports(self, right):
        return self.ports.get(right, set()) if right in self.net else None

    def differs(self, other, witness):
        verb, path = quoted(witness["action"])
        if verb in VERBS:
            mine, its = self.state(path), other.state(path)
            if self.rules.get(path, (0, 0))[1] != other.rules.get(path, (0, 0))[1]:
                return True   # a directory for the one, a file for the other
            return mine is None or its is None or mine & VERBS[verb] != its & VERBS[verb]
        return any(self.open_ports(r) != other.open_ports(r) for r in ("connect_tcp", "bind_tcp"))

    def equal(self, other):
        """A path on which they differ, or a port that only this one lets pass; None. More ports are no excess here:
        packet rules hold addresses."""
        for path in set(borders(set(self.rules) | set(other.rules))):
            mine, its = self.state(path), other.state(path)
            if mine is not None and its is not None:   # a device needs CAP_MKNOD, which none of these policies permits
                mine, its = mine - {"make_char", "make_block"}, its - {"make_char", "make_block"}
            around = path.rstrip("/")
            if mine is not None and its is not None and any(
                    base == around and o.rules[base][1] or base.startswith(around + "/") for o in (self, other) for base in o.rules):
                of_files = {"read_file", "write_file", "truncate", "execute"}   # a directory for the one is one for the other
                mine, its = mine - of_files, its - of_files
            kinds = {o.rules[path][1] for o in (self, other) if path in o.rules}
            if mine is not None and its is not None and mine != its and len(kinds) < 2:
                return f"{path}: {sorted(mine ^ its)}"
        for right in ("connect_tcp", "bind_tcp"):
            mine, its = self.open_ports(right), other.open_ports(right)
            if its is not None and (mine is None or not mine <= its):
                return f"{right} {mine} {its}"
        return None


class Container:
    SECTIONS = {"/process/capabilities": lambda c: {k: sorted(set(v)) for k, v in c["process"]["capabilities"].items() if v},
                "/process/env": lambda c: c["process"].get("env", []),
                # the name of the host is no action, and rlimits stand with the other bounds
                "/process": lambda c: {k: v for k, v in c["process"].items() if k not in ("capabilities", "env", "rlimits", "user")} |
                {"user": {k: v for k, v in c["process"]["user"].items() if k != "umask"}},
                # nodes: none can be made without CAP_MKNOD, and none opened on a mount with nodev
                "/linux/resources": lambda c: [{k: v for k, v in c["linux"].get("resources", {}).items() if k != "devices"},
                                               [one for one in c["process"].get("rlimits", []) if one["type"] != "RLIMIT_CORE"]],
                "/linux/namespaces": lambda c: [sorted(c["linux"].get("namespaces", []), key=json.dumps),
                                                c["linux"].get("sysctl")]}

    def __init__(self, data):
        try:
            self.whole = json.loads(data)
            self.mounts = []
            for m in self.whole["mounts"]:
                words = m.get("options", [])
                flags = {"ro": False, "noexec": False, "nodev": False}
                for w in words:
                    flags |= {"ro": {"ro": True}, "rw": {"ro": False}, "noexec": {"noexec": True}, "exec": {"noexec": False},
                              "nodev": {"nodev": True}, "dev": {"nodev": False}}.get(w, {})
                kind = "bind" if {"bind", "rbind"} & set(words) else m.get("type", "")
                known = {"bind": ("rbind",), "tmpfs": ("size",), "proc": ("subset",)}.get(kind, ())
                rest = sorted({w.split("=")[0]: w for w in words if w.split("=")[0] in known}.values())
                if kind == "tmpfs" and flags["ro"]:
                    rest = []   # nothing comes in, whatever its bound
                if kind == "tmpfs":
                    rest.append(self.own_bits(dict(w.split("=", 1) for w in words if "=" in w)))
                if m.get("source") == "dev" or kind == "proc":
                    flags |= {"noexec": True, "nodev": True}   # an empty directory; directories of processes
                self.mounts.append(("/" + m["destination"].strip("/"), kind, m.get("source", "") if kind == "bind" else kind,
                                    tuple(sorted(flags.items())), tuple(rest)))
            self.masked = sorted(set(self.whole["linux"].get("maskedPaths", [])))
            self.readonly = sorted(set(self.whole["linux"].get("readonlyPaths", [])))
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise Refused(repr(e)) from e

    def own_bits(self, named):
        """What the agent may do with a tmpfs, as three bits of a mode."""
        user, mode = self.whole["process"]["user"], int(named.get("mode", "1777"), 8)
        shift = 6 if int(named.get("uid", 0)) == user["uid"] else 3 if int(named.get("gid", 0)) == user["gid"] else 0
        return mode >> shift & 7

    def filter(self):
        return filters.compiled(json.dumps(self.whole["linux"].get("seccomp", {})))

    def section(self, name):
        try:
            return self.SECTIONS[name](self.whole)
        except (KeyError, TypeError, AttributeError) as e:
            raise Refused(repr(e)) from e

    def at(self, path):
        """The mount that shows a path (later ones hide earlier), and what lies behind it."""
        for target, kind, source, flags, rest in reversed(self.mounts):
            if path == target or target == "/" or path.startswith(target + "/"):
                if source.removeprefix("./") in ("denied-directory", "denied-file"):
                    return "nothing", "", (), (), False   # no permission bit: its flags decide nothing
                return kind, source + path[len(target):] if kind == "bind" else source, flags, rest, path == target
        return ("root", self.whole.get("root"))

    def bare(self, path):
        """Nothing stands there, or the directories of processes alone."""
        return self.at(path)[0] == "root" or (self.at(path)[0] == "proc" and "subset=pid" in self.at(path)[3])

    def covered(self, path):
        """An empty file system over what a runtime mounts by itself."""
        return path.startswith("/sys") and self.at(path)[0] == "tmpfs" and dict(self.at(path)[2])["ro"]

    def region(self, path):
        """All that decides about one path: what shows it and its directory, and the mount points at it and beneath."""
        granted = lambda p: (p + "/").startswith(("/proc/", "/dev/null/"))   # beyond the policy, and no loss  # noqa: E731
        points = tuple(sorted({m[0] for m in self.mounts if not granted(m[0]) and (m[0] + "/").startswith(path.rstrip("/") + "/")}))
        shown = self.at(path)
        decided = self.masked + ([] if shown[0] == "root" or dict(shown[2]).get("ro") else self.readonly)
        hidden = [] if shown[0] == "root" else [p for p in decided if (path + "/").startswith(p.rstrip("/") + "/")]
        return self.at(path), self.at((path.rsplit("/", 1)[0]) or "/"), points, hidden

    def differs(self, other, witness):
        section = witness["artifact"].partition("#")[2]
        if section.startswith("/linux/seccomp"):
            call = witness["arch"], witness["number"], witness["args"], witness["ip"]
            return filters.answer(self.filter(), *call) != filters.answer(other.filter(), *call)
        if section.startswith("/mounts"):
            path = quoted(witness["action"])[1]
            users = self.whole["process"].get("user"), other.whole["process"].get("user")   # a tmpfs is somebody's
            return path is None or users[0] != users[1] or any(
                self.region(p) != other.region(p) for p in (path, *parents(path)))   # or of a directory around it
        return any(self.section(s) != other.section(s) for s in self.SECTIONS)

    def equal(self, other):
        for name in self.SECTIONS:
            mine, its = self.section(name), other.section(name)
            if mine != its:
                return f"{name}: {mine} {its}"
        for path in set(borders({m[0] for m in self.mounts + other.mounts} | set(self.masked + self.readonly))):
            empty = [c.at(path)[0] == "bind" and c.at(path)[1].removeprefix("./").startswith("dev") for c in (self, other)]
            if all(empty) or path.startswith("/dev/null") or self.covered(path) and other.covered(path) or (path.startswith("/proc") and self.bare(path) and other.bare(path)):
                continue   # granted beyond the policy, and no loss
            if self.region(path) != other.region(path):
                return f"{path}: {self.region(path)} {other.region(path)}"
        return None


class Dnsmasq:
    def __init__(self, data):
        self.rules, self.fills, self.globals, self.emptied, self.rest = {}, {}, {}, set(), []
        for line in data.decode("latin-1").split("\n"):
            line = re.sub(r"(^|\s)#.*", "", line).strip()   # `#` within a word is a word: `local=/#/`
            if not line:
                continue
            word, _, value = line.partition("=")
            if word in ("server", "local", "address") and value.startswith("/"):
                *domains, to = value[1:].split("/")
                for d in domains:
                    kind = "address" if word == "address" else "server"   # `local` is another word for `server`
                    self.rules.setdefault(d.lower(), []).append(f"{kind} {to}" if to else "")
            elif word == "server":
                self.rest.append(value)
            elif word == "nftset" and value.startswith("/"):
                *domains, to = value[1:].split("/")
                for d in domains:
                    self.fills.setdefault(d.lower(), []).extend(to.split(","))
            elif word == "filter-rr":
                self.emptied |= set(value.split(","))
            else:
                self.globals.setdefault(word, []).append(value)

    @staticmethod
    def refusal(file):
        """What dnsmasq itself says of a file that it does not take."""
        done = subprocess.run(["dnsmasq", "--test", "-C", file], capture_output=True, text=True, check=False)
        return done.stderr.strip() if done.returncode else None

    def outcome(self, name):
        best = None
        for domain, to in self.rules.items():
            if domain == "#":
                size = 0
            elif domain.startswith("*"):
                size = len(domain) - 1 if name.endswith(domain[1:]) else -1
            else:
                size = len(domain) if name == domain or name.endswith("." + domain) else -1
            if size >= 0 and (best is None or size > best[0]):
                best = (size, sorted(to))
        fill = max((d for d in self.fills if name == d or name.endswith("." + d)), key=len, default=None)
        answered = sorted(set(best[1])) if best else ["rest", *sorted(self.rest)]
        if answered == ["rest"] and "no-resolv" in self.globals:
            answered = [""]   # nobody to ask
        return answered, [] if answered == [""] else sorted(set(self.fills.get(fill, [])))

    def named(self):
        return {d.lstrip("*").strip(".") for d in [*self.rules, *self.fills] if d != "#"}

    def settings(self):
        """What is about no single name; `no-resolv` is, in `outcome`. What is logged decides nothing."""
        aside = {"strip-mac", "strip-subnet", "no-ident", "bind-interfaces", "no-resolv", "log-queries"}
        values = {k: set(v) for k, v in self.globals.items() if k not in aside}
        if values.get("port") == {"53"}:
            del values["port"]
        if "127.0.0.53" in values.get("listen-address", {"127.0.0.53"}):   # where the agent asks
            values.pop("listen-address", None)
        return [*sorted((k, sorted(v)) for k, v in values.items()), *sorted(self.emptied), *sorted(self.rest)]

    def differs(self, other, witness):
        names = re.findall(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", witness["action"] + " " + witness["observed"])
        return self.settings() != other.settings() or any(self.outcome(n) != other.outcome(n) for n in names)

    def equal(self, other):
        for base in self.named() | other.named() | {"elsewhere.example", "localhost"}:
            for name in (base, "x." + base, "x.y." + base, "x" + base, base.partition(".")[2] or base):
                (mine, fills), (its, filled) = self.outcome(name), other.outcome(name)
                fewer = its and all(one.startswith("server ") for one in its) and set(its) <= set(mine)   # asked of one resolver
                if fills != filled or mine != its and not fewer:
                    return f"{name}: {self.outcome(name)} {other.outcome(name)}"
        different = set(map(str, self.settings())) ^ set(map(str, other.settings()))
        return str(different) if different else None
