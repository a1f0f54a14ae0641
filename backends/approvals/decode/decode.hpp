#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::approvals {

/// approvals.json -> which tool calls a host that follows docs/reference/network.md lets through. Anything that the
/// format does not have is refused: a host could give it a meaning of its own.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::approvals
