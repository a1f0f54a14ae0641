// Policy × target -> the escape suite. Afterwards: every probe carries the model's decision for its actions, the rules
// behind it and the layer of the stack that decides facts of the first refused action's kind.
#include "compiler/analysis/probes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/analysis/probe_suite.hpp"
#include "compiler/model/grant.hpp"
#include "compiler/model/move.hpp"

namespace agp::analysis {

using namespace model;

std::string_view to_string(Expected e) {
  return e == Expected::Permitted ? "permitted" : e == Expected::Denied ? "denied" : "derived";
}

Suite::Suite(const Policy& policy, const Target& target, std::span<const ProbeGrant> derived)
    : policy_(policy),
      stack_(target.stack),
      arch_(linux::find_arch(target.archs.empty() ? "x86_64" : target.archs.front()).value_or(linux::Arch::x86_64)),
      derived_(derived) {}

bool Suite::permits(const Action& action) const {
  if (const auto* env = std::get_if<EnvAction>(&action); env != nullptr && policy_.env_set.count(env->name) != 0)
    return true;
  return decide(policy_, action).decision == Decision::Allow;
}

const ProbeGrant* Suite::grant_for(const Action& action) const {
  const auto* file = std::get_if<FileAction>(&action);
  const std::string text = to_string(action);
  for (const ProbeGrant& g : derived_)
    if (file != nullptr ? model::covers(g.grant, *file) : g.grant == text) return &g;
  return nullptr;
}

void Suite::holder(const Action& action, Judged& judged) const {
  struct Holder {
    bool launcher;
    const char* container;
    const char* packets;
    std::pair<const char*, const char*> operator()(const FileAction&) const {
      return launcher ? std::pair{"landlock", ""} : std::pair{container, "mounts"};
    }
    std::pair<const char*, const char*> operator()(const UnixAction&) const { return (*this)(FileAction{}); }
    std::pair<const char*, const char*> operator()(const NetAction&) const { return {packets, ""}; }
    std::pair<const char*, const char*> operator()(const NameAction&) const { return {packets, ""}; }
    std::pair<const char*, const char*> operator()(const ResolveAction&) const { return {"dns", ""}; }
    std::pair<const char*, const char*> operator()(const SyscallAction&) const { return {"seccomp", ""}; }
    std::pair<const char*, const char*> operator()(const CapabilityAction&) const {
      return {launcher ? "launcher" : container, "capabilities"};
    }
    std::pair<const char*, const char*> operator()(const EnvAction&) const {
      return {launcher ? "launcher" : container, "environment"};
    }
    std::pair<const char*, const char*> operator()(const ToolAction&) const { return {"", ""}; }
  };
  const auto [layer, part] = std::visit(Holder{stack_ == "launcher", container_layer(), packet_layer()}, action);
  judged.layer = layer;
  judged.part = part;
}

Suite::Judged Suite::judge(const std::vector<Action>& actions) const {
  Judged judged;
  for (const Action& action : actions) {
    const ProbeGrant* grant = permits(action) ? nullptr : grant_for(action);
    if (judged.expected == Expected::Derived && permits(action)) continue;
    holder(action, judged);
    judged.decided_by.clear();
    for (const std::size_t i : decide(policy_, action).rules) judged.decided_by.push_back(policy_.rules[i].id);
    if (permits(action)) continue;
    if (grant == nullptr) {
      judged.expected = Expected::Denied;
      return judged;
    }
    judged.expected = Expected::Derived;
    judged.layer = grant->layer;
    judged.part = grant->grant;
  }
  return judged;
}

void Suite::put(Probe probe) {
  if (!seen_.insert(probe.id).second) return;
  if (rule_) {
    probe.rule = policy_.rules[*rule_].id;
    probe.rule_text = policy_.rules[*rule_].text;
  }
  out_.push_back(std::move(probe));
}

void Suite::add(std::string id, std::string about, const std::vector<Action>& actions, Attempt attempt) {
  put(std::move(id), std::move(about), actions, std::move(attempt), judge(actions));
}

void Suite::put(std::string id, std::string about, const std::vector<Action>& actions, Attempt attempt, Judged judged) {
  Probe probe{std::move(id),
              std::move(about),
              {},
              std::move(attempt),
              judged.expected,
              "",
              "",
              std::move(judged.decided_by),
              std::move(judged.layer),
              std::move(judged.part)};
  for (const Action& a : actions) probe.actions.push_back(to_string(a));
  put(std::move(probe));
}

void Suite::add_if(Expected expected, std::string id, std::string about, const std::vector<Action>& actions,
                   Attempt attempt) {
  if (judge(actions).expected == expected) add(std::move(id), std::move(about), actions, std::move(attempt));
}

void Suite::add_move_if(Expected expected, bool link, const std::string& from, const std::string& to, std::string about,
                        const char* needs) {
  const MoveVerdict verdict = link ? decide(policy_, Link{from, to}) : decide(policy_, Rename{from, to});
  const bool permitted = verdict.decision == Decision::Allow;
  if (verdict.unknown || permitted != (expected == Expected::Permitted)) return;
  std::vector<Action> actions;
  if (!link) actions.push_back(FileAction{Verb::Delete, from});
  actions.push_back(FileAction{Verb::Create, to});
  Attempt attempt = file_attempt(link ? "link" : "rename", from, needs);
  attempt.parameters.emplace_back("to", to);
  Judged judged = judge(actions);
  judged.expected = expected;
  put(fmt::format("{} {} {}", link ? "ln" : "mv", from, to), std::move(about), actions, std::move(attempt),
      std::move(judged));
}

void Suite::add_stated(std::string id, std::string about, std::string action, Attempt attempt, Expected expected,
                       std::string layer, std::string part) {
  put({std::move(id),
       std::move(about),
       {std::move(action)},
       std::move(attempt),
       expected,
       "",
       "",
       {},
       std::move(layer),
       std::move(part)});
}

void Suite::add_call(const char* name, std::vector<std::uint64_t> values, std::string text, std::string about,
                     std::vector<std::string> args) {
  const linux::Syscall* call = linux::find_syscall(arch_, name);
  if (call == nullptr) return;
  const bool executed = !args.empty();
  for (std::size_t i = args.size(); i < values.size(); ++i) args.push_back(std::to_string(values[i]));
  add(executed ? text : "filter " + text, std::move(about), {call_action(name, values)},
      {executed ? "call" : "filter",
       {{"number", static_cast<std::uint64_t>(call->number)}, {"args", std::move(args)}}});
}

SyscallAction call_action(const char* name, const std::vector<std::uint64_t>& values) {
  SyscallAction action{name, {}};
  std::copy_n(values.begin(), std::min<std::size_t>(values.size(), 6), action.args.begin());
  return action;
}

std::vector<Action> connect_actions(Protocol protocol, bool six, Action connection) {
  const auto constant = [](const char* name) { return linux::find_constant(name).value_or(0); };
  const std::uint64_t type = constant(protocol == Protocol::Tcp ? "SOCK_STREAM" : "SOCK_DGRAM");
  const std::uint64_t number = protocol != Protocol::Icmp ? 0 : six ? 58 : 1;  // IPPROTO_ICMPV6, IPPROTO_ICMP
  return {call_action("socket", {constant(six ? "AF_INET6" : "AF_INET"), type, number}), std::move(connection)};
}

Attempt file_attempt(const char* kind, const std::string& path, const char* needs) {
  Attempt attempt{kind, {{"path", path}}};
  if (needs != nullptr) attempt.parameters.emplace_back("needs", needs);
  return attempt;
}

Attempt connect_attempt(Protocol protocol, const std::string& address, std::uint16_t port) {
  return {"connect",
          {{"protocol", protocols_text(static_cast<Protocols>(protocol))},
           {"address", address},
           {"port", static_cast<std::uint64_t>(port)}}};
}

Attempt name_attempt(const char* kind, const std::string& name, const char* type) {
  // The address of the generated resolver inside the sandbox (BACKENDS.md, dns).
  return {kind, {{"name", name}, {"type", type}, {"server", "127.0.0.53"}}};
}

std::vector<Probe> probes(const Policy& policy, const Target& target, std::span<const ProbeGrant> derived) {
  Suite suite(policy, target, derived);
  add_rules(suite);
  add_limits(suite);
  add_derived(suite);
  add_fixed(suite);
  return suite.take();
}

std::string to_json_lines(const Policy& policy, const Target& target, std::span<const Probe> probes) {
  using nlohmann::ordered_json;
  const auto line = [](const ordered_json& j) {
    return j.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
  };
  std::string out = line({{"schema", "agp-probe/1"},
                          {"policy", policy.name},
                          {"target", target.name},
                          {"stack", target.stack},
                          {"attempts", probes.size()}});
  for (const Probe& p : probes) {
    ordered_json attempt = {{"kind", p.attempt.kind}};
    for (const auto& [name, value] : p.attempt.parameters)
      std::visit([&, &key = name](const auto& v) { attempt[key] = v; }, value);
    ordered_json j = {{"id", p.id},
                      {"about", p.about},
                      {"actions", p.actions},
                      {"attempt", std::move(attempt)},
                      {"expected", std::string(to_string(p.expected))},
                      {"layer", p.layer}};
    if (!p.part.empty()) j["part"] = p.part;
    if (!p.rule.empty()) {
      j["rule"] = p.rule;
      j["rule_text"] = p.rule_text;
    }
    j["decided_by"] = p.decided_by;
    out += line(j);
  }
  return out;
}

}  // namespace agp::analysis
