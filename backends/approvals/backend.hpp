#pragma once
#include "backends/backend.hpp"

namespace agp::backends::approvals {

const Backend& backend();

}  // namespace agp::backends::approvals
