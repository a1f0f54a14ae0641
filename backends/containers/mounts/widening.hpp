#pragma once
#include <vector>

#include "backends/containers/mounts/mount_tree.hpp"

namespace agp::backends::containers {

/// Allow patterns with a wildcard inside a path that the tree of the plain ones does not serve yet: only a mount of the
/// directory they stand in can. Patterns that start with a wildcard are not among them: nothing mounts the whole root.
std::vector<Cause> to_widen(const model::Policy& policy, const MountTree& tree);

}  // namespace agp::backends::containers
