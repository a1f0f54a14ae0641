#pragma once
#include "backends/backend.hpp"

namespace agp::backends::kubernetes {

const Backend& backend();

}  // namespace agp::backends::kubernetes
