#pragma once
#include "backends/backend.hpp"

namespace agp::backends::oci {

/// oci/config.json as runc 1.1 reads it (runtime-spec 1.0.2, config.md and config-linux.md; runc
/// libcontainer/specconv/spec_linux.go and libcontainer/rootfs_linux.go), apart from its seccomp section, which is the
/// seccomp backend's. Every property that the model below does not speak about is refused by name, hooks among them.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::oci
