#!/usr/bin/python3
"""schema.py AGP SCHEMA: rulesets of several targets against landlockconfig's own JSON schema. Exits 77 without it."""
import json
import os
import subprocess
import sys
import tempfile

import world


def main():
    agp, schema = sys.argv[1:3]
    try:
        import jsonschema
        with open(schema) as f:
            validator = jsonschema.Draft7Validator(json.load(f))
    except (ImportError, OSError) as e:
        print(f"skipped: {e}")
        sys.exit(77)
    faults = []
    with tempfile.TemporaryDirectory(prefix="agp-landlock-schema-") as scratch:
        for target, abi in (("debian-12", 2), ("ubuntu-24.04", 4), ("debian-13", 6), ("linux-6.18", 7)):
            policy, built = os.path.join(scratch, "policy.agp"), os.path.join(scratch, target)
            with open(policy, "w") as f:
                f.write(world.policy(abi))
            done = subprocess.run([agp, "build", policy, "-o", built, "--target", target, "--set", "tree=/tree"],
                                  capture_output=True, text=True)
            if done.returncode:
                faults.append(f"{target}: agp build: {done.stderr}")
                continue
            with open(f"{built}/landlock/ruleset.json") as f:
                ruleset = json.load(f)
            faults += [f"{target}: {e.message}" for e in validator.iter_errors(ruleset)]
            ruleset["ruleset"][0]["handledAccessFs"].append("fly")  # the schema is no empty one
            if not list(validator.iter_errors(ruleset)):
                faults.append(f"{target}: an unknown right passes the schema")
    print("\n".join(faults) or "landlock: 4 rulesets are landlockconfig's")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
