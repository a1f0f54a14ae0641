#pragma once
#include "backends/backend.hpp"

namespace agp::backends::nftables {

const Backend& backend();

}  // namespace agp::backends::nftables
