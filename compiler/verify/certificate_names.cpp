#include "compiler/verify/certificate_names.hpp"

#include <set>

// In: what both sides say of names. Out: endings, so that whoever builds the automaton anew has nothing to search for.
namespace agp::verify {
namespace {

std::set<std::string> domains_of(const model::Policy& policy, const model::NameLayer& layer) {
  std::set<std::string> out;
  for (const model::Rule& rule : policy.rules) {
    const auto* body = std::get_if<model::NetBody>(&rule.body);
    if (!body || rule.expired || body->direction != model::Direction::Connect) continue;
    for (const auto* list : {&body->endpoints, &body->except})
      for (const auto& e : *list)
        if (e.pattern.name) out.insert(e.pattern.name->name);
  }
  for (const model::NameRule& rule : layer.rules)
    if (!rule.suffix.empty()) out.insert(rule.suffix.substr(rule.suffix.starts_with('.') ? 1 : 0));
  for (const model::NameFill& fill : layer.fills)
    if (!fill.domain.empty()) out.insert(fill.domain);
  return out;
}

/// Stands for every character that no domain has.
constexpr const char* other_name = "!";

}  // namespace

std::vector<std::string> name_endings(const model::Policy& policy, const model::NameLayer& layer) {
  const auto domains = domains_of(policy, layer);
  std::set<std::string> out{"", other_name, std::string(".") + other_name};
  for (const std::string& d : domains) {
    const std::string beneath = "." + d;
    for (std::size_t n = 0; n < beneath.size(); ++n) {
      const std::string end = beneath.substr(n);
      out.insert({end, other_name + end, "." + (other_name + end)});
      if (end.front() != '.') out.insert("." + end);
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace agp::verify
