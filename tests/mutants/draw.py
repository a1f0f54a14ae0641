"""Policies drawn at random, as text: one family for each kind of artifact. Not every draw is a policy that builds."""
import re


CALLS = {"chmod": (1, 16), "socket": (0, 32), "ioctl": (1, 32), "lseek": (1, 64), "clone": (0, 32), "openat": (2, 32)}
EDGES = [0, 1, 2, 3, 7, 8, 0x40, 0xff, 0x5412, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
         0x100000005, 0x300000002, 0xffffffff00000000]


def condition(r, width):
    values = [v for v in EDGES if v < 1 << width]
    name = r.choice(["==", "!=", "<", "<=", ">", ">=", "in", "&"])
    if name == "in":
        return "{} in [" + ", ".join(hex(v) for v in sorted(r.sample(values, r.randint(2, 4)))) + "]"
    if name == "&":
        mask = r.choice(values[1:])
        return f"{{}} & {hex(mask)} == {hex(r.choice(values) & mask)}"
    value = r.choice(values[1:-1])
    return f"{{}} {name} {hex(value)}"


def call(r):
    name = r.choice(sorted(CALLS))
    index, width = CALLS[name]
    if r.random() < 0.25:
        return name
    return f"{name}({', '.join(condition(r, width).format(f'arg{index}') for _ in range(r.choice([1, 1, 2])))})"


def calls(r, name):
    plain = ["read", "write", "exit_group", "brk", "mmap", "futex", "getpid", "fstat", "close"]
    rules = [f"    allow {', '.join(r.sample(plain, r.randint(2, 5)))}"]
    for _ in range(r.randint(1, 5)):
        rules.append(f"    allow {call(r)}")
    for _ in range(r.randint(0, 3)):
        rules.append(f"    deny {call(r)}{r.choice(['', '', ' errno EACCES', ' kill', ' trap'])}")
    return f"agp 1\npolicy {name} {{\n  syscall {{\n" + "\n".join(rules) + '\n  }\n  run { command "/bin/true" }\n}\n'


def address(r):
    if r.random() < 0.3:
        return r.choice(["[fd00::/64]", f"[fd00::{r.randint(1, 9)}]", "[fd00:1::]-[fd00:1::9]"])
    return r.choice([f"10.0.{r.randint(0, 3)}.0/24", f"10.0.0.{r.randint(1, 99)}", "10.1.0.3-10.1.0.90", "192.168.0.0/16"])


def ports(r):
    first = r.randint(1, 600)
    return r.choice([str(first), f"{first}-{first + r.randint(1, 9)}", f"[{first}, {first + 20}]", "*"])


def net(r, name):
    rules, accepts = [], ""
    for _ in range(r.randint(1, 5)):
        protocol = r.choice(["tcp", "tcp", "udp", "tcp, udp"])
        rules.append(f"    {r.choice(['allow', 'allow', 'deny'])} connect {protocol} {address(r)}:{ports(r)}")
    if r.random() < 0.4:
        rules.append(f"    allow connect icmp 10.0.0.{r.randint(1, 9)}")
    if r.random() < 0.4:
        rules.append(f"    allow listen tcp any:{r.randint(8000, 8009)} from 10.9.0.{r.randint(1, 9)}")
    if r.random() < 0.6:
        rules.append(f"    allow connect tcp a.example:{r.randint(1, 600)} within 10.1.0.0/16")
        rules.append("    resolver 10.0.0.53")
    return (f"agp 1\npolicy {name} {{\n  net {{\n" + "\n".join(rules) +
            f'\n  }}\n  run {{ command "/bin/true" user {r.randint(1000, 1009)}:1000 }}\n{accepts}}}\n')


def names(r, name):
    labels = ["a.example", "b.example", "deep.a.example", "registry.internal", "c.d.example"]
    rules = []
    for host in r.sample(labels, r.randint(1, 4)):
        shown = r.choice([host, f'"*.{host}"'])
        within = r.choice(["", " within 10.0.0.0/8, [fd00::/7]", " within 10.1.0.0/16, [fd00::/8]"])
        rules.append(f"    allow connect tcp {shown}:{r.randint(1, 600)}{within}")
    rules.append(f"    resolver 10.0.0.{r.randint(2, 200)}" + r.choice(["", ", [fd00::53]"]))
    return f"agp 1\npolicy {name} {{\n  net {{\n" + "\n".join(rules) + '\n  }\n  run { command "/bin/true" }\n}\n'


PLACES = ["/srv/a", "/srv/b", "/srv/a/deep", "/opt/tool", "/data", "/database", "/var/lib/x"]


def file_rules(r, most):
    rules = []
    for place in r.sample(PLACES, r.randint(1, most)):
        verbs = r.choice(["read", "read", "read, exec", "read, write"])
        rules.append(f'    allow {verbs} "{place}/**"')
    if r.random() < 0.5:
        rules.append('    allow read "/etc/hosts"')
    return rules


def landlock(r, name):
    rules = file_rules(r, 4) + ['    allow read, exec "/bin/agent"']
    port = f"  net {{ allow connect tcp 10.0.1.{r.randint(1, 9)}:{ports(r)} }}\n" if r.random() < 0.5 else ""
    return (f"agp 1\npolicy {name} {{\n  isolation process\n  file {{\n" + "\n".join(rules) + "\n  }\n" + port +
            '  run { command "/bin/agent" user 1200:1200 cgroup "/agents/x" }\n'
            '  accept wider file because "attributes"\n}\n')


def container(r, name):
    rules = ['    allow read, exec "/bin/agent"']
    mounts = []
    for place in r.sample(["/srv/a", "/opt/tool", "/data", "/var/lib/x", "/task"], r.randint(1, 4)):
        kind = r.choice(["read", "read", "exec", "write", "tmpfs"])
        verbs = {"read": "read", "exec": "read, exec", "write": "read, write", "tmpfs": "read, write"}[kind]
        rules.append(f'    allow {verbs} "{place}/**"')
        if kind == "tmpfs":
            mounts.append(f'    mount tmpfs at "{place}" writable size {r.randint(1, 64)} MiB')
        elif r.random() < 0.6 or kind == "write":
            mounts.append(f'    mount "/host{place}" at "{place}" {"writable" if kind == "write" else "readonly"}')
    blocks = ""
    if r.random() < 0.6:
        blocks += '  env { set "PATH" = "/usr/bin" allow "LC_*" }\n'
    if r.random() < 0.5:
        blocks += f"  capability {{ allow {', '.join(r.sample(['CAP_NET_BIND_SERVICE', 'CAP_KILL'], r.randint(1, 2)))} }}\n"
    limits = [t for t, p in ((f"cpu {r.randint(1, 4)}", 0.5), (f"memory {r.randint(64, 512)} MiB", 0.6),
                             (f"pids {r.randint(16, 256)}", 0.6), (f"files {r.randint(16, 256)}", 0.5)) if r.random() < p]
    if limits:
        blocks += "  limit {\n    " + "\n    ".join(limits) + "\n  }\n"
    return (f"agp 1\npolicy {name} {{\n  file {{\n" + "\n".join(rules) + "\n  }\n" + blocks +
            f'  run {{\n    command "/bin/agent", "--x"\n    user {r.randint(1000, 1009)}:1001\n' + "\n".join(mounts) +
            "\n  }\n}\n")


def docker(r, name):
    """The same where a bind mount can be executed from, which is accepted, and a capability is root's alone."""
    text = container(r, name)
    empty = set(re.findall(r'mount tmpfs at "([^"]*)"', text))
    wider = [(verbs, place) for verbs, place in re.findall(r'allow (read|read, write) "([^"]*)/\*\*"', text) if place not in empty]
    accepts = "".join(f'  accept wider {verbs} "{place}/**" because "no noexec"\n' for verbs, place in wider)
    if "capability {" in text:
        text = re.sub(r"user \d+:\d+", "user 0:0", text)
    return text.rstrip()[:-1] + accepts + "}\n"


TOOLS = ["files.*", "files.read", "files.delete*", "payments.*", "payments.list", "git_?", "git_*", "*.admin", "beta.?", "a*b*c"]


def tools(r, name):
    rules = []
    for _ in range(r.randint(2, 6)):
        effect = r.choice(["allow", "allow", "ask", "deny"])
        rule = f"    {effect} " + ", ".join(f'"{t}"' for t in r.sample(TOOLS, r.randint(1, 3)))
        if r.random() < 0.4:
            rule += f' except "{r.choice(TOOLS)}"'
        if effect == "ask" and r.random() < 0.7:
            rule += f" risk {r.choice(['low', 'medium', 'high'])}"
        if r.random() < 0.3:
            rule += f" until 2{r.randint(100, 140)}-0{r.randint(1, 9)}-{r.randint(10, 28)}"
        rules.append(rule)
    return (f"agp 1\npolicy {name} {{\n  tool {{\n" + "\n".join(rules) + '\n  }\n  run { command "/bin/true" }\n'
            '  accept unenforced tool because "the gateway"\n}\n')


def alerts(r, name):
    rules = [f"    {r.choice(['allow', 'deny', 'deny'])} connect tcp 10.0.{i}.{r.randint(1, 9)}:{r.randint(1, 600)}"
             + r.choice(["", f' as "rule {r.randint(1, 9)}{i}"']) for i in range(r.randint(1, 4))]
    if r.random() < 0.5:
        rules.append(f"    allow listen tcp any:{r.randint(8000, 8009)}")
    if r.random() < 0.5:
        rules += [f"    allow connect tcp a.example:{r.randint(1, 600)}", "    resolver 10.0.0.53"]
    body = "  net {\n" + "\n".join(rules) + "\n  }\n"
    if r.random() < 0.5:
        body += f"  syscall {{\n    allow read, write, exit_group\n    deny ptrace{r.choice(['', ' kill'])}\n  }}\n"
    words = ["net", "connect", "listen", "resolve", "syscall", "file", "write", "read", "exec", "tool", "env", "capability"]
    levels = sorted(r.sample(range(1, 6), r.randint(1, 3)))
    lines = [f"    alert P{p} for {', '.join(r.sample(words, r.randint(1, 3)))}" for p in levels]
    if r.random() < 0.6:
        lines.append("    log")
    return (f"agp 1\npolicy {name} {{\n{body}  on deny {{\n" + "\n".join(lines) +
            '\n  }\n  run { command "/bin/true" }\n}\n')
