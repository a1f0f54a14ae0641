#include "compiler/model/container.hpp"

namespace agp::model {

const ContainerMount* mount_at(const Container& container, std::string_view path) {
  for (std::size_t i = container.mounts.size(); i-- > 0;)
    if (container.mounts[i].target == path || is_beneath(path, container.mounts[i].target)) return &container.mounts[i];
  return nullptr;
}

}  // namespace agp::model
