#pragma once
#include "backends/backend.hpp"

namespace toy {

/// What a loader of `toy/paths.txt` permits, as a layer of files. Anything that is not the format is refused by line.
agp::backends::Decoded decode(std::span<const agp::backends::Artifact> artifacts);

}  // namespace toy
