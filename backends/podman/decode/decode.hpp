#pragma once
#include "backends/backend.hpp"
#include "backends/podman/format.hpp"

namespace agp::backends::podman {

/// The engine's arguments as Podman 4.3 or Docker 20.10 reads them, started by the stack's command (podman-run(1),
/// docker-run(1)): what the options make, and what the engine adds by itself. An option that the model below does not
/// speak about is refused by name.
Decoded decode(std::span<const Artifact> artifacts, const format::Engine& engine);

}  // namespace agp::backends::podman
