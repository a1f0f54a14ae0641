#pragma once
#include "backends/backend.hpp"
#include "backends/containers/mounts/mount_tree.hpp"
#include "backends/podman/format.hpp"

namespace agp::backends::podman {

/// A policy -> podman/run.args or docker/run.args.
Emitted emit(const model::Policy& policy, format::Engine engine);

/// The mounts that the arguments make. Docker has no `noexec` for a bind mount: everything in it can be executed.
containers::MountTree tree_of(const model::Policy& policy, format::Engine engine);

}  // namespace agp::backends::podman
