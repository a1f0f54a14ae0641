#pragma once
#include <vector>

#include "compiler/model/policy.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::verify {

/// Calls that an accepted gap takes out of the comparison, and no more than they.
struct CallGap {
  model::SyscallPattern calls;
  bool refuses;   ///< how `calls` reads an argument of unknown width (model::holds)
  bool narrower;  ///< out of what may be lost; else out of what may be permitted too much
};

/// Of every accepted gap of a rule on system calls. O(rows of the plan).
std::vector<CallGap> call_gaps(const model::Policy& policy, const plan::Plan& plan);

}  // namespace agp::verify
