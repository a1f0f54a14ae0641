#pragma once
#include "backends/backend.hpp"

namespace agp::backends::podman {

const Backend& backend();         ///< of the stack `podman`
const Backend& docker_backend();  ///< of the stack `docker`: the same container in the words that Docker takes

}  // namespace agp::backends::podman
