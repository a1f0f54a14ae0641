#pragma once
#include "backends/backend.hpp"
#include "backends/containers/mounts/mount_tree.hpp"
#include "backends/podman/format.hpp"

namespace agp::backends::podman {

/// A policy -> the engine's arguments.
Emitted emit(const model::Policy& policy, const format::Engine& engine);

/// The mounts that they make. A bind mount of Docker's has no `noexec`: what it shows of the host can
/// be executed; what `prepare` makes has no permission bit for it.
containers::MountTree mount_tree(const model::Policy& policy, const format::Engine& engine);

}  // namespace agp::backends::podman
