#pragma once
#include "compiler/analysis/space.hpp"
#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::analysis {

/// What the rules of one policy do to each other (docs/reference/checks.md): grants that denies cover, refusals that
/// refuse nothing, rules that others make redundant, rules past their day. In: a policy without errors, the space of its
/// rules, and the day that `until` is compared with. Out: findings.
/// Rules of the library are never the subject of a finding; a fragment's rules are only compared with each other where
/// a finding would be about the policy that includes it. False when a limit left something undecided; then it says so.
/// Near-linear in the rules while few lie over each other.
bool find_conflicts(const model::Policy& policy, const Space& space, model::Day today, diagnostics::Sink& sink);

}  // namespace agp::analysis
