#pragma once
#include "backends/backend.hpp"

namespace agp::backends::oci {

/// oci/config.json is not verified yet, apart from its seccomp section, which the seccomp backend reads.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::oci
