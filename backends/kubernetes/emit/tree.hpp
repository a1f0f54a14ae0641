#pragma once
#include "backends/containers/mounts/mount_tree.hpp"

namespace agp::backends::kubernetes {

/// The mounts of a pod: those of the other containers, each of which lets everything in it be executed (a volume has no
/// `noexec`), and without a resolver (nothing puts the addresses of a name into a NetworkPolicy).
containers::MountTree pod_tree(const model::Policy& policy);

}  // namespace agp::backends::kubernetes
