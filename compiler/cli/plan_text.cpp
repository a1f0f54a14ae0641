#include "compiler/cli/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using diagnostics::display_width;
using diagnostics::visible;

constexpr unsigned widest_fact = 60;

std::string_view word(backends::Holds holds) {
  switch (holds) {
    case backends::Holds::Exact: return "exact";
    case backends::Holds::Wider: return "wider";
    case backends::Holds::Narrower: return "narrower";
    case backends::Holds::Not: return "not held";
    case backends::Holds::Elsewhere: return "elsewhere";
  }
  return "not held";
}

std::string fact_text(const model::Policy& policy, const model::Fact& fact) {
  if (fact.kind != model::Fact::Kind::Pattern) return visible(fact.text);
  return fmt::format("{} {}", model::to_string(policy.rules[fact.rule].effect), visible(fact.text));
}

/// The clause of the layer that decided, or of the first that has one.
std::string reason(const plan::Row& row) {
  for (const plan::Answer& answer : row.answers)
    if (answer.layer == row.layer && !answer.capability.reason.empty()) return answer.capability.reason;
  for (const plan::Answer& answer : row.answers)
    if (answer.capability.holds == row.holds && !answer.capability.reason.empty()) return answer.capability.reason;
  return {};
}

std::string padded(std::string text, unsigned width) {
  const unsigned have = display_width(text);
  return have < width ? text + std::string(width - have, ' ') : text;
}

}  // namespace

std::string plan_text(const model::Policy& policy, const plan::Plan& plan, const model::Target& target) {
  std::string out = fmt::format("plan of `{}` for {}, stack {}\n", visible(policy.name), visible(target.name), visible(target.stack));
  unsigned facts = 0, layers = 0;
  for (const plan::Row& row : plan.rows) {
    facts = std::max(facts, std::min(widest_fact, display_width(fact_text(policy, row.fact))));
    layers = std::max(layers, display_width(row.layer));
  }
  for (const plan::Row& row : plan.rows) {
    std::string why = row.holds == backends::Holds::Exact ? "" : visible(reason(row));
    if (row.accept) why += fmt::format("{}accepted: {}", why.empty() ? "" : "; ", visible(policy.accepts[*row.accept].because));
    std::string line = fmt::format("  {:<9} {}  {}", word(row.holds), padded(fact_text(policy, row.fact), facts),
                                   padded(row.layer.empty() ? "-" : row.layer, layers));
    if (!why.empty()) line += "  " + why;
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  if (!plan.derived.empty()) out += "needed by the stack beyond the policy\n";
  for (const backends::DerivedGrant& grant : plan.derived)
    out += fmt::format("  {}  ({}: {})\n", visible(grant.grant), visible(grant.layer), visible(grant.reason));
  if (!plan.assumptions.empty()) out += fmt::format("assumptions {}\n", fmt::join(plan.assumptions, ", "));
  if (!plan.advisory.empty()) out += fmt::format("advisory, loaded by no layer of this stack: {}\n", fmt::join(plan.advisory, ", "));
  return out;
}

nlohmann::ordered_json plan_json(const model::Policy& policy, const plan::Plan& plan, const model::Target& target) {
  using Json = nlohmann::ordered_json;
  const auto text = [](std::string_view raw) { return diagnostics::valid_utf8(raw); };
  Json value = {{"policy", text(policy.name)},  {"target", target.name}, {"stack", target.stack}, {"facts", Json::array()},
                {"derived", Json::array()},     {"assumptions", plan.assumptions}, {"advisory", plan.advisory}};
  for (const plan::Row& row : plan.rows)
    value["facts"].push_back({{"fact", text(fact_text(policy, row.fact))},
                              {"holds", word(row.holds)},
                              {"layer", row.layer.empty() ? Json(nullptr) : Json(row.layer)},
                              {"reason", text(reason(row))},
                              {"accepted", row.accept ? Json(text(policy.accepts[*row.accept].because)) : Json(nullptr)}});
  for (const backends::DerivedGrant& grant : plan.derived)
    value["derived"].push_back({{"grant", text(grant.grant)}, {"layer", grant.layer}, {"reason", text(grant.reason)}});
  return value;
}

}  // namespace agp::cli
