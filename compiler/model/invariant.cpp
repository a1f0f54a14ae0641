#include "compiler/model/invariant.hpp"

#include <algorithm>
#include <type_traits>

namespace agp::model {

namespace {

/// The set as a rule: what it includes is what the rule matches.
template <class Body>
bool rule_matches(const Body& body, const Action& action, bool forbids) {
  Rule rule;
  rule.effect = forbids ? Effect::Deny : Effect::Allow;
  if constexpr (std::is_same_v<Body, NetBody>) {
    if (std::holds_alternative<ResolveAction>(action)) return false;
    NetBody net = body;
    net.within = AddressSet::all();  // a name stands for whatever address
    rule.body = std::move(net);
  } else {
    rule.body = body;
  }
  return matches(rule, action);
}

bool rule_matches(const ResolveBody& body, const Action& action, bool) {
  const auto* resolve = std::get_if<ResolveAction>(&action);
  return resolve && std::any_of(body.names.begin(), body.names.end(),
                                [&](const auto& n) { return n.pattern.matches(resolve->name); });
}

}  // namespace

bool includes(const ActionSet& set, const Action& action, bool forbids) {
  return std::visit([&](const auto& body) { return rule_matches(body, action, forbids); }, set.body);
}

bool Invariant::concerns(const Policy& policy) const {
  return policies.empty() || std::any_of(policies.begin(), policies.end(),
                                         [&](const auto& p) { return glob_matches(p.pattern, policy.name); });
}

}  // namespace agp::model
