#pragma once
#include "backends/backend.hpp"

namespace agp::backends::landlock {

const Backend& backend();

}  // namespace agp::backends::landlock
