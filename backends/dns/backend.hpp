#pragma once
#include "backends/backend.hpp"

namespace agp::backends::dns {

const Backend& backend();

}  // namespace agp::backends::dns
