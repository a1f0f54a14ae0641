#pragma once
#include "backends/backend.hpp"

namespace agp::backends::landlock {

/// landlock/ruleset.json -> what a loader of it permits.
Decoded decode(std::span<const Artifact> artifacts, const model::Target& target);

}  // namespace agp::backends::landlock
