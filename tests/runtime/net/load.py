"""`load.py PROGRAM`: the generated rulesets load, in both forms, as one and the same ruleset.

Also: a second load replaces the first; every set that the resolver's configuration names exists; a rule's name can't
end the string or the block that it stands in."""
import json
import os
import re
import sys

from world import Report, artifacts, need, run


def listing(*paths):
    """What the kernel has after the files were loaded one after another into a namespace of their own."""
    loads = [f"nft {'-j' if p.endswith('.json') else ''} -f '{p}'" for p in paths]
    done = run("unshare", "-n", "sh", "-c", " && ".join([*loads, "nft list ruleset"]), check=False)
    return done.stdout if done.returncode == 0 else None, done.stderr


def words(directory, report):
    """Comments and log prefixes of the hostile policy, as nft reads them back."""
    path = os.path.join(directory, "hostile", "nftables", "egress.nft")
    done = run("unshare", "-n", "sh", "-c", f"nft -f '{path}' && nft -j list ruleset")
    found = {"comment": [], "prefix": []}

    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in found and isinstance(inner, str):
                    found[key].append(inner)
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
    document = json.loads(done.stdout)["nftables"]
    walk(document)
    report.expect(sum("table" in entry for entry in document) == 1, "hostile: one table")
    # 13 denies and the end of the chain; 13 allows by address, 13 names in two families, two lines about the resolver
    report.expect(len(found["prefix"]) == 14, f"hostile: {len(found['prefix'])} prefixes")
    report.expect(len(found["comment"]) == 13 + 26 + 2, f"hostile: {len(found['comment'])} comments")
    for prefix in found["prefix"]:
        plain = re.fullmatch(r"agp P=hostile R=[A-Za-z0-9_.:/@,+%#-]* ", prefix)
        report.expect(plain and len(prefix) <= 127, f"prefix {prefix!r}")
    for comment in found["comment"]:
        report.expect(re.fullmatch(r"[A-Za-z0-9_.:/@,+%# -]*", comment), f"comment {comment!r}")


def both_forms(base, policy, report):
    """-> the ruleset, which is the same from either form and however often it is loaded."""
    text, script = (os.path.join(base, "nftables", "egress." + form) for form in ("nft", "json"))
    first, error = listing(text)
    report.expect(first, f"{policy}: {error}")
    again = [(script,)] if policy == "large" else [(script,), (text, text), (script, text)]
    for paths in again:
        other, error = listing(*paths)
        report.expect(other == first, f"{policy}: {[os.path.basename(p) for p in paths]}: another ruleset {error}")
    return first


def replaced(base, report):
    """Nothing of an older policy stays when the newer one is loaded."""
    text, older = os.path.join(base, "nftables", "egress.nft"), os.path.join(base, "older.nft")
    with open(text, encoding="ascii") as f, open(older, "w", encoding="ascii") as g:
        g.write(f.read().replace("10.0.1.50 . tcp . 443", "10.0.1.99 . tcp . 1-9999"))
    first, _ = listing(text)
    before, error = listing(older)
    report.expect(before and "10.0.1.99" in before, f"older: {error}")
    report.expect(listing(older, text)[0] == first, "an older policy's element stays")


def sets_exist(conf, ruleset, policy, report):
    run("dnsmasq", "--test", "-C", conf)
    with open(conf, encoding="ascii") as f:
        lines = f.read().splitlines()
    report.expect(max(map(len, lines)) < 1024, f"{policy}: a line that dnsmasq would cut")
    named = re.findall(r"([46])#inet#([^#]+)#([^,\n]+)", "\n".join(lines))
    report.expect(named, f"{policy}: no sets")
    for family, table, name in named:
        kind = "ipv4_addr" if family == "4" else "ipv6_addr"
        there = f"table inet {table} {{" in ruleset and f"set {name} {{\n\t\ttype {kind}\n" in ruleset
        report.expect(there, f"{policy}: set {name}")


def main(program):
    uid = need("unshare", "nft", "dnsmasq", user="dnsmasq")
    report = Report()
    with artifacts(program, uid) as directory:
        # A rule by cgroup loads only where the group is: attach.py makes it.
        for policy in sorted(set(os.listdir(directory)) - {"same-user", "by-cgroup"}):
            base = os.path.join(directory, policy)
            ruleset = both_forms(base, policy, report)
            conf = os.path.join(base, "dns", "dnsmasq.conf")
            if os.path.exists(conf):
                sets_exist(conf, ruleset, policy, report)
        replaced(os.path.join(directory, "code-execution"), report)
        words(directory, report)
    report.finish()


if __name__ == "__main__":
    main(sys.argv[1])
