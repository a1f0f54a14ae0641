#include "backends/containers/holds/holds.hpp"

#include <algorithm>

#include "backends/containers/holds/context.hpp"

namespace agp::backends::containers {
namespace {

Capability hold(const Context& c, const model::Fact& fact) {
  using Kind = model::Fact::Kind;
  if (fact.kind == Kind::Mount) return hold_mount(c, fact);
  if (fact.kind == Kind::Pattern) {
    const model::RuleBody& body = c.policy.rules[fact.rule].body;
    if (std::holds_alternative<model::FileBody>(body)) return hold_file(c, fact);
    if (std::holds_alternative<model::UnixBody>(body)) return hold_unix(c, fact);
  }
  return hold_other(c, fact);
}

}  // namespace

Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target,
                   const MountTree& tree, const Runtime& runtime) {
  const Comparison comparison(policy, tree);
  const Context context{policy, target, tree, comparison, runtime};
  Capabilities out;
  bool files = false;
  for (const model::Fact& fact : facts) {
    out.facts.push_back(hold(context, fact));
    files = files || fact.block == "file" || fact.kind == model::Fact::Kind::Mount;
  }
  out.derived = derived_grants(context);
  out.assumptions = files ? std::vector<std::string>{"A1", "A2", "A3", "A5", "A6", "A7", "A11"}
                          : std::vector<std::string>{"A3", "A5", "A11"};
  return out;
}

std::string quoted(const std::string& path) {
  const std::string text = model::to_string(model::Action{model::FileAction{model::Verb::List, path}});
  return text.substr(text.find(' ') + 1);
}

}  // namespace agp::backends::containers
