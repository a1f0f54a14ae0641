#pragma once
#include "backends/backend.hpp"

namespace agp::backends::alerts {

const Backend& backend();

}  // namespace agp::backends::alerts
