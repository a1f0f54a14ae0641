#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::alerts {

/// alerts.json -> which lines raise which alert, and what it says is not reported. Anything that the format does not
/// have is refused.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::alerts
