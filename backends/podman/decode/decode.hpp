#pragma once
#include "backends/backend.hpp"

namespace agp::backends::podman {

/// podman/run.args as Podman 4.3 reads it, started by the stack's command (podman-run(1)): what the options make, and
/// what the runtime adds by itself. An option that the model below does not speak about is refused by name.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::podman
