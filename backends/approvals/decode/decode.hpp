#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::approvals {

/// Nothing in a stack loads the file: it is listed as not verified.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::approvals
