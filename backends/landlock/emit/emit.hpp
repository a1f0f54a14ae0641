#pragma once
#include "backends/backend.hpp"

namespace agp::backends::landlock {

/// Policy -> landlock/ruleset.json, and where each rule went.
Emitted emit(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::landlock
