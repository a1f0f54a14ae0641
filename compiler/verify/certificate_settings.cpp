#include "compiler/verify/certificate_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/backend.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/plan/stack.hpp"

// In: what was read from an artifact. Out: its values beside what the policy has there, for whoever compares them
// again. What is asked is what container.cpp, names.cpp and files.cpp ask.
namespace agp::verify {
namespace {

using Json = nlohmann::ordered_json;
using model::Container;

constexpr const char* empty_root = "empty, read-only";

/// Both sides, before they are text.
struct Both {
  Json artifact = Json::object(), policy = Json::object();
  std::string reason;
};
Json run_json(const model::Policy& policy, const model::Target& target, const plan::Plan& plan);
Json accepted_json(const model::Policy& policy, const plan::Plan& plan);

std::string utf8(std::string_view raw) { return diagnostics::valid_utf8(raw); }
template <class T>
Json optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
template <class T>
std::optional<std::uint64_t> value_of(const T& bound) {
  return bound ? std::optional<std::uint64_t>(bound->value) : std::nullopt;
}

bool may_have(const model::Policy& policy, const std::string& name) {
  return model::decide(policy, model::CapabilityAction{name}).decision == model::Decision::Allow;
}
std::set<std::string> permitted_capabilities(const model::Policy& policy) {
  std::set<std::string> out;
  for (const model::Rule& rule : policy.rules)
    if (const auto* body = std::get_if<model::CapabilityBody>(&rule.body); body && !rule.expired)
      for (const auto& name : body->names)
        if (may_have(policy, name.pattern)) out.insert(name.pattern);
  return out;
}

std::string network(const model::Policy& policy, const model::Target& target) {
  return model::makes_network(target.stack) ? "/run/netns/agp-" + policy.name : "";
}

class Section {
 public:
  Section(bool demanded, const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
          const Container& container)
      : demanded_(demanded),
        policy_(policy),
        target_(target),
        container_(container),
        run_(run_json(policy, target, plan)),
        accepted_(accepted_json(policy, plan)) {}

  Both run(std::string_view section) {
    if (section == "capabilities")
      capabilities();
    else if (section == "env")
      environment();
    else if (section == "process")
      process();
    else if (section == "resources")
      resources();
    else if (section == "namespaces")
      namespaces();
    else
      out_.reason = "this section has no form as a certificate yet";
    return std::move(out_);
  }

 private:
  void want(const std::string& name, const char* relation, Json bound) {
    out_.policy[name] = Json::array({relation, std::move(bound)});
  }
  static bool has(const Json& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  }
  bool accepted(const char* block, const std::string& name) const { return has(accepted_.at(block), name); }

  void capabilities() {
    constexpr const char* names[] = {"bounding", "effective", "inheritable", "permitted", "ambient"};
    const auto may = permitted_capabilities(policy_);
    Json needed = Json::array();
    for (const std::string& one : may)
      if (!accepted("capability", one)) needed.push_back(one);
    for (std::size_t i = 0; i < container_.capabilities.size(); ++i) {
      out_.artifact[names[i]] = container_.capabilities[i];
      want(names[i], demanded_ ? "has" : "among", demanded_ ? needed : Json(may));
    }
  }

  void environment() {
    for (const auto& [name, value] : container_.environment) out_.artifact[name].push_back(value);
    if (demanded_) {
      for (const auto& [name, value] : policy_.env_set) want(utf8(name), "is", Json::array({utf8(value)}));
      return;
    }
    for (auto at = out_.artifact.begin(); at != out_.artifact.end(); ++at) {
      const auto set = policy_.env_set.find(at.key());
      const bool may = model::decide(policy_, model::EnvAction{at.key()}).decision == model::Decision::Allow;
      if (set != policy_.env_set.end())
        want(at.key(), "among", Json::array({utf8(set->second)}));
      else if (!may)  // what the runtime sets itself has no value in an artifact
        want(at.key(), "among", has(run_["variables"], at.key()) ? Json::array({""}) : Json::array());
    }
  }

  void process() {
    std::vector<std::string> words = container_.command;
    if (target_.stack == "oci+landlock") {
      std::vector<std::string> launcher{plan::launcher_point.data(), "--ruleset", plan::ruleset_point.data(),
                                        "--pass-env", "*"};
      const auto own = std::min(words.size(), launcher.size());
      std::vector<std::string> first(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(own)), kept;
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(own));
      while (words.size() > 1 && words[0] == "--capability") {
        kept.push_back(words[1]);
        words.erase(words.begin(), words.begin() + 2);
      }
      if (!words.empty()) first.push_back(words[0]), words.erase(words.begin());
      launcher.push_back("--");
      out_.artifact["launcher"] = first;
      out_.artifact["kept"] = kept;
      Json starter = Json::array();
      for (const std::string_view point : {plan::launcher_point, plan::ruleset_point}) {
        const model::ContainerMount* m = model::mount_at(container_, point);
        starter.push_back(m && m->target == point ? Json(utf8(m->source)) : Json(nullptr));
      }
      out_.artifact["starter"] = std::move(starter);
      want("starter", "is", Json::array({"landlock-launch", "ruleset.json"}));
      want("launcher", "is", launcher);
      want("kept", "among", permitted_capabilities(policy_));
    }
    Json user = Json::array({container_.uid, container_.gid});
    for (const std::uint32_t group : container_.groups) user.push_back(group);
    out_.artifact["args"] = words;
    out_.artifact["cwd"] = container_.workdir;
    out_.artifact["user"] = std::move(user);
    want("args", "is", run_["command"]);
    want("cwd", "is", run_["workdir"]);
    want("user", "is", run_["user"]);
    if (demanded_) return;
    out_.artifact["root"] = container_.empty_root ? empty_root : "another one";
    out_.artifact["noNewPrivileges"] = container_.no_new_privileges;
    want("root", "is", empty_root);
    want("noNewPrivileges", "is", true);
  }

  void bound(const std::string& name, const char* limit, const Json& value, const Json& written) {
    out_.artifact[name] = value;
    if (!accepted("limit", limit)) want(name, demanded_ ? "at least" : "at most", written);
  }

  void resources() {
    const model::Limits& l = policy_.limits;
    const Json memory = optional(value_of(l.memory_bytes)), pids = optional(value_of(l.pids)),
               files = optional(value_of(l.files));
    bound("memory", "memory", optional(container_.memory_bytes), memory);
    bound("memory and swap", "memory", optional(container_.memory_and_swap_bytes), memory);
    bound("pids", "pids", optional(container_.pids), pids);
    const auto [quota, period] = container_.cpu.value_or(std::pair<std::uint64_t, std::uint64_t>{0, 100000});
    const std::uint64_t milli = l.cpu_milli ? l.cpu_milli->value : 0;
    if (container_.cpu && (quota > UINT64_MAX / 1000 || (period != 0 && milli > UINT64_MAX / period)))
      out_.reason = "numbers of more than 64 bits have no form as a certificate";
    bound("cpu quota x 1000", "cpu", container_.cpu ? Json(quota * 1000) : Json(nullptr),
          l.cpu_milli ? Json(milli * period) : Json(nullptr));
    Json others = Json::array(), hard, soft;
    for (const auto& [name, b] : container_.rlimits)
      if (name == "RLIMIT_NOFILE")
        hard = b.hard, soft = b.soft;
      else if (name != "RLIMIT_CORE")
        others.push_back(name);
    bound("files", "files", hard, files);
    bound("files at first", "files", soft, files);
    if (container_.holds_time)
      bound("time", "time", container_.seconds ? Json(*container_.seconds * 1000) : Json(nullptr),
            optional(value_of(l.time_ms)));
    if (container_.seconds && *container_.seconds > UINT64_MAX / 1000)
      out_.reason = "numbers of more than 64 bits have no form as a certificate";
    out_.artifact["other limits"] = std::move(others);
    if (demanded_) want("other limits", "among", Json::array());
  }

  void namespaces() {
    constexpr const char* shared[] = {"pid", "mount", "ipc", "uts", "cgroup", "network"};
    std::size_t known = 0;
    for (const char* name : shared) {
      const auto at = container_.namespaces.find(name);
      out_.artifact[name] = at == container_.namespaces.end() ? Json(nullptr) : Json(at->second);
      known += at != container_.namespaces.end();
      want(name, "is", std::string_view(name) == "network" ? network(policy_, target_) : "");
    }
    if (known != container_.namespaces.size())
      out_.reason = "namespaces of another kind have no form as a certificate yet";
    Json sysctls = Json::array();
    for (const auto& [key, value] : container_.sysctls) sysctls.push_back(key + "=" + value);
    out_.artifact["sysctl"] = std::move(sysctls);
    out_.artifact["makes devices"] =
        container_.devices.contains("*") && container_.capabilities[Container::Bounding].contains("CAP_MKNOD");
    want("sysctl", "among", Json::array({"net.ipv4.ping_group_range=1 0"}));
    want("makes devices", "is", false);
  }

  const bool demanded_;
  const model::Policy& policy_;
  const model::Target& target_;
  const Container& container_;
  const Json run_, accepted_;
  Both out_;
};

/// What the plan says that the runtime sets by itself, whatever the policy says.
Json own_variables(const plan::Plan& plan) {
  constexpr std::string_view before = "env \"";
  Json out = Json::array();
  for (const backends::DerivedGrant& d : plan.derived)
    if (d.grant.starts_with(before))
      out.push_back(utf8(d.grant.substr(before.size(), d.grant.size() - before.size() - 1)));
  return out;
}

/// A value of the relation's other side that breaks it, or null.
Json instead(const std::string& setting, const Json& relation, const Json& value) {
  const auto& word = relation[0].get_ref<const std::string&>();
  const auto with = [](Json list) { return list.push_back("control"), list; };
  const auto of = [&](const char* side, Json changed) -> Json {
    return {{"side", side}, {"setting", setting}, {"value", std::move(changed)}};
  };
  const auto policy = [&](Json bound) { return of("policy", Json::array({word, std::move(bound)})); };
  if (word == "among") return of("artifact", with(value.is_array() ? value : Json::array()));
  if (word == "has") return policy(with(relation[1]));
  if (word == "is") {
    if (relation[1].is_boolean()) return policy(!relation[1].get<bool>());
    return policy(relation[1].is_array() ? with(relation[1]) : Json(relation[1].get<std::string>() + "/control"));
  }
  const auto number = value.is_number() ? std::optional(value.get<std::uint64_t>()) : std::nullopt;
  if (word == "at most") return policy(number && *number > 0 ? Json(*number - 1) : Json(number ? -1 : 0));
  if (number && *number < UINT64_MAX) return policy(*number + 1);
  return relation[1] == 0 ? Json(nullptr) : of("artifact", 0);
}

Json control_of(const Both& settings) {
  for (auto at = settings.policy.begin(); at != settings.policy.end(); ++at) {
    const Json value = settings.artifact.contains(at.key()) ? settings.artifact[at.key()] : Json(nullptr);
    if (Json out = instead(at.key(), at.value(), value); !out.is_null()) return out;
  }
  return {{"side", "policy"}, {"setting", "CONTROL"}, {"value", Json::array({"is", Json::array({"control"})})}};
}

Json run_json(const model::Policy& policy, const model::Target& target, const plan::Plan& plan) {
  const model::User user = backends::agent_user(policy);
  Json command = Json::array(), set = Json::object();
  for (const std::string& word : policy.run.command) command.push_back(utf8(word));
  for (const auto& [name, value] : policy.env_set) set[utf8(name)] = utf8(value);
  const model::Limits& l = policy.limits;
  return {{"command", std::move(command)},
          {"workdir", utf8(policy.run.workdir.value_or("/"))},
          {"user", {user.uid, user.gid}},
          {"env", std::move(set)},
          {"variables", own_variables(plan)},
          {"network", network(policy, target)},
          {"rootfs", utf8(policy.run.rootfs)},
          {"limits",
           {{"cpu", optional(value_of(l.cpu_milli))},
            {"memory", optional(value_of(l.memory_bytes))},
            {"pids", optional(value_of(l.pids))},
            {"files", optional(value_of(l.files))},
            {"time", optional(value_of(l.time_ms))}}}};
}

Json accepted_json(const model::Policy& policy, const plan::Plan& plan) {
  std::set<std::string> limits, capabilities;
  for (const plan::Row& row : plan.rows) {
    if (!row.accept) continue;
    if (row.fact.kind == model::Fact::Kind::Limit) limits.insert(row.fact.name);
    if (row.fact.kind != model::Fact::Kind::Pattern) continue;
    const auto* body = std::get_if<model::CapabilityBody>(&policy.rules[row.fact.rule].body);
    if (body && row.fact.pattern < body->names.size()) capabilities.insert(body->names[row.fact.pattern].pattern);
  }
  return {{"limit", limits}, {"capability", capabilities}};
}

Settings finished(const Obligation& o, const Both& both) {
  if (!both.reason.empty()) return {"", "", "", both.reason};
  const Json control = control_of(both),
             document = {{"statement", o.statement}, {"artifact", both.artifact}, {"policy", both.policy}};
  return {document.dump(1), control.dump(),
          fmt::format("{}: {}", control["setting"].get<std::string>(), control["value"].dump()), ""};
}

}  // namespace

Settings container_settings(const Obligation& o, const model::Policy& policy, const model::Target& target,
                            const plan::Plan& plan, const Container& container) {
  // `/linux/resources` behind a `#`, or `resources` in parentheses
  const std::string_view section = std::string_view(o.artifact).substr(o.artifact.find_last_of("/(") + 1);
  return finished(o, Section(o.direction == Direction::Loss, policy, target, plan, container)
                         .run(section.substr(0, section.find(')'))));
}

Settings source_settings(const Obligation& o, const ContainerTree& tree) {
  Both out;
  for (const ContainerTree::Source& s : tree.sources) {
    out.artifact[utf8(s.path)] = Json::array({utf8(s.observed)});
    Json may = Json::array();
    for (const std::string& one : s.may) may.push_back(utf8(one));
    out.policy[utf8(s.path)] = Json::array({"among", std::move(may)});
  }
  out.artifact["mount points in files"] = Json::array();
  out.policy["mount points in files"] = Json::array({"among", Json::array()});
  return finished(o, out);
}

Settings resolver_settings(const Obligation& o, const model::Policy& policy, const model::NameLayer& layer) {
  Both out;
  out.artifact["asked"] = Json::array();
  if (!layer.servers->empty()) out.artifact["asked"].push_back(model::to_string(layer.servers->front()));
  if (!backends::needs_resolver(policy)) return finished(o, out);
  out.policy["asked"] = Json::array({"is", Json::array({"127.0.0.53"})});
  if (out.artifact["asked"] != out.policy["asked"][1])
    out.reason = "another server than the generated resolver is asked first";
  return finished(o, out);
}

Settings scope_settings(const Obligation& o, const model::PortLayer& layer) {
  Both out;
  out.artifact["abstract sockets of others"] = layer.outside_sockets ? "permitted" : "refused";
  out.policy["abstract sockets of others"] =
      Json::array({"is", o.direction == Direction::Excess ? "refused" : "permitted"});
  return finished(o, out);
}

Settings alert_settings(const Obligation& o, const AlertLists& lists) {
  Both out;
  for (const auto& [name, list] : lists.artifact) out.artifact[utf8(name)] = list;
  for (const auto& [name, wanted] : lists.policy) out.policy[utf8(name)] = Json::array({wanted.first, wanted.second});
  return finished(o, out);
}

std::string certified_run(const model::Policy& policy, const model::Target& target, const plan::Plan& plan) {
  return run_json(policy, target, plan).dump();
}
std::string certified_gaps_of_settings(const model::Policy& policy, const plan::Plan& plan) {
  return accepted_json(policy, plan).dump();
}

}  // namespace agp::verify
