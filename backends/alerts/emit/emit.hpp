#pragma once
#include "backends/backend.hpp"

namespace agp::backends::alerts {

/// Policy -> `alerts.json`; nothing for a policy without `on deny`.
Emitted emit(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::alerts
