#include "backends/alerts/emit/emit.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "backends/alerts/format.hpp"

// In: `on deny` of a policy. Out: alerts.json (`agp-alerts/1`): for each alert the log lines that raise it, and what no
// layer of the stack reports.
//
// nftables writes a line to the kernel's log for each refused packet; it begins with the prefix of the rule that
// decided
// (`log_prefix`), and `OUT=` is empty for one that came in. dnsmasq logs each look-up. A seccomp filter that kills is
// logged by the kernel (SECCOMP_RET_KILL_* in Documentation/userspace-api/seccomp_filter.rst); an errno or a trap only
// for a filter loaded with SECCOMP_FILTER_FLAG_LOG, which runc does not set. A mount tree reports nothing.
namespace agp::backends::alerts {
namespace {

using Json = nlohmann::ordered_json;
using model::Direction;
using model::Effect;

bool reports_packets(const model::Target& target) { return model::makes_network(target.stack); }

bool is_file(std::string_view word) {
  static const std::set<std::string_view> words = {"file", "read",   "write",  "exec",
                                                   "list", "modify", "create", "delete"};
  return words.contains(word);
}
bool is_net(std::string_view word) { return word == "net" || word == "connect" || word == "listen"; }
bool is_syscall(std::string_view word) { return word == "syscall"; }

bool kills(const model::Policy& policy) {
  return std::any_of(policy.rules.begin(), policy.rules.end(), [](const model::Rule& rule) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    return body && !rule.expired && rule.effect == Effect::Deny && body->denial.kind == model::Denial::Kind::Kill;
  });
}

struct Gap {
  const char* reason;
  bool whole = true;  ///< nothing at all of it is reported
};

/// Why no layer reports (all of) the attempts that `word` names; nothing where one reports them all.
std::optional<Gap> gap(const model::Policy& policy, const model::Target& target, std::string_view word) {
  if (is_net(word)) {
    if (!reports_packets(target)) return Gap{"the stack loads no packet rules that report"};
    return Gap{"refused connections to unix sockets are reported by no layer", false};
  }
  if (is_file(word)) return Gap{"the mount tree and the file permissions refuse without a report"};
  if (is_syscall(word) && policy.audits("syscall")) return std::nullopt;
  if (is_syscall(word))
    return Gap{"the container runtime loads the filter without its log flag: only calls denied with `kill` are logged",
               !kills(policy)};
  if (word == "tool") return Gap{"tools are called through an agent host or gateway, which is not part of the stack"};
  return Gap{"no layer of the stack reports it"};
}

/// The log lines that `word` stands for.
void matches(const model::Policy& policy, const model::Target& target, const std::string& word, Json& out) {
  if (is_syscall(word) && (kills(policy) || policy.audits("syscall")))
    out.push_back({{"on", word}, {"layer", "seccomp"}, {"log", "audit"}, {"type", 1326}});
  if (!is_net(word) || !reports_packets(target)) return;
  if (needs_resolver(policy) && word != "listen")
    out.push_back({{"on", word}, {"layer", "dns"}, {"log", "dnsmasq"}, {"regex", "config .* is NXDOMAIN$"}});
  const auto line = [&](std::optional<std::string_view> rule, Direction direction) {
    Json entry = {{"on", word},
                  {"layer", "nftables"},
                  {"log", "kernel"},
                  {"prefix", log_prefix(policy, rule)},
                  {"direction", direction == Direction::Connect ? "out" : "in"}};
    if (rule) entry["rule"] = *rule;
    out.push_back(std::move(entry));
  };
  for (const Direction direction : {Direction::Connect, Direction::Listen}) {
    if (word != "net" && (word == "connect") != (direction == Direction::Connect)) continue;
    std::set<std::string> rules;
    for (const auto& rule : policy.rules) {
      const auto* body = std::get_if<model::NetBody>(&rule.body);
      if (!body || rule.expired || rule.effect == Effect::Allow || body->direction != direction) continue;
      // a name shows in no packet: a refusal of its own has only a rule on addresses
      if (std::any_of(body->endpoints.begin(), body->endpoints.end(), [](const auto& e) { return !e.pattern.name; }))
        rules.insert(rule.id);
    }
    for (const auto& rule : rules) line(rule, direction);
    line(std::nullopt, direction);
  }
}

Json gaps(const model::Policy& policy, const model::Target& target, const std::vector<std::string>& words) {
  Json out = Json::array();
  for (const auto& word : words)
    if (const auto g = gap(policy, target, word))
      out.push_back({{"on", word}, {"all", g->whole}, {"reason", g->reason}});
  return out;
}

/// The blocks in which something can be refused: `log` is about all of them.
std::vector<std::string> blocks(const model::Policy& policy) {
  std::set<std::string> used;
  for (const auto& rule : policy.rules)
    if (!rule.expired) used.insert(fact_block(rule.body));
  std::vector<std::string> out;
  for (const char* block : {"file", "net", "syscall", "tool"})
    if (used.contains(block)) out.push_back(block);
  return out;
}

const char* name(model::Severity s) {
  constexpr const char* names[] = {"P1", "P2", "P3", "P4", "P5"};
  return names[static_cast<int>(s)];
}

}  // namespace

Emitted emit(const model::Policy& policy, const model::Target& target) {
  if (!reports_denials(policy)) return {};
  Json document = {{"schema", format::schema}, {"policy", policy.name}};
  const auto entry = [&](Json& out, const std::vector<std::string>& words) {
    out["matches"] = Json::array();
    for (const auto& word : words) matches(policy, target, word, out["matches"]);
    out["unreported"] = gaps(policy, target, words);
  };
  if (policy.on_deny.log) entry(document["log"], blocks(policy));
  document["alerts"] = Json::array();
  for (const auto& alert : policy.on_deny.alerts) {
    Json one = {{"severity", name(alert.severity)}, {"on", alert.targets}};
    entry(one, alert.targets);
    document["alerts"].push_back(std::move(one));
  }
  return {{{std::string(format::path), document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"}}, {}, {}};
}

}  // namespace agp::backends::alerts
