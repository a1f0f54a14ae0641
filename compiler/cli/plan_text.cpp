#include "compiler/cli/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using diagnostics::display_width;
using diagnostics::visible;

constexpr unsigned widest_fact = 60, plan_width = 100;

std::string_view word(backends::Holds holds) {
  switch (holds) {
    case backends::Holds::Exact:
      return "exact";
    case backends::Holds::Wider:
      return "wider";
    case backends::Holds::Narrower:
      return "narrower";
    case backends::Holds::Not:
      return "not held";
    case backends::Holds::Elsewhere:
      return "elsewhere";
  }
  return "not held";
}

/// One line of the plan: rows that say the same (the calls of a group, say) are one.
struct Line {
  std::string fact, holds, layer, reason, accepted;
  std::size_t count = 1;
  bool same(const Line& other) const {
    return fact == other.fact && holds == other.holds && layer == other.layer && reason == other.reason &&
           accepted == other.accepted;
  }
};

std::string fact_text(const model::Policy& policy, const model::Fact& fact) {
  if (fact.kind != model::Fact::Kind::Pattern) return fact.text;
  return fmt::format("{} {}", model::to_string(policy.rules[fact.rule].effect), fact.text);
}

/// The clause of the layer that decided, or of the first that has one.
std::string reason(const plan::Row& row) {
  if (row.holds == backends::Holds::Exact) return {};
  for (const plan::Answer& answer : row.answers)
    if (answer.layer == row.layer && !answer.capability.reason.empty()) return answer.capability.reason;
  for (const plan::Answer& answer : row.answers)
    if (answer.capability.holds == row.holds && !answer.capability.reason.empty()) return answer.capability.reason;
  return {};
}

std::vector<Line> lines_of(const model::Policy& policy, const plan::Plan& plan) {
  std::vector<Line> lines;
  for (const plan::Row& row : plan.rows) {
    Line line{fact_text(policy, row.fact), std::string(word(row.holds)), row.layer, reason(row),
              row.accept ? policy.accepts[*row.accept].because : std::string()};
    if (!lines.empty() && lines.back().same(line))
      ++lines.back().count;
    else
      lines.push_back(std::move(line));
  }
  return lines;
}

std::string padded(std::string text, unsigned width) {
  const unsigned have = display_width(text);
  return have < width ? text + std::string(width - have, ' ') : text;
}

/// A2 before A11.
std::vector<std::string> in_order(std::vector<std::string> names) {
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

}  // namespace

std::string derived_text(std::span<const backends::DerivedGrant> derived) {
  std::vector<std::pair<std::string, std::string>> groups;
  for (const backends::DerivedGrant& grant : derived) {
    const std::string why = fmt::format("{}: {}", visible(grant.layer), visible(grant.reason));
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == why; });
    if (group == groups.end()) group = groups.insert(groups.end(), {why, {}});
    group->second += (group->second.empty() ? "" : "; ") + visible(grant.grant);
  }
  std::string out = groups.empty() ? "" : "needed by the stack beyond the policy\n";
  for (const auto& [why, grants] : groups) {
    out += fmt::format("  {}\n", why);
    for (const std::string& words : diagnostics::wrap(grants, plan_width - 4)) out += fmt::format("    {}\n", words);
  }
  return out;
}

nlohmann::ordered_json derived_json(std::span<const backends::DerivedGrant> derived) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const backends::DerivedGrant& grant : derived)
    list.push_back({{"grant", diagnostics::valid_utf8(grant.grant)},
                    {"layer", grant.layer},
                    {"reason", diagnostics::valid_utf8(grant.reason)}});
  return list;
}

std::string plan_text(const model::Policy& policy, const plan::Plan& plan, const model::Target& target) {
  std::string out =
      fmt::format("plan of `{}` for {}, stack {}\n", visible(policy.name), visible(target.name), visible(target.stack));
  std::vector<Line> lines = lines_of(policy, plan);
  unsigned widest = 0;
  for (Line& line : lines) {
    line.fact = visible(line.fact) + (line.count > 1 ? fmt::format(" ({} times)", line.count) : "");
    widest = std::max(widest, std::min(widest_fact, display_width(line.fact)));
  }
  for (const Line& line : lines) {
    out += fmt::format("  {:<9} {}  {}\n", line.holds, padded(line.fact, widest),
                       line.layer.empty() ? "-" : visible(line.layer));
    if (!line.reason.empty()) out += fmt::format("              {}\n", visible(line.reason));
    if (!line.accepted.empty()) out += fmt::format("              accepted: {}\n", visible(line.accepted));
  }
  out += derived_text(plan.derived);
  if (!plan.assumptions.empty()) out += fmt::format("assumptions {}\n", fmt::join(in_order(plan.assumptions), ", "));
  if (!plan.advisory.empty())
    out += fmt::format("advisory, loaded by no layer of this stack: {}\n", fmt::join(plan.advisory, ", "));
  return out;
}

nlohmann::ordered_json plan_json(const model::Policy& policy, const plan::Plan& plan, const model::Target& target) {
  using Json = nlohmann::ordered_json;
  const auto text = [](std::string_view raw) { return diagnostics::valid_utf8(raw); };
  const auto maybe = [&](const std::string& raw) { return raw.empty() ? Json(nullptr) : Json(text(raw)); };
  Json value = {{"policy", text(policy.name)},
                {"target", target.name},
                {"stack", target.stack},
                {"facts", Json::array()},
                {"derived", derived_json(plan.derived)},
                {"assumptions", in_order(plan.assumptions)},
                {"advisory", plan.advisory}};
  for (const Line& line : lines_of(policy, plan))
    value["facts"].push_back({{"fact", text(line.fact)},
                              {"count", line.count},
                              {"holds", line.holds},
                              {"layer", maybe(line.layer)},
                              {"reason", maybe(line.reason)},
                              {"accepted", maybe(line.accepted)}});
  return value;
}

}  // namespace agp::cli
