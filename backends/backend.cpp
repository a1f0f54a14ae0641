#include "backends/backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace agp::backends {
namespace {

std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037ull;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}

/// One word without quotes, spaces, `$` or control characters, reversible; or `#` and the hash where it is too long.
std::string log_word(std::string_view text, std::size_t limit) {
  constexpr std::string_view plain = "_.:/@,+-";
  std::string out;
  for (const char c : text) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alphanumeric || plain.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out.size() <= limit ? out : "#" + short_name(text);
}

/// NF_LOG_PREFIXLEN of include/net/netfilter/nf_log.h is 128 with the final zero.
constexpr std::size_t log_bound = 127, log_around = sizeof("agp P= R= ") - 1, log_shortest = 17;
constexpr std::string_view log_default = "default";

std::string log_policy(const model::Policy& policy) {
  return log_word(policy.name, log_bound - log_around - log_shortest);
}

}  // namespace

std::string name_set(const model::Rule& rule, std::size_t endpoint, int family) {
  return fmt::format("n_{:016x}_{}_{}", hash(rule.id + '\n' + rule.text), endpoint, family);
}

std::string table_name(const model::Policy& policy) {
  std::string name = "agp_";
  for (const char c : policy.name) name += c == '-' ? '_' : c;
  if (name.size() > 60) name = fmt::format("{}_{:016x}", name.substr(0, 43), hash(policy.name));
  return name;
}

std::string short_name(std::string_view text) { return fmt::format("{:016x}", hash(text)); }

std::string log_rule(const model::Policy& policy, std::string_view rule_id) {
  if (rule_id == log_default) return fmt::format("%{:02X}{}", log_default[0], log_default.substr(1));
  return log_word(rule_id, log_bound - log_around - log_policy(policy).size());
}

std::string log_prefix(const model::Policy& policy, std::optional<std::string_view> rule_id) {
  return fmt::format("agp P={} R={} ", log_policy(policy),
                     rule_id ? log_rule(policy, *rule_id) : std::string(log_default));
}

model::User agent_user(const model::Policy& policy) { return policy.run.user.value_or(model::User{65534, 65534, {}}); }

bool may_call(const model::Policy& policy, std::string_view name) {
  bool allowed = false;
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::SyscallBody>(&rule.body);
    if (rule.expired || !body) continue;
    for (const auto& p : body->patterns) {
      if (p.pattern.name != name) continue;
      const bool excepted =
          std::any_of(body->except.begin(), body->except.end(), [&](const auto& e) { return e.pattern.name == name; });
      if (rule.effect == model::Effect::Allow)
        allowed = true;
      else if (p.pattern.tests.empty() && !excepted)
        return false;
    }
  }
  return allowed;
}

bool needs_resolver(const model::Policy& policy) {
  return std::any_of(policy.rules.begin(), policy.rules.end(), [](const model::Rule& rule) {
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    return body && !rule.expired && rule.effect == model::Effect::Allow &&
           body->direction == model::Direction::Connect &&
           std::any_of(body->endpoints.begin(), body->endpoints.end(),
                       [](const auto& e) { return e.pattern.name.has_value(); });
  });
}

bool reports_denials(const model::Policy& policy) { return policy.on_deny.log || !policy.on_deny.alerts.empty(); }

std::string netns_name(const model::Policy& policy) { return "agp-" + policy.name; }

}  // namespace agp::backends
