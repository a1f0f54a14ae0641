#pragma once
#include <memory>
#include <string>

#include "backends/landlock/decode/config.hpp"
#include "compiler/model/inode_layer.hpp"

namespace agp::backends::landlock {

struct Layers {
  std::shared_ptr<const model::InodeLayer> files;
  std::shared_ptr<const model::PortLayer> ports;
  std::string refused;  ///< why there are none
};

/// What the kernel does with these rules (security/landlock/fs.c, net.c): a right is granted on a node if a rule on it
/// or on a directory around it has it; what is not handled is not decided, but renaming and linking between directories
/// is refused unless a rule grants it. A path with a final slash, or with a right that only directories have, is a
/// directory, and any other is none: the launcher refuses it otherwise.
Layers layers_of(const Config& config, const std::string& artifact);

}  // namespace agp::backends::landlock
