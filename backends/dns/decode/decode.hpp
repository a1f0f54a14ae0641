#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::dns {

/// What the resolver answers. There is no reader of its configuration: each file is listed as not verified.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::dns
