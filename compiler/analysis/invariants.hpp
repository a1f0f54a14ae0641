#pragma once
#include <span>
#include <vector>

#include "compiler/analysis/space.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/invariant.hpp"

namespace agp::analysis {

/// Does the policy satisfy the invariants that concern it? In: a policy without errors. Out: an error for each line
/// that it breaks, with a permitted action (or a pair) as a witness, the rules that grant it and the includes that
/// brought them. `ask` counts as permitted. Exact over the cells of policy and invariants together; one cut for all of
/// them. False when a limit left something undecided; then a finding says so.
bool check_invariants(const model::Policy& policy, std::span<const model::Invariant* const> invariants,
                      diagnostics::Sink& sink, SpaceLimits limits = {});

/// Invariants that no policy can break: a set without an action, or a `for` that names none of the policies.
void find_vacuous(std::span<const model::Invariant* const> invariants, std::span<const model::Policy* const> policies,
                  diagnostics::Sink& sink);

}  // namespace agp::analysis
