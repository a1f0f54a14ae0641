#pragma once
#include <span>
#include <string>

#include "compiler/driver/driver.hpp"
#include "compiler/driver/record.hpp"

/// How much policies may permit (docs/reference/checks.md, Permissiveness). A budget is a JSON file, `agp-budget/1`: by
/// policy, by count, the number that it may reach. A count that a policy's budget does not have may not appear.
namespace agp::driver {

/// With --budget: a finding for each policy of which a count is above its budget, one for each that has none; a budget
/// that can't be read makes the session unusable.
void check_budget(Session& session, std::span<const CheckedPolicy> policies);

/// What --write-budget writes: the counts that are not zero. Policies of one name share a budget, the larger of each.
std::string budget_text(std::span<const CheckedPolicy> policies);

}  // namespace agp::driver
