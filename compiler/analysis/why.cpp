#include "compiler/analysis/why.hpp"

#include <algorithm>
#include <set>

// A core, made minimal by leaving out one rule after the other for as long as the decision stays.
namespace agp::analysis {

using namespace model;

namespace {

Decision together(const Policy& policy, std::span<const Action> actions) {
  Decision out = Decision::Allow;
  for (const Action& a : actions) out = std::min(out, decide(policy, a).decision);
  return out;
}

/// The policy with only `core` of the rules of `effects`.
Policy only(const Policy& policy, const std::set<std::size_t>& core, bool denies) {
  Policy out = policy;
  for (std::size_t r = 0; r < out.rules.size(); ++r)
    if ((out.rules[r].effect == Effect::Deny) == denies && !core.contains(r)) out.rules[r].expired = true;
  return out;
}

}  // namespace

std::vector<std::size_t> why(const Policy& policy, std::span<const Action> actions) {
  const Decision decision = together(policy, actions);
  const bool denied = decision == Decision::Deny;
  std::set<std::size_t> core;
  for (const Action& a : actions) {
    const Verdict verdict = decide(policy, a);
    if (denied && verdict.decision != Decision::Deny) continue;
    if (denied && verdict.rules.empty()) return {};  // nothing permits this one: no rule is behind it
    core.insert(verdict.rules.begin(), verdict.rules.end());
  }
  const std::vector<std::size_t> all(core.begin(), core.end());
  // later rules go first, so that of equal ones the first is named
  for (auto r = all.rbegin(); r != all.rend(); ++r) {
    core.erase(*r);
    if (core.empty() || together(only(policy, core, denied), actions) != decision) core.insert(*r);
  }
  return {core.begin(), core.end()};
}

}  // namespace agp::analysis
