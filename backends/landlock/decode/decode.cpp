#include "backends/landlock/decode/decode.hpp"

#include "backends/landlock/format.hpp"

namespace agp::backends::landlock {

Decoded decode(std::span<const Artifact> artifacts, const model::Target&) {
  Decoded out;
  for (const Artifact& a : artifacts)
    if (a.path == format::artifact) out.not_verified.push_back(a.path);
  return out;
}

}  // namespace agp::backends::landlock
