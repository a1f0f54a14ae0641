#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"
#include "compiler/model/invariant.hpp"

namespace agp::driver {

/// What a reviewer reads about one policy: the policy with everything it includes, how the target's stack holds it, and
/// what it is held against.
struct DocReport {
  std::string file;  ///< as it is shown
  model::Target target;  ///< with the stack that runs this policy
  PolicyReport policy;
  std::vector<model::Invariant> invariants;  ///< that concern the policy, of its file and what that uses
  std::size_t expectations = 0;              ///< lines of its `test` blocks
};

/// parse -> sema -> plan of the one policy that is meant. Gaps don't stop it: they stand in the plan. Nothing when the
/// file does not resolve: a diagnostic was emitted.
std::optional<DocReport> doc(Session& session, const std::string& file);

}  // namespace agp::driver
