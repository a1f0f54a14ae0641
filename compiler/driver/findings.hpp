#pragma once
#include "compiler/analysis/permissiveness.hpp"
#include "compiler/driver/driver.hpp"
#include "compiler/model/invariant.hpp"

/// The verdicts about one policy as a whole: conflicts, conflicts across blocks, invariants.
namespace agp::driver {

/// The invariants of the files that `--invariants` names. False: one of them does not resolve, and a finding says so.
bool read_invariants(Session& session, std::vector<model::Invariant>& out);

/// Everything that `check` asks of one policy before the plan, and how much it permits. What a limit leaves open is a
/// finding (exit 3), and is not counted.
std::vector<analysis::CountRow> judge(Session& session, const model::Policy& policy, const model::Target& target,
                                      const std::vector<model::Invariant>& own,
                                      const std::vector<model::Invariant>& given);

/// The bounds of the exact engines for the session's target.
analysis::SpaceLimits space_limits(const Session& session);

}  // namespace agp::driver
