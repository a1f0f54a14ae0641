#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/kubernetes/emit/emit.hpp"
#include "backends/kubernetes/emit/tree.hpp"
#include "backends/kubernetes/format.hpp"

// In: a policy. Out: one pod of one container. Afterwards: the file decides alone what the container is; what the
// kubelet and the runtime would add by themselves is covered by a volume, or a derived grant.
namespace agp::backends::kubernetes {
namespace {

using Json = nlohmann::ordered_json;
using containers::Cause;
using containers::MountTree;
using containers::TreeMount;

/// The kubelet expands `$(NAME)` in the command and in values, and makes one `$` of two (Container v1 core, command).
std::string literal(const std::string& text) {
  std::string out;
  for (const char c : text) out.append(c == '$' ? 2 : 1, c);
  return out;
}

bool is_label(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= format::longest_name && plain(name.front()) && plain(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
}

class Writer {
 public:
  explicit Writer(const model::Policy& policy) : policy_(policy), tree_(pod_tree(policy)) {}

  Emitted run() {
    if (policy_.run.command.empty())
      problem("a container needs a command to start",
              "run { command \"/usr/bin/python3.11\", \"-I\", \"/task/main.py\" }");
    if (!is_label(format::name_space(policy_.name)))
      problem(fmt::format("`{}` can't be the name of a pod: lower-case letters, digits and `-`, {} at most",
                          policy_.name, format::longest_name - 4));
    const std::string hostname = policy_.run.hostname.value_or(policy_.name);
    if (policy_.run.hostname && !is_label(hostname))
      problem(fmt::format("`{}` can't be the host name of a pod: lower-case letters, digits and `-`", hostname));
    mounts();
    covers();
    Json pod{{"apiVersion", "v1"},
             {"kind", "Pod"},
             {"metadata",
              {{"name", policy_.name},
               {"namespace", format::name_space(policy_.name)},
               {"labels", {{std::string(format::label), policy_.name}}}}}};
    Json& spec = pod["spec"];
    spec = {{"automountServiceAccountToken", false},
            {"enableServiceLinks", false},
            {"hostNetwork", false},
            {"hostPID", false},
            {"hostIPC", false},
            {"shareProcessNamespace", false},
            {"hostname", hostname},
            {"dnsPolicy", "Default"},  // its file is covered
            {"restartPolicy", "Never"},
            {"terminationGracePeriodSeconds", 0}};
    if (policy_.limits.time_ms) spec["activeDeadlineSeconds"] = deadline(policy_.limits.time_ms->value);
    spec["securityContext"] = of_pod();
    spec["containers"] = Json::array({container()});
    spec["volumes"] = std::move(volumes_);
    if (out_.problems.empty())
      out_.artifacts.push_back({std::string(format::pod), pod.dump(2) + "\n"});
    else
      out_.map.clear();
    return std::move(out_);
  }

 private:
  void problem(std::string message, std::string help = "") {
    out_.problems.push_back({std::move(message), std::nullopt, std::move(help)});
  }

  std::uint64_t deadline(std::uint64_t ms) {
    if (ms < 1000 || ms % 1000 != 0 || ms / 1000 > format::most)
      problem("a pod's deadline is a whole number of seconds, not 0, and of 31 bits", "limit { time 10 min }");
    return ms / 1000;
  }

  Json of_pod() {
    const model::User user = agent_user(policy_);
    if (user.uid > format::most || user.gid > format::most)
      problem(fmt::format("{}:{} can't be the user of a pod: {} is the largest id", user.uid, user.gid, format::most));
    return {{"runAsUser", user.uid},
            {"runAsGroup", user.gid},
            {"runAsNonRoot", user.uid != 0},
            {"seccompProfile", {{"type", "Localhost"}, {"localhostProfile", format::profile(policy_.name)}}},
            {"sysctls", Json::array({{{"name", format::ping_sysctl}, {"value", format::no_ping}}})}};
  }

  Json container() {
    Json command = Json::array(), env = Json::array();
    for (const std::string& word : policy_.run.command) command.push_back(literal(word));
    for (const auto& [name, value] : policy_.env_set) env.push_back({{"name", name}, {"value", literal(value)}});
    return {{"name", format::container},
            {"image", format::image},
            {"imagePullPolicy", "Never"},
            {"command", std::move(command)},
            {"workingDir", policy_.run.workdir.value_or("/")},
            {"env", std::move(env)},
            {"resources", {{"limits", limits()}}},
            {"securityContext",
             {{"privileged", false},
              {"allowPrivilegeEscalation", false},
              {"readOnlyRootFilesystem", true},
              {"capabilities", capabilities()}}},
            {"terminationMessagePath", format::termination_log},
            {"volumeMounts", std::move(mounts_)}};
  }

  /// Kubernetes gives no ambient capabilities, so that only root keeps one at execve (capabilities(7)).
  Json capabilities() {
    Json out{{"drop", Json::array({"ALL"})}};
    std::set<std::string> given;
    for (const model::Rule& rule : policy_.rules) {
      const auto* body = std::get_if<model::CapabilityBody>(&rule.body);
      if (!body || rule.expired) continue;
      for (const auto& name : body->names)
        if (model::decide(policy_, model::CapabilityAction{name.pattern}).decision == model::Decision::Allow)
          given.insert(name.pattern);
      map(rule, "/spec/containers/0/securityContext/capabilities");
    }
    if (given.contains("CAP_NET_RAW"))
      problem("`CAP_NET_RAW` can't be given to a pod: a NetworkPolicy says nothing about what it sends");
    if (agent_user(policy_).uid != 0 || given.empty()) return out;
    for (const std::string& name : given) out["add"].push_back(name.substr(std::string_view("CAP_").size()));
    return out;
  }

  Json limits() {
    const model::Limits& l = policy_.limits;
    Json out = Json::object();
    if (l.cpu_milli) {
      if (l.cpu_milli->value < 10) problem("the kubelet gives at least `limit cpu 0.01`");
      out["cpu"] = fmt::format("{}m", l.cpu_milli->value);
    }
    if (l.memory_bytes) {
      if (l.memory_bytes->value == 0) problem("`limit memory 0` would be no limit");
      out["memory"] = std::to_string(l.memory_bytes->value);
    }
    return out;
  }

  // mounts ------------------------------------------------------------------------------------------------------------

  std::string volume(const Json& source) {
    const auto [at, fresh] = names_.emplace(source.dump(), fmt::format("v{}", names_.size()));
    if (fresh) {
      Json one{{"name", at->second}};
      one.update(source);
      volumes_.push_back(std::move(one));
    }
    return at->second;
  }

  void show(const std::string& path, const Json& source, bool writable, bool recursive) {
    // The API's own rules for a mount path and a host path (ValidateVolumeMounts, validatePathNoBacksteps)
    for (const std::string& one :
         {path, source.contains("hostPath") ? source["hostPath"]["path"].get<std::string>() : ""})
      if (one.find(':') != std::string::npos)
        problem(fmt::format("`{}` can't be the path of a volume: it has a colon", one), "rename it");
    Json mount{{"name", volume(source)}, {"mountPath", path}, {"readOnly", !writable}};
    // without it, what is mounted beneath the source stays writable
    if (!writable && recursive) mount["recursiveReadOnly"] = "Enabled";
    mounts_.push_back(std::move(mount));
  }

  static Json host(const std::string& path, std::string_view type) {
    return {{"hostPath", {{"path", path}, {"type", type}}}};
  }
  Json of_node(std::string_view name, bool directory) const {
    return host(fmt::format("{}/{}", format::host_directory(policy_.name), name), directory ? "Directory" : "File");
  }

  Json source(const TreeMount& m) const {
    switch (m.from) {
      case TreeMount::From::Denied:
        return of_node(m.directory ? format::denied_directory : format::denied_file, m.directory);
      case TreeMount::From::Empty:
        return of_node(format::empty_file, false);
      case TreeMount::From::Bundle:
        return of_node(m.source, m.directory);
      case TreeMount::From::Device:
        return host(m.source, "CharDevice");
      default:
        return host(m.source, m.directory ? "Directory" : m.socket ? "Socket" : "File");
    }
  }

  void mounts() {
    for (const TreeMount& m : tree_.mounts) {
      if (m.from == TreeMount::From::Proc) continue;  // the runtime's own
      const std::string place = fmt::format("/spec/containers/0/volumeMounts/{}", mounts_.size());
      if (m.from == TreeMount::From::Tmpfs) {
        Json empty{{"medium", "Memory"}};
        if (m.size == 0u) problem("a file system of size 0 would have no limit: the kubelet takes 0 for absent");
        if (m.size) empty["sizeLimit"] = std::to_string(*m.size);
        // one volume for each: two that are alike are not one
        volumes_.push_back({{"name", fmt::format("t{}", volumes_.size())}, {"emptyDir", std::move(empty)}});
        mounts_.push_back({{"name", volumes_.back()["name"]}, {"mountPath", m.target}, {"readOnly", !m.writable}});
        if (m.target.find(':') != std::string::npos)
          problem(fmt::format("`{}` can't be the path of a volume: it has a colon", m.target), "rename it");
      } else {
        show(m.target, source(m), m.writable || m.from == TreeMount::From::Device, m.directory);
      }
      for (const auto* causes : {&m.grants, &m.causes})
        for (const Cause& c : *causes)
          if (c.rule != Cause::none) map(policy_.rules[c.rule], place);
    }
  }

  const TreeMount* mount_over(std::string_view path) const {
    const std::size_t i = containers::governing(tree_, path);
    return i == Cause::none ? nullptr : &tree_.mounts[i];
  }
  bool has_mount(std::string_view path) const {
    return std::any_of(tree_.mounts.begin(), tree_.mounts.end(), [&](const TreeMount& m) { return m.target == path; });
  }

  void covers() {
    for (const TreeMount& m : tree_.mounts)
      for (const std::string_view path : {std::string_view("/sys"), format::termination_log})
        if (m.target == path || model::is_beneath(m.target, path))
          problem(fmt::format("{} is the runtime's own, and nothing of the policy's can be there", path));
    if (mount_over("/sys"))
      problem("the runtime mounts a file system of its own at /sys, in what the policy shows there",
              "name the directories that are needed");
    show("/sys", of_node(format::sys, true), false, true);
    show("/sys/fs/cgroup", of_node(format::denied_directory, true), false, true);
    if (!has_mount(format::shared_memory))
      show(std::string(format::shared_memory), of_node(format::denied_directory, true), false, true);
    for (const std::string_view path : format::runtime_files) cover_file(std::string(path));
  }

  /// Where a directory of the node's shows a file that the runtime would replace, the node's file is mounted over it.
  void cover_file(const std::string& path) {
    if (has_mount(path)) return;
    const TreeMount* around = mount_over(path);
    if (!around) return show(path, of_node(format::denied_file, false), false, false);
    if (around->from == TreeMount::From::Bind && !around->writable)
      return show(path, host(around->source + path.substr(around->target.size()), "File"), false, false);
    if (around->masked) return;
    problem(fmt::format("the kubelet makes {} of its own, in what the policy shows there", path),
            "name the directories that are needed");
  }

  void map(const model::Rule& rule, std::string place) {
    out_.map.push_back({rule.id, std::string(format::pod), std::move(place)});
  }

  const model::Policy& policy_;
  const MountTree tree_;
  std::map<std::string, std::string> names_;  ///< of volumes, by what they are
  Json volumes_ = Json::array(), mounts_ = Json::array();
  Emitted out_;
};

}  // namespace

Emitted emit(const model::Policy& policy) {
  Emitted out = Writer(policy).run();
  if (out.problems.empty()) emit_network(policy, out);
  return out;
}

}  // namespace agp::backends::kubernetes
