#pragma once
#include "backends/backend.hpp"

namespace agp::backends::oci {

const Backend& backend();

}  // namespace agp::backends::oci
