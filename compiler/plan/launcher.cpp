#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backends/nftables/attach.hpp"
#include "compiler/plan/stack.hpp"

// The commands of the stack `launcher`: packet rules first, then the launcher in a pid namespace of its own. In: a
// policy. Out: argument arrays, run as root; the launcher gives the rights up. Afterwards: nothing is left but what the
// agent wrote.
namespace agp::plan {
namespace {

using Command = std::vector<std::string>;

void append_words(Command& command, const Command& words) { command.insert(command.end(), words.begin(), words.end()); }

std::string cgroup_directory(const model::Policy& policy) { return "/sys/fs/cgroup" + *policy.run.cgroup; }

/// Seconds with up to three decimals, as timeout(1) takes them.
std::string seconds(std::uint64_t ms) {
  return ms % 1000 == 0 ? fmt::format("{}", ms / 1000) : fmt::format("{}.{:03}", ms / 1000, ms % 1000);
}

/// Names in the policy that a rule gives whole, and none refuses, in alphabetical order.
std::set<std::string> capabilities(const model::Policy& policy) {
  std::set<std::string> out;
  for (const model::Rule& rule : policy.rules)
    if (const auto* body = std::get_if<model::CapabilityBody>(&rule.body))
      for (const auto& n : body->names)
        if (model::decide(policy, model::CapabilityAction{n.pattern}).decision == model::Decision::Allow)
          out.insert(n.pattern);
  return out;
}

/// Patterns of variables that the starter may hand on. One that a deny or an exception touches is left out: the
/// launcher knows no refusals.
std::set<std::string> passed_variables(const model::Policy& policy) {
  std::set<std::string> out;
  bool refusals = false;
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::TextBody>(&rule.body);
    if (!body || body->sort != model::TextBody::Sort::Env || rule.expired) continue;
    refusals = refusals || rule.effect != model::Effect::Allow || !body->except.empty();
  }
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::TextBody>(&rule.body);
    if (!body || body->sort != model::TextBody::Sort::Env || rule.expired || rule.effect != model::Effect::Allow)
      continue;
    for (const auto& p : body->patterns)
      if (!refusals || (p.pattern.find_first_of("*?") == std::string::npos &&
                        model::decide(policy, model::EnvAction{p.pattern}).decision == model::Decision::Allow))
        out.insert(p.pattern);
  }
  return out;
}

bool loads_packets(const model::Policy& policy, const model::Target& target) {
  return backends::nftables::attach_of(policy, target).fault.empty();
}

}  // namespace

model::Target target_for(const model::Policy& policy, model::Target target) {
  if (policy.isolation == model::Isolation::Process && target.stack == "oci") target.stack = "launcher";
  return target;
}

std::vector<std::string> loaded_files(const model::Policy& policy, const model::Target& target) {
  constexpr std::string_view mark = "{dir}/";
  std::vector<std::string> out;
  const StackCommands commands = stack_commands(policy, target);
  for (const auto* list : {&commands.prepare, &commands.run})
    for (const Command& command : *list)
      for (const std::string& word : command)
        if (const std::size_t at = word.find(mark); at != std::string::npos) {
          const std::string path = word.substr(at + mark.size());
          if (std::find(out.begin(), out.end(), path) == out.end()) out.push_back(path);
        }
  return out;
}

std::vector<std::string> in_time(const model::Policy& policy) {
  // TERM is ignored by the first process of a pid namespace; when it is killed, the kernel kills everything in it
  // (pid_namespaces(7)).
  Command out;
  if (policy.limits.time_ms) append_words(out, {"timeout", "-s", "KILL", seconds(policy.limits.time_ms->value)});
  append_words(out, {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"});
  return out;
}

std::vector<std::string> launcher_command(const model::Policy& policy, const model::Target& target) {
  const bool inside = target.stack == "oci+landlock";  // the runtime has done the rest before it starts the launcher
  Command out = inside
                    ? Command{std::string(launcher_point), "--ruleset", std::string(ruleset_point), "--pass-env", "*"}
                    : Command{"{launcher}", "--ruleset", "{dir}/landlock/ruleset.json"};
  for (const std::string& name : capabilities(policy)) append_words(out, {"--capability", name});
  if (inside) return out;
  append_words(out, {"--seccomp", fmt::format("{{dir}}/seccomp/filter.{}.bpf",
                                              target.archs.empty() ? std::string("x86_64") : target.archs.front())});
  const model::User user = backends::agent_user(policy);
  append_words(out, {"--user", fmt::format("{}:{}", user.uid, user.gid)});
  if (policy.run.cgroup && loads_packets(policy, target)) append_words(out, {"--cgroup", cgroup_directory(policy)});
  append_words(out, {"--rlimit", "core=0"});
  if (policy.limits.files) append_words(out, {"--rlimit", fmt::format("nofile={}", policy.limits.files->value)});
  append_words(out, {"--directory", policy.run.workdir.value_or("/")});
  for (const auto& [name, value] : policy.env_set) append_words(out, {"--env", name + "=" + value});
  for (const std::string& name : passed_variables(policy)) append_words(out, {"--pass-env", name});
  return out;
}

StackCommands launcher_commands(const model::Policy& policy, const model::Target& target) {
  StackCommands out;
  if (loads_packets(policy, target)) {
    if (policy.run.cgroup) out.prepare.push_back({"mkdir", "-p", "--", cgroup_directory(policy)});
    out.prepare.push_back({"nft", "-f", "{dir}/nftables/egress.nft"});
    out.finally.push_back({"nft", "delete", "table", "inet", backends::table_name(policy)});
    if (policy.run.cgroup) out.finally.push_back({"rmdir", "--", cgroup_directory(policy)});
  }
  Command run = in_time(policy);
  append_words(run, launcher_command(policy, target));
  run.push_back("--");
  append_words(run, policy.run.command);
  out.run.push_back(std::move(run));
  return out;
}

}  // namespace agp::plan
