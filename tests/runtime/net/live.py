"""`live.py AGP`: what the kernel has after an artifact was loaded, listed by nft, is proved against the policy again.

Both listings, of the script and of the JSON; and a rule that somebody added since is found."""
import os
import subprocess
import sys
import tempfile

from world import Report, need, run

HERE = os.path.dirname(os.path.abspath(__file__))
ARTIFACTS = os.path.join(HERE, "..", "..", "artifacts")


def verify(agp, policy, option, path):
    done = subprocess.run([agp, "verify", policy, option, path], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def main(agp):
    need("unshare", "nft", user="dnsmasq")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="agp-live-") as scratch:
        for name in ("names", "offline"):
            policy = os.path.join(ARTIFACTS, name, "policy.agp")
            out = os.path.join(scratch, name)
            run(agp, "build", "-q", policy, "-o", out)
            for form in ("nft", "json"):
                load = f"nft {'-j' if form == 'json' else ''} -f {out}/nftables/egress.{form}"
                table = "agp_" + name
                added = f"nft insert rule inet {table} output ip daddr 192.0.2.77 tcp dport 7 accept"
                for how, option in (("-j", "--nft-json"), ("", "--nft")):
                    listing = os.path.join(scratch, "listing")
                    for more, wanted in (("true", 0), (added, 1)):
                        done = run("unshare", "-n", "sh", "-c", f"{load} && {more} && nft {how} list ruleset")
                        with open(listing, "w") as f:
                            f.write(done.stdout)
                        code, said = verify(agp, policy, option, listing)
                        report.expect(code == wanted, f"{name}: {form}, nft {how}, {more}: exit {code}\n{said}")
                        report.expect(said.count("no excess") == 1 and (wanted == 0 or "192.0.2.77:7" in said), said)
    report.finish()


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
