#pragma once
#include "backends/backend.hpp"

namespace agp::backends::podman {

const Backend& backend();         ///< `podman`
const Backend& docker_backend();  ///< `docker`: the same arguments in Docker's words

}  // namespace agp::backends::podman
