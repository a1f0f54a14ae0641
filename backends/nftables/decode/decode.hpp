#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::nftables {

/// What a loader of these artifacts permits. There is no reader of rulesets: each is listed as not verified.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::nftables
