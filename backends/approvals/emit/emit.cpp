#include "backends/approvals/emit/emit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "backends/approvals/format.hpp"

// In: the rules of a policy on tools. Out: approvals.json (`agp-approvals/1`), for an agent host or an MCP gateway.
//
// Its meaning is the language's: a call is denied if a `deny` rule matches the tool's name, else asked about if an
// `ask` rule does, else allowed if an `allow` rule does, else denied. A rule matches if one of `tools` does and none of
// `except`; `*` is any run of characters, `?` one, and a backslash makes the next character literal. A rule with
// `until` counts through that day, UTC. The order of rules means nothing; it is by effect and id here.
namespace agp::backends::approvals {
namespace {

using Json = nlohmann::ordered_json;

const model::TextBody* tools(const model::Rule& rule) {
  const auto* body = std::get_if<model::TextBody>(&rule.body);
  return body && body->sort == model::TextBody::Sort::Tool && !rule.expired ? body : nullptr;
}

Json patterns(const std::vector<model::Placed<std::string>>& list) {
  Json out = Json::array();
  for (const auto& p : list) out.push_back(p.pattern);
  return out;
}

Json entry(const model::Rule& rule, const model::TextBody& body) {
  Json out = {{"rule", rule.id}, {"effect", to_string(rule.effect)}, {"tools", patterns(body.patterns)}};
  if (!body.except.empty()) out["except"] = patterns(body.except);
  if (rule.risk)
    out["risk"] = *rule.risk == model::Risk::Low ? "low" : *rule.risk == model::Risk::Medium ? "medium" : "high";
  if (!rule.because.empty()) out["because"] = rule.because;
  if (rule.until) out["until"] = model::day_text(*rule.until);
  return out;
}

}  // namespace

Emitted emit(const model::Policy& policy) {
  std::vector<const model::Rule*> rules;
  for (const auto& rule : policy.rules)
    if (tools(rule)) rules.push_back(&rule);
  if (rules.empty()) return {};
  std::stable_sort(rules.begin(), rules.end(), [](const auto* a, const auto* b) {
    return std::tie(a->effect, a->id, a->text) < std::tie(b->effect, b->id, b->text);
  });
  Emitted out;
  Json entries = Json::array();
  for (const auto* rule : rules) {
    out.map.push_back({rule->id, std::string(format::path), fmt::format("/rules/{}", entries.size())});
    entries.push_back(entry(*rule, *tools(*rule)));
  }
  const Json document = {{"schema", format::schema},
                         {"policy", policy.name},
                         {"default", "deny"},
                         {"precedence", Json::array({"deny", "ask", "allow"})},
                         {"rules", std::move(entries)}};
  // a byte that is not UTF-8 becomes U+FFFD: dump would throw otherwise
  out.artifacts.push_back(
      {std::string(format::path), document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"});
  return out;
}

}  // namespace agp::backends::approvals
