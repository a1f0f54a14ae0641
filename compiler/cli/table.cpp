#include "compiler/cli/commands.hpp"
#include "compiler/cli/new.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::cli {
namespace {

std::vector<std::string> names_of_diagnostics() {
  std::vector<std::string> out;
  for (const diagnostics::Kind* kind : diagnostics::all_kinds()) {
    out.push_back(diagnostics::code_text(*kind));
    out.emplace_back(kind->name);
  }
  return out;
}
std::vector<std::string> names_of_commands() {
  std::vector<std::string> out;
  for (const CommandRow& row : command_table()) out.emplace_back(row.name);
  return out;
}
std::vector<std::string> names_of_targets() {
  std::vector<std::string> out;
  for (const model::Target& target : plan::builtin_targets()) out.push_back(target.name);
  return out;
}
std::vector<std::string> names_of_shells() { return {"bash", "zsh", "fish"}; }

const CommandRow command_rows[] = {
    {Check, "check", "[PATH…]", "report every finding: syntax, names, conflicts, and what the target can't hold",
     "PATH is a policy file, or a directory that is searched for *.agp; default: the project's root. Prints the plan "
     "of\n"
     "each policy: fact by fact, which layer of the target's stack holds it.",
     run_check},
    {Build, "build", "FILE -o DIR, or --all [PATH…] -o DIR",
     "check, emit the artifacts, prove them, and put them in place",
     "DIR must not exist, be empty, or be an earlier output of agp; it is replaced as a whole or not at all.",
     run_build},
    {Verify, "verify", "FILE DIR, or FILE with one of the artifact options",
     "prove artifacts against a policy, both ways",
     "Exit status 1: an artifact is refuted, with one call as a witness. 3: something could not be decided or "
     "verified.",
     run_verify},
    {Compare, "compare", "A B", "two artifacts of one kind, without a policy: do they permit the same",
     "A and B are files: seccomp filters or profiles (either form against the other, for each --arch), nftables "
     "scripts,\n"
     "their JSON or a live listing, Landlock rulesets, OCI configurations, arguments of podman run or docker run, "
     "pods\n"
     "and network policies of Kubernetes. What each is, is told by what is in it.\n"
     "Exit status 1: they differ, with one witness and where each decides it. 3: it could not be decided.",
     run_compare},
    {Diff, "diff", "OLD NEW", "what a change permits that was not permitted, and what it no longer does",
     "OLD and NEW are policy files or directories; policies are paired by name. The answer is a list of regions "
     "written\n"
     "like rules, each with a witness, the decision before and after, and the rules responsible. Exit status 1: "
     "something\n"
     "became permitted.",
     run_diff},
    {Query, "query", "FILE 'ACTION'", "the decision for one action, and the rules behind it",
     "ACTION is written as in a policy: `write \"/etc/passwd\"`, `connect tcp 10.0.1.50:443`, `syscall bpf()`,\n"
     "`tool \"payments.transfer\"`. A word that begins with `/` may stand for a quoted path.",
     run_query},
    {Test, "test", "[PATH…]", "run the `test` blocks", "", run_test},
    {Probe, "probe", "FILE", "the escape suite of a policy, as JSON lines for tools/probe", "", run_probe},
    {Inspect, "inspect", "FILE.bpf",
     "what a seccomp filter costs: listing, paths, what the kernel caches, each rule's part",
     "FILE is any filter: an array of `struct sock_filter`. Where it stands in an output of agp, the rules behind "
     "each\n"
     "instruction come from the manifest.",
     run_inspect},
    {Logs, "logs", "FILE LOG", "what a kernel's log says of a policy, and the grants that are missing as a patch",
     "LOG has lines of the kernel's log, as dmesg, /dev/kmsg, syslog, the journal and auditd write them; `-`: "
     "standard\n"
     "input. Each different attempt is decided by the policy again: denied by a rule, allowed by now, or missing. The\n"
     "patch holds the smallest grants for what is missing, and nothing that an invariant forbids.",
     run_logs},
    {New, "new", "KIND [FILE]", "write a starting policy for a kind of agent, from the library",
     "KIND: coding, reviewer, research, data-analysis, browser, ci-runner, package-installer, mcp-fetch,\n"
     "mcp-filesystem, mcp-git, mcp-postgres, mcp-sqlite. FILE is made and never overwritten; default: the policy's "
     "name\n"
     "with `.agp`; `-`: standard output. What is written compiles, and has tests; findings that `agp check` has of it\n"
     "are about what you know best. Its paths and limits are yours to edit.",
     run_new, new_kinds},
    {Fmt, "fmt", "[--check|--diff] [PATH…]", "put policy files into canonical layout",
     "Files are replaced one by one, each as a whole, keeping their mode. `-` formats standard input to standard "
     "output.",
     run_fmt},
    {Import, "import", "--from oci-seccomp FILE", "a foreign profile as a policy, proved equal to it",
     "FILE is a profile as Docker, Podman or an OCI runtime reads it. Entries that count only for some capabilities,\n"
     "architectures or kernels are decided by `--cap`, `--arch` and `--target`. The policy goes to standard output; "
     "what\n"
     "can't be carried over, and which calls the profile permits beyond what it looks like, are findings.",
     run_import},
    {Doc, "doc", "FILE", "a policy and what it includes, as a page that a reviewer reads",
     "Rules by block with their reasons and who brought them in, limits, run, accepted gaps, what the stack needs\n"
     "beyond the policy, invariants. `--format markdown` for a wiki or a pull request.",
     run_doc},
    {Explain, "explain", "[CODE|NAME]", "the documentation of a diagnostic; without argument, the list", "",
     run_explain, names_of_diagnostics},
    {Targets, "targets", "[NAME|--probe]", "the built-in target records, one of them, or a record of this machine",
     "A record is JSON: `agp targets --probe > prod.json`, committed, and named by `target = \"prod.json\"` in "
     "agp.toml\n"
     "or by `--target prod.json`.",
     run_targets, names_of_targets},
    {Backends, "backends", "", "the backends, and the stacks that load what each writes", "", run_backends},
    {Completion, "completion", "bash|zsh|fish", "a completion file for a shell, to standard output",
     "bash: `source <(agp completion bash)`; zsh: write it as `_agp` into a directory of `$fpath`; fish: into\n"
     "`~/.config/fish/completions/agp.fish`. An installed agp has them where the shells look.",
     run_completion, names_of_shells},
    {Version, "version", "", "the versions of agp, its language, its library, its schemas and its solver", "",
     run_version},
    {Help, "help", "[COMMAND]", "this overview, or the options of a command", "", run_help, names_of_commands},
};

}  // namespace

std::span<const CommandRow> command_table() { return command_rows; }

}  // namespace agp::cli
