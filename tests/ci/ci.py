#!/usr/bin/python3
"""The composite action, the GitLab template and the pre-commit hooks, each step's own script in a fresh clone of a small
repository, against the archive that scripts/package makes. The action's expressions are filled in as GitHub does it,
shells are started with its options, and files that it reads back (GITHUB_PATH, GITHUB_OUTPUT) count for later steps.

  ci.py BUILD
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import junitparser
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cases import Skip, expect, run_all

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
EXAMPLE = (ROOT / "docs/examples/code-execution.agp").read_text()
READ = '    allow read "/task/**", "/config/**"\n'
WRONG = EXAMPLE.replace(READ, READ + '    deny read "/task/**"\n    allow read "/task/notes"\n')
LAYOUT = EXAMPLE.replace("  limit {", "  limit   {")
TESTS = len(re.findall(r"^  (?:allow|ask|deny) ", EXAMPLE[EXAMPLE.index("\ntest "):], re.M))
UNREPORTED = EXAMPLE.replace("alert P1 for connect", "alert P1 for write, connect")
WIDER = EXAMPLE.replace("api_gateway:443 ", "api_gateway:[443, 8443] ")


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, **more)


def works(done):
    expect(done.returncode == 0, f"exit status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


class Suite:
    def __init__(self, scratch):
        self.scratch = pathlib.Path(scratch)
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.scratch / "home"),
                    "SOURCE_DATE_EPOCH": "1748736000", "GIT_CONFIG_NOSYSTEM": "1"}
        (self.scratch / "home").mkdir()
        for key, value in (("user.name", "test"), ("user.email", "test@localhost"), ("init.defaultBranch", "main"),
                           ("protocol.file.allow", "always")):
            works(run("git", "config", "--global", key, value, env=self.env))
        works(run(ROOT / "scripts/package", self.scratch / "package", env={**os.environ, "AGP_BUILD": str(BUILD)}))
        self.archive, = (self.scratch / "package").glob("*.tar.gz")
        self.count = 0

    def clone(self, policy, base=None):
        """A fresh clone whose last commit holds the policy; the one before it, `base`."""
        self.count += 1
        origin, clone = self.scratch / f"origin-{self.count}", self.scratch / f"clone {self.count}"
        origin.mkdir()
        works(run("git", "init", "-q", cwd=origin, env=self.env))
        (origin / "agp.toml").write_text("")
        (origin / "tools").mkdir()
        shutil.copy(self.archive, origin / "tools/agp.tar.gz")
        for text in (base or policy, policy):
            (origin / "policies").mkdir(exist_ok=True)
            (origin / "policies/code-execution.agp").write_text(text)
            works(run("git", "add", "-A", cwd=origin, env=self.env))
            works(run("git", "commit", "-q", "--allow-empty", "-m", "a change", cwd=origin, env=self.env))
        works(run("git", "clone", "-q", origin, clone, env=self.env))
        return clone

    # ---- the action ---------------------------------------------------------------------------------------------------

    def action(self, clone, **given):
        """Its steps by name: what each printed and returned, up to the first that fails; and the summary."""
        action = yaml.safe_load((ROOT / "action.yml").read_text())
        inputs = {name: str(row.get("default", "")) for name, row in action["inputs"].items()}
        inputs.update({"archive": "tools/agp.tar.gz", **given})
        temp = clone.parent / f"{clone.name} runner"
        temp.mkdir()
        files = {name: temp / name for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()

        def filled(text):
            return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: inputs[m[1]], text)

        done = {}
        for step in action["runs"]["steps"]:
            expect("${{" not in step["run"], f"an expression stands in the script of `{step['name']}`: it could be shell")
            path = ":".join([*reversed(files["GITHUB_PATH"].read_text().split("\n")[:-1]), self.env["PATH"]])
            env = {**self.env, "PATH": path, "RUNNER_TEMP": str(temp), **{k: str(v) for k, v in files.items()},
                   **{k: filled(v) for k, v in step.get("env", {}).items()}}
            script = temp / "script.sh"
            script.write_text(step["run"])
            expect(step["shell"] == "bash", step["shell"])
            done[step["name"]] = run("bash", "--noprofile", "--norc", "-eo", "pipefail", script, env=env,
                                     cwd=clone / filled(step.get("working-directory", ".")))
            if done[step["name"]].returncode:
                break
        return done, files["GITHUB_STEP_SUMMARY"].read_text(), files["GITHUB_OUTPUT"].read_text()

    def action_on_a_repository_with_a_warning(self):
        clone = self.clone(UNREPORTED)
        done, summary, output = self.action(clone)
        for step in done.values():
            works(step)
        expect(list(done)[-1] == "build", list(done))
        expect(done["check"].stdout.startswith("::warning file=policies/code-execution.agp,line="), done["check"].stdout)
        expect("### agp: 1 warning" in summary, summary)
        built = pathlib.Path(re.fullmatch(r"built=(.*)\n", output)[1])
        expect((built / "code-execution/manifest.json").exists(), "no manifest")
        sarif = json.loads((clone / "agp.sarif").read_text())
        expect([r["ruleId"] for r in sarif["runs"][0]["results"]] == ["AGP4005"], "the warning is not in the SARIF file")
        changed = works(run("git", "status", "--porcelain", cwd=clone, env=self.env))
        expect(changed == "?? agp.sarif\n", f"the action changed the clone: {changed}")

    def action_on_a_wrong_policy(self):
        done, summary, _ = self.action(self.clone(WRONG))
        expect(list(done)[-1] == "check" and done["check"].returncode == 1, list(done))
        expect("::error file=policies/code-execution.agp,line=" in done["check"].stdout, done["check"].stdout)
        expect("AGP2010" in summary, "the summary does not say what is wrong")

    def action_on_a_file_of_another_layout(self):
        done, _, _ = self.action(self.clone(LAYOUT))
        expect(list(done)[-1] == "layout" and done["layout"].returncode == 1, {k: v.returncode for k, v in done.items()})

    def action_on_a_wider_policy(self):
        clone = self.clone(WIDER, base=EXAMPLE)
        done, summary, _ = self.action(clone, base="HEAD~1")
        expect(done["what the change permits"].returncode == 0 and "build" in done, list(done))
        expect("8443" in summary, summary)
        shutil.rmtree(clone.parent / f"{clone.name} runner")
        done, summary, _ = self.action(clone, base="HEAD~1", **{"allow-widening": "false"})
        expect(done["what the change permits"].returncode == 1 and "test" not in done, list(done))
        expect("8443" in summary, summary)

    def action_reads_no_input_as_shell(self):
        clone = self.clone(EXAMPLE)
        done, _, _ = self.action(clone, target='x"; touch owned; echo "$(touch owned)`touch owned`')
        expect(done["check"].returncode == 2, done["check"].stderr)
        expect(not list(clone.rglob("owned")), "an input was run")

    # ---- the template -------------------------------------------------------------------------------------------------

    def gitlab(self, clone):
        job = yaml.safe_load((ROOT / "ci/gitlab.yml").read_text())["agp"]
        script = "\n".join([*job["before_script"], *job["script"]]) + "\n"
        done = run("bash", "-e", "-c", script, cwd=clone, env={**self.env, **job["variables"]})
        reports = [r for name in job["artifacts"]["reports"]["junit"] if (clone / name).exists()
                   for r in junitparser.JUnitXml.fromfile(str(clone / name))]
        return done, job, reports

    def gitlab_on_a_clean_repository(self):
        clone = self.clone(EXAMPLE)
        done, job, suites = self.gitlab(clone)
        works(done)
        expect(all((clone / path).exists() for path in job["artifacts"]["paths"]), "an artifact is missing")
        expect([(s.name, s.tests, s.failures) for s in suites] == [("policies/code-execution.agp", 1, 0),
                                                                  ("policies/code-execution.agp", TESTS, 0)],
               [(s.name, s.tests, s.failures) for s in suites])
        names = [case.name for case in suites[1]]
        expect(names[0] == 'code-execution: allow write "/workspace/out.txt"', names)

    def gitlab_on_a_wrong_policy(self):
        clone = self.clone(WRONG)
        done, _, suites = self.gitlab(clone)
        expect(done.returncode == 1, done.stderr)
        expect(suites[0].failures > 0 and len(suites) == 1, "JUnit has no failure")
        failed = [case for case in suites[0] if case.result]
        expect(any("AGP2010 denied-grant at" in case.name for case in failed), [case.name for case in failed])

    def gitlab_on_a_failed_test(self):
        clone = self.clone(EXAMPLE.replace('deny write "/etc/passwd"', 'allow write "/etc/passwd"'))
        done, _, suites = self.gitlab(clone)
        expect(done.returncode == 1 and len(suites) == 2, done.stderr)
        failed = [case.name for case in suites[1] if case.result]
        expect(failed == ['code-execution: allow write "/etc/passwd"'] and suites[1].tests == TESTS, failed)

    # ---- the hooks ----------------------------------------------------------------------------------------------------

    def hooks(self):
        if not shutil.which("pre-commit"):
            raise Skip("pre-commit is not installed")
        tool = self.scratch / "tool"
        tool.mkdir()
        works(run("tar", "-xzf", self.archive, "-C", tool, "--strip-components=1"))
        hooks = self.scratch / "hooks"
        hooks.mkdir()
        shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
        works(run("git", "init", "-q", cwd=hooks, env=self.env))
        works(run("git", "add", "-A", cwd=hooks, env=self.env))
        works(run("git", "commit", "-q", "-m", "hooks", cwd=hooks, env=self.env))
        revision = works(run("git", "rev-parse", "HEAD", cwd=hooks, env=self.env)).strip()
        env = {**self.env, "PATH": f"{tool}/bin:{self.env['PATH']}", "PRE_COMMIT_HOME": str(self.scratch / "pre-commit")}
        for policy, fails in ((EXAMPLE, []), (WRONG, ["agp check"]), (LAYOUT, ["agp fmt --check"])):
            clone = self.clone(EXAMPLE)
            config = {"repos": [{"repo": str(hooks), "rev": revision, "hooks": [{"id": "agp-fmt"}, {"id": "agp-check"}]}]}
            (clone / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
            works(run("pre-commit", "install", cwd=clone, env=env))
            (clone / "policies/code-execution.agp").write_text(policy + "\n// a change\n")
            works(run("git", "add", "-A", cwd=clone, env=env))
            done = run("git", "commit", "-m", "a change", cwd=clone, env=env)
            said = done.stdout + done.stderr
            failed = re.findall(r"^(agp [\w -]+?)\.+Failed$", said, re.M)
            expect(failed == fails and (done.returncode != 0) == bool(fails), said)
            # What is no policy starts neither.
            works(run("git", "reset", "-q", "--hard", cwd=clone, env=env))
            (clone / "other.txt").write_text("x")
            (clone / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
            works(run("git", "add", "-A", cwd=clone, env=env))
            done = run("git", "commit", "-m", "another", cwd=clone, env=env)
            expect((done.stdout + done.stderr).count("(no files to check)Skipped") == 2, done.stdout + done.stderr)


def main():
    expect(EXAMPLE not in (WRONG, WIDER, LAYOUT, UNREPORTED), "the example has changed: mend the edits above")
    with tempfile.TemporaryDirectory(prefix="agp-ci-") as scratch:
        suite = Suite(scratch)
        run_all("ci", (suite.action_on_a_repository_with_a_warning, suite.action_on_a_wrong_policy,
                       suite.action_on_a_file_of_another_layout, suite.action_on_a_wider_policy,
                       suite.action_reads_no_input_as_shell, suite.gitlab_on_a_clean_repository,
                       suite.gitlab_on_a_wrong_policy, suite.gitlab_on_a_failed_test, suite.hooks))


if __name__ == "__main__":
    main()
