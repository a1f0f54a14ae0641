#include "backends/alerts/decode/decode.hpp"

#include "backends/alerts/format.hpp"

namespace agp::backends::alerts {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const auto& a : artifacts)
    if (a.path == format::path) out.not_verified.push_back(a.path);
  return out;
}

}  // namespace agp::backends::alerts
