"""A thousand policies in one SARIF file, names of files hostile ones among them: what readers of the format rely on, and
the standard's own schema where the folder `shared/data` beside the checkout has it."""
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import jsonschema

AGP = os.path.abspath(sys.argv[1])
SCHEMA = pathlib.Path(sys.argv[2]) / "../shared/data/sarif/sarif-schema-2.1.0.json"
COUNT = 1000
HOSTILE = ["a b%20c", "::error::x", "\u202egpa", "`<b>`", "q?x=1#y", "\u00fc", "&amp;", "new\nline", "'\"\\"]

POLICY = """agp 1

policy {name} {{
  isolation container
  file {{
    allow read "/srv/{name}/**"
    allow read "/srv/{name}/again"
    allow write "/home/{name}/.bashrc"
  }}
  run {{ command "/usr/bin/true"  user 1000:1000 }}
}}
"""


class Sarif(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="agp-sarif-"))
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "agp.toml").write_text("")
        for i in range(COUNT):
            folder = self.dir / f"d{i % 20}"
            folder.mkdir(exist_ok=True)
            name = f"p{i}" + (" " + HOSTILE[i // 100] if i % 100 == 7 and i // 100 < len(HOSTILE) else "")
            (folder / f"{name}.agp").write_text(POLICY.format(name=f"p{i}"))

    def check(self, *words):
        done = subprocess.run([AGP, "check", "--format", "sarif", *words], cwd=self.dir, capture_output=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stdout

    def test_a_thousand_policies(self):
        raw = self.check("--jobs", "2")
        self.assertEqual(raw, self.check("--jobs", "1"), "the number of processes is no part of a report")
        self.assertLess(len(gzip.compress(raw)), 10_000_000, "what GitHub takes")
        report = json.loads(raw)
        self.assertEqual((report["version"], len(report["runs"])), ("2.1.0", 1))
        run = report["runs"][0]
        rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
        self.assertEqual(len(rules), len(set(rules)))
        results = run["results"]
        self.assertLess(len(results), 25_000, "what GitHub takes of one run")
        prints = [r["partialFingerprints"]["agp/v1"] for r in results]
        self.assertEqual(len(prints), len(set(prints)), "two findings are taken for one")
        policies, found = set(), {}
        texts = {str(p.relative_to(self.dir)): p.read_text() for p in self.dir.rglob("*.agp")}
        for r in results:
            self.assertEqual(rules[r["ruleIndex"]], r["ruleId"])
            policies.add(r["properties"]["policy"])
            place, = r["locations"]
            at = place["physicalLocation"]
            uri = at["artifactLocation"]["uri"]
            self.assertTrue(uri.isascii() and not urllib.parse.urlsplit(uri).scheme and not uri.startswith("/"), uri)
            text = texts[urllib.parse.unquote(uri)]  # the very file
            region = at["region"]
            line = text.split("\n")[region["startLine"] - 1]
            begin = region["byteOffset"]
            self.assertEqual(text.encode()[begin:begin + region["byteLength"]].decode(),
                             line[region["startColumn"] - 1:region["endColumn"] - 1])
            found.setdefault(r["ruleId"], set()).add(uri)
        self.assertEqual(len(policies), COUNT)
        for code in ("AGP2015", "AGP3010", "AGP3267"):
            self.assertEqual(len(found[code]), COUNT, code)
        if SCHEMA.exists():
            schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
            errors = list(jsonschema.validators.validator_for(schema)(schema).iter_errors(report))
            self.assertEqual([e.message[:200] for e in errors[:5]], [])
        else:
            print("skipped: the SARIF schema is not here")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
