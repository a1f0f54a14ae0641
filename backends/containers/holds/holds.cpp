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
    if (std::holds_alternative<model::FileBody>(body)) {
      Capability out = hold_file(c, fact);
      if (c.runtime.executable && out.holds == Holds::Wider && c.policy.rules[fact.rule].effect == model::Effect::Allow)
        out.also = static_cast<model::Verbs>(model::Verb::Exec);
      return out;
    }
    if (std::holds_alternative<model::UnixBody>(body)) return hold_unix(c, fact);
  }
  return hold_other(c, fact);
}

std::vector<bool> shown_mounts_of(const model::Policy& policy, const MountTree& tree) {
  std::vector<bool> out(policy.run.mounts.size());
  for (const TreeMount& m : tree.mounts) {
    const std::size_t own = run_mount_of(policy, m.target);
    if (own != Cause::none && !m.masked && !m.needed) out[own] = true;
  }
  return out;
}

}  // namespace

Context::Context(const model::Policy& policy_of, const model::Target& target_of, const MountTree& tree_of,
                 const Runtime& runtime_of)
    : policy(policy_of),
      target(target_of),
      tree(tree_of),
      runtime(runtime_of),
      comparison(policy, tree),
      rules(policy, {}),
      mounts(tree, comparison),
      memory_files(may_call(policy, "memfd_create")),
      shown_mounts(shown_mounts_of(policy, tree)) {}

Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target,
                   const MountTree& tree, const Runtime& runtime) {
  const Context context(policy, target, tree, runtime);
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
