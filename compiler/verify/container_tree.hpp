#pragma once
#include "compiler/model/container.hpp"
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/verify/verify.hpp"

namespace agp::verify {

/// The file tree of a container as rights on paths, and where a mount shows something else than the policy says stands
/// there. Whether the source of a mount is a file or a directory is not in its configuration: it is taken to be what
/// the rules speak about there, which is what the stack's `prepare` makes the mount point for, so that a source of the
/// other kind stops the start. Where they speak about nothing the runtime makes the mount point, and it may be either.
/// O(mounts × (depth + patterns)).
struct ContainerTree {
  model::InodeLayer layer;
  struct Misplaced {
    std::string path, expected, observed, place;
  };
  std::vector<Misplaced> misplaced;  ///< in mounting order
  /// What each mount shows of which the policy says something, and all that it may show.
  struct Source {
    std::string path, observed;
    std::vector<std::string> may;
  };
  std::vector<Source> sources;
};
ContainerTree container_tree(const model::Policy& policy, const model::Target& target,
                             const model::Container& container);

/// That each mount shows what the policy says stands there: one obligation for each direction.
std::vector<Obligation> verify_sources(const ContainerTree& tree);

}  // namespace agp::verify
