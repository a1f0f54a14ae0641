#pragma once
#include <span>
#include <vector>

#include "compiler/model/policy.hpp"

namespace agp::analysis {

/// Why some actions have, together, the decision they have (the strictest of theirs): a set of the policy's rules,
/// indices ascending, from which none can be left out. For a refusal: denies that suffice to refuse one of the actions,
/// whatever else is permitted; empty when no rule permits it. For a permission: grants that suffice for all of the
/// actions, against all denies there are. O(rules that match × rules).
std::vector<std::size_t> why(const model::Policy& policy, std::span<const model::Action> actions);

}  // namespace agp::analysis
