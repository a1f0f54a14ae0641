"""Emitted configurations against the schema of the OCI runtime specification: the package's, and a newer one if it is there.

The schema is only a floor: it permits unknown properties. So every property must also be one that the schema names, which a
configuration with a misspelt one must fail.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

PACKAGE = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")


def check(schema_dir, configs):
    import jsonschema

    store = {}
    for path in schema_dir.glob("*.json"):
        store[path.as_uri()] = json.loads(path.read_text())
    top = (schema_dir / "config-schema.json").as_uri()
    resolver = jsonschema.RefResolver(top, store[top], store=store)
    validator = jsonschema.Draft4Validator(store[top], resolver=resolver)
    failed = 0
    for name, config in configs:
        for error in validator.iter_errors(config):
            print(f"{schema_dir}: {name}: /{'/'.join(map(str, error.absolute_path))}: {error.message}")
            failed += 1
        for place in unknown(config, store[top], store, top):
            print(f"{schema_dir}: {name}: {place}: not a property of the specification")
            failed += 1
    return failed


def resolve(node, store, base):
    while "$ref" in node:
        file, _, pointer = node["$ref"].partition("#")
        if file:
            base = base.rsplit("/", 1)[0] + "/" + file
        node = store[base]
        for step in filter(None, pointer.split("/")):
            node = node[step]
    return node, base


def unknown(value, schema, store, base, place=""):
    schema, base = resolve(schema, store, base)
    for part in schema.get("allOf", []):
        if isinstance(value, dict) and "properties" not in schema:
            yield from unknown(value, part, store, base, place)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for i, item in enumerate(value):
            yield from unknown(item, schema["items"], store, base, f"{place}/{i}")
    if isinstance(value, dict) and "properties" in schema:
        for key, item in value.items():
            if key not in schema["properties"]:
                yield f"{place}/{key}"
            else:
                yield from unknown(item, schema["properties"][key], store, base, f"{place}/{key}")


def main():
    program, newer = sys.argv[1], pathlib.Path(sys.argv[2]) / "schema"
    try:
        import jsonschema  # noqa: F401
    except ImportError:
        print("skipped: python3-jsonschema is not installed")
        return 77
    schemas = [d for d in (PACKAGE, newer) if (d / "config-schema.json").exists()]
    if not schemas:
        print("skipped: golang-github-opencontainers-specs-dev is not installed")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([program, directory], check=True)
        configs = [(p.name, json.loads(p.read_text())) for p in sorted(pathlib.Path(directory).glob("*.json"))]
    assert len(configs) >= 3, configs
    failed = sum(check(d, configs) for d in schemas)
    # The check itself must be able to fail: one wrong type, one unknown property.
    wrong_type, unknown_name = json.loads(json.dumps(configs[1][1])), json.loads(json.dumps(configs[1][1]))
    wrong_type["linux"]["resources"]["pids"]["limit"] = "256"
    unknown_name["process"]["noNewPrivilege"] = unknown_name["process"].pop("noNewPrivileges")
    for broken in (wrong_type, unknown_name):
        if any(check(d, [("control", broken)]) == 0 for d in schemas):
            print("a broken configuration passed")
            failed += 1
    print(f"{len(configs)} configurations, {len(schemas)} schemas, {failed} errors")
    return 1 if failed else 0


sys.exit(main())
