#include "backends/kubernetes/emit/tree.hpp"

namespace agp::backends::kubernetes {

containers::MountTree pod_tree(const model::Policy& policy) {
  using From = containers::TreeMount::From;
  model::Policy files = policy;
  for (model::Rule& rule : files.rules)  // rules keep their numbers
    if (std::holds_alternative<model::NetBody>(rule.body)) rule.expired = true;
  containers::MountTree tree = containers::mount_tree(files);
  for (containers::TreeMount& m : tree.mounts)
    if (m.from == From::Bind || m.from == From::Tmpfs || m.from == From::Empty) m.exec = true;
  return tree;
}

}  // namespace agp::backends::kubernetes
