#include "backends/oci/emit/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/containers/mounts/mount_tree.hpp"
#include "backends/oci/emit/checks.hpp"
#include "backends/oci/format.hpp"

// In: a policy and the seccomp profile that was emitted before. Out: the configuration of one container in the order
// of the specification, and where each rule went. Afterwards: the bytes are a function of the two inputs.
namespace agp::backends::oci {
namespace {

using namespace containers;

using Json = nlohmann::ordered_json;

std::string pointer_to_mount(std::size_t index) { return fmt::format("/mounts/{}", index); }

/// Capabilities that a rule allows and none refuses, in alphabetical order.
std::vector<std::string> capabilities(const model::Policy& policy) {
  std::set<std::string> named;
  for (const model::Rule& rule : policy.rules)
    if (const auto* body = std::get_if<model::CapabilityBody>(&rule.body))
      for (const auto& n : body->names) named.insert(n.pattern);
  std::vector<std::string> out;
  for (const std::string& name : named)
    if (model::decide(policy, model::CapabilityAction{name}).decision == model::Decision::Allow) out.push_back(name);
  return out;
}

bool with_launcher(const model::Target& target) { return target.stack == "oci+landlock"; }

/// The launcher applies the Landlock rules and executes the command: it gets what the runtime gave it, no more.
Json arguments(const model::Policy& policy, const model::Target& target) {
  if (!with_launcher(target)) return policy.run.command;
  Json out = {format::launcher_point, "--ruleset", format::ruleset_point, "--pass-env", "*"};
  for (const std::string& name : capabilities(policy)) {
    out.push_back("--capability");
    out.push_back(name);
  }
  out.push_back("--");
  for (const std::string& word : policy.run.command) out.push_back(word);
  return out;
}

Json process(const model::Policy& policy, const model::Target& target) {
  Json env = Json::array();
  for (const auto& [name, value] : policy.env_set) env.push_back(name + "=" + value);
  // All five sets: without the ambient one a user other than root loses them at execve (capabilities(7)).
  Json sets = Json::object();
  for (const char* set : {"bounding", "effective", "inheritable", "permitted", "ambient"})
    sets[set] = capabilities(policy);
  Json limits = Json::array({{{"type", "RLIMIT_CORE"}, {"hard", 0}, {"soft", 0}}});
  if (policy.limits.files)
    limits.push_back(
        {{"type", "RLIMIT_NOFILE"}, {"hard", policy.limits.files->value}, {"soft", policy.limits.files->value}});
  const model::User user = run_user(policy);
  return {{"terminal", false},
          {"user", {{"uid", user.uid}, {"gid", user.gid}, {"umask", 18}}},  // 0022
          {"args", arguments(policy, target)},
          {"env", std::move(env)},
          {"cwd", policy.run.workdir.value_or("/")},
          {"capabilities", std::move(sets)},
          {"rlimits", std::move(limits)},
          {"noNewPrivileges", true}};
}

Json options(const TreeMount& m, const model::User& user) {
  using From = TreeMount::From;
  Json out = Json::array();
  if (m.from == From::Proc)  // subset=pid: processes and nothing of the kernel's own files (proc(5), Linux 5.8)
    return {"ro", "nosuid", "nodev", "noexec", "subset=pid"};
  if (m.from != From::Tmpfs) {
    out.push_back("bind");
    out.push_back("rprivate");  // what the host mounts later does not appear
  }
  out.push_back(m.writable || m.from == From::Device ? "rw" : "ro");
  out.push_back("nosuid");
  if (m.from != From::Device) out.push_back("nodev");
  if (!m.exec) out.push_back("noexec");
  if (m.from != From::Tmpfs) return out;
  if (m.writable) {
    out.push_back("mode=0700");
    out.push_back(fmt::format("uid={}", user.uid));
    out.push_back(fmt::format("gid={}", user.gid));
    if (m.size) out.push_back(fmt::format("size={}", *m.size));
  } else {
    out.push_back("mode=0755");
    out.push_back("size=4096");
  }
  return out;
}

std::string source(const TreeMount& m) {
  switch (m.from) {
    case TreeMount::From::Tmpfs:
      return "tmpfs";
    case TreeMount::From::Proc:
      return "proc";
    // Not a tmpfs: runc 1.1 gives one the mode of the directory that it covers, whatever `mode=` says.
    case TreeMount::From::Denied:
      return std::string(m.directory ? format::denied_directory : format::denied_file);
    case TreeMount::From::Empty:
      return std::string(format::empty_file);
    default:
      return m.source;
  }
}

Json mounts(const MountTree& tree, const model::User& user, const model::Target& target) {
  Json out = Json::array();
  for (const TreeMount& m : tree.mounts) {
    const char* type = m.from == TreeMount::From::Tmpfs ? "tmpfs" : m.from == TreeMount::From::Proc ? "proc" : "bind";
    out.push_back({{"destination", m.target}, {"type", type}, {"source", source(m)}, {"options", options(m, user)}});
  }
  if (!with_launcher(target)) return out;
  out.push_back({{"destination", format::launcher_point},
                 {"type", "bind"},
                 {"source", format::launcher},
                 {"options", {"bind", "rprivate", "ro", "nosuid", "nodev"}}});
  out.push_back({{"destination", format::ruleset_point},
                 {"type", "bind"},
                 {"source", format::ruleset},
                 {"options", {"bind", "rprivate", "ro", "nosuid", "nodev", "noexec"}}});
  return out;
}

Json resources(const model::Policy& policy, const MountTree& tree) {
  Json devices = Json::array({{{"allow", false}, {"access", "rwm"}}});
  for (const TreeMount& m : tree.mounts)
    for (const format::Device& d : format::devices)
      if (m.from == TreeMount::From::Device && m.target == d.path)
        devices.push_back({{"allow", true}, {"type", "c"}, {"major", d.major}, {"minor", d.minor}, {"access", "rw"}});
  Json out = {{"devices", std::move(devices)}};
  const model::Limits& l = policy.limits;
  // `swap` is memory and swap together (config-linux.md, Memory): equal to the limit means no swap beside it.
  if (l.memory_bytes) out["memory"] = {{"limit", l.memory_bytes->value}, {"swap", l.memory_bytes->value}};
  if (l.cpu_milli) {  // a quota below 1 ms is refused (kernel/sched/core.c, min_cfs_quota_period)
    const std::uint64_t period = l.cpu_milli->value < 10 ? 1000000 : 100000;
    out["cpu"] = {{"quota", l.cpu_milli->value * (period / 1000)}, {"period", period}};
  }
  if (l.pids) out["pids"] = {{"limit", l.pids->value}};
  return out;
}

Json linux_section(const model::Policy& policy, const MountTree& tree) {
  Json namespaces = Json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount", "cgroup"}) namespaces.push_back({{"type", type}});
  namespaces.push_back({{"type", "network"}, {"path", "/run/netns/" + netns_name(policy)}});
  return {{"namespaces", std::move(namespaces)},
          {"cgroupsPath", "/agp-" + policy.name},
          {"resources", resources(policy, tree)},
          {"maskedPaths", format::masked_paths},
          {"readonlyPaths", format::readonly_paths}};
}

/// Rule -> JSON pointers. A refusal without a mount is held by what `/mounts` does not name.
void map_rules(const model::Policy& policy, const MountTree& tree, std::vector<MapEntry>& out) {
  const std::string artifact(format::artifact);
  std::vector<std::vector<std::size_t>> granted(policy.rules.size()), caused(policy.rules.size());  // mounts
  const auto note = [](auto& of_rule, const std::vector<Cause>& causes, std::size_t mount) {
    for (const Cause& c : causes)
      if (c.rule != Cause::none && (of_rule[c.rule].empty() || of_rule[c.rule].back() != mount))
        of_rule[c.rule].push_back(mount);
  };
  for (std::size_t k = 0; k < tree.mounts.size(); ++k) {
    note(granted, tree.mounts[k].grants, k);
    note(caused, tree.mounts[k].causes, k);
  }
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const model::Rule& rule = policy.rules[i];
    if (rule.expired) continue;
    const auto add = [&](std::string place) { out.push_back({rule.id, artifact, std::move(place)}); };
    if (std::holds_alternative<model::CapabilityBody>(rule.body)) add("/process/capabilities");
    if (const auto* text = std::get_if<model::TextBody>(&rule.body); text && text->sort == model::TextBody::Sort::Env)
      add("/process/env");
    if (!std::holds_alternative<model::FileBody>(rule.body) && !std::holds_alternative<model::UnixBody>(rule.body))
      continue;
    const auto& mounts = (rule.effect == model::Effect::Allow ? granted : caused)[i];
    for (const std::size_t k : mounts) add(pointer_to_mount(k));
    if (mounts.empty()) add("/mounts");
  }
}

}  // namespace

Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact> earlier) {
  Emitted out;
  out.problems = unusable(policy);
  if (!out.problems.empty()) return out;
  const MountTree tree = mount_tree(policy);
  Json config = {{"ociVersion", format::version},
                 {"process", process(policy, target)},
                 {"root", {{"path", format::root}, {"readonly", true}}},
                 {"hostname", policy.run.hostname.value_or(policy.name.substr(0, 64))},
                 {"mounts", mounts(tree, run_user(policy), target)},
                 {"linux", linux_section(policy, tree)}};
  for (const Artifact& a : earlier) {
    if (a.path != format::profile_artifact) continue;
    Json profile = Json::parse(a.bytes, nullptr, false);
    if (!profile.is_object()) {
      out.problems.push_back({fmt::format("`{}` is not a JSON object", a.path), std::nullopt, ""});
      return out;
    }
    config["linux"]["seccomp"] = std::move(profile);
  }
  out.artifacts.push_back({std::string(format::artifact), config.dump(2) + "\n"});
  map_rules(policy, tree, out.map);
  return out;
}

}  // namespace agp::backends::oci
