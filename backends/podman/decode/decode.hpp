#pragma once
#include "backends/backend.hpp"
#include "backends/podman/format.hpp"

namespace agp::backends::podman {

/// podman/run.args as Podman 4.3 reads it, or docker/run.args as Docker 20.10 does, started by the stack's command
/// (podman-run(1), docker-run(1)): what the options make, and what the runtime adds by itself. An option that the model
/// below does not speak about is refused by name.
Decoded decode(std::span<const Artifact> artifacts, format::Engine engine);

}  // namespace agp::backends::podman
