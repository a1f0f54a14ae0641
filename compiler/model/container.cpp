#include "compiler/model/container.hpp"

namespace agp::model {

const ContainerMount* MountIndex::at(std::string_view path) const {
  const Entry* found = nullptr;
  for (;;) {
    const auto here = last_.find(path);
    if (here != last_.end() && (!found || found->number < here->second.number)) found = &here->second;
    if (path.size() <= 1) return found ? found->mount : nullptr;
    const std::size_t slash = path.rfind('/');
    path = slash == 0 || slash == std::string_view::npos ? "/" : path.substr(0, slash);
  }
}

const ContainerMount* mount_at(const Container& container, std::string_view path) {
  for (std::size_t i = container.mounts.size(); i-- > 0;)
    if (container.mounts[i].target == path || is_beneath(path, container.mounts[i].target)) return &container.mounts[i];
  return nullptr;
}

}  // namespace agp::model
