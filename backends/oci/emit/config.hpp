#pragma once
#include "backends/backend.hpp"

namespace agp::backends::oci {

/// Policy -> oci/config.json. `earlier` may hold seccomp/profile.json, which becomes linux.seccomp.
Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact> earlier);

}  // namespace agp::backends::oci
