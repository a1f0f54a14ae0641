#pragma once
#include "backends/backend.hpp"

namespace agp::backends::approvals {

/// Policy -> `approvals.json`; nothing for a policy without rules on tools.
Emitted emit(const model::Policy& policy);

}  // namespace agp::backends::approvals
