#pragma once
#include "backends/backend.hpp"

namespace agp::backends::podman {

const Backend& backend();

}  // namespace agp::backends::podman
