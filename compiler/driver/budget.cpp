#include "compiler/driver/budget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/diagnostics/tree_kinds.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/source/disk.hpp"
#include "compiler/source/strict_json.hpp"

namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using model::Count;
using Json = nlohmann::json;
using Counts = std::map<std::string, Count>;
using Budget = std::map<std::string, Counts>;

constexpr std::string_view budget_schema = "agp-budget/1";
constexpr std::size_t largest_budget = 16u << 20,
                      most_digits = 400;  ///< all arguments of all calls have some 120 digits

/// The budget, or what is wrong with the text: one clause.
std::optional<Budget> parse_budget(const std::string& text, std::string& fault) {
  const auto parsed = source::parse_strict_json(text, 8, fault);
  if (!parsed) return std::nullopt;
  const nlohmann::json& value = *parsed;
  if (!value.is_object() || !value.contains("schema") || value["schema"] != budget_schema ||
      !value.contains("policies") || !value["policies"].is_object()) {
    fault = fmt::format("it is no object with `\"schema\": \"{}\"` and `\"policies\"`", budget_schema);
    return std::nullopt;
  }
  Budget out;
  for (const auto& [policy, counts] : value["policies"].items()) {
    Counts& own = out[policy];
    for (const auto& [name, count] : counts.items()) {
      const std::string digits = count.is_string()            ? count.get<std::string>()
                                 : count.is_number_unsigned() ? count.dump()
                                                              : std::string();
      if (digits.empty() || digits.size() > most_digits ||
          !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        fault = fmt::format("`{}` of `{}` is not a natural number, nor one as a string", name, policy);
        return std::nullopt;
      }
      own.emplace(name, Count::parse(digits));
    }
  }
  return out;
}

std::optional<Budget> read_budget(Session& session, const std::string& path) {
  const source::Resolved real = source::resolve(path);
  const source::DiskRead file = real.path ? source::read_disk(*real.path, largest_budget)
                                          : source::DiskRead{source::DiskRead::Outcome::Failed, {}, real.reason};
  std::optional<Budget> out;
  if (file.outcome != source::DiskRead::Outcome::Read) {
    session.sink.emit(
        kind::unreadable_file, {},
        fmt::format("`{}` can't be read: {}", path, file.reason.empty() ? "it is larger than 16 MiB" : file.reason));
  } else {
    session.inputs.emplace_back(*real.path, source::sha256(file.text));
    std::string fault;
    out = parse_budget(file.text, fault);
    if (!out)
      session.sink.emit(kind::invalid_budget, {}, fmt::format("`{}` is no budget: {}", path, fault))
          .helped(fmt::format("`agp check --write-budget {}` writes one", path));
  }
  session.unusable = session.unusable || !out;
  return out;
}

void compare_with(Session& session, const CheckedPolicy& policy, const Counts& budget) {
  std::vector<std::string> above;
  for (const auto& [name, count] : policy.counts) {
    const auto at = budget.find(name);
    const Count most = at == budget.end() ? Count() : at->second;
    if (count > most) above.push_back(fmt::format("{}: {}, and the budget is {}", name, count.text(), most.text()));
  }
  if (above.empty()) return;
  auto& d = session.sink.emit(kind::over_budget, policy.span,
                              fmt::format("`{}` permits more than its budget in {} count{}", policy.name, above.size(),
                                          above.size() == 1 ? "" : "s"));
  d.about(policy.name);
  for (std::string& line : above) d.note(std::move(line));
  d.helped("`agp diff` shows what became permitted; if it is meant, write the budget again with `--write-budget`");
}

}  // namespace

void check_budget(Session& session, std::span<const CheckedPolicy> policies) {
  if (!session.options.budget) return;
  const auto budget = read_budget(session, *session.options.budget);
  if (!budget) return;
  for (const CheckedPolicy& policy : policies) {
    if (const auto own = budget->find(policy.name); own != budget->end()) {
      compare_with(session, policy, own->second);
      continue;
    }
    session.sink.emit(kind::unbudgeted_policy, policy.span, fmt::format("`{}` has no budget", policy.name))
        .about(policy.name)
        .helped("add it to the budget: `--write-budget` writes that of all policies checked");
  }
}

std::string budget_text(std::span<const CheckedPolicy> policies) {
  Budget all;
  for (const CheckedPolicy& policy : policies) {
    Counts& own = all[policy.name];
    for (const auto& [name, count] : policy.counts)
      if (!count.zero()) own[name] = std::max(own[name], count);
  }
  nlohmann::ordered_json out = {{"schema", budget_schema}, {"policies", nlohmann::ordered_json::object()}};
  for (const auto& [policy, counts] : all) {
    auto& own = out["policies"][diagnostics::valid_utf8(policy)] = nlohmann::ordered_json::object();
    for (const auto& [name, count] : counts) own[name] = count.decimal();
  }
  return out.dump(2) + "\n";
}

}  // namespace agp::driver
