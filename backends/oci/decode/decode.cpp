#include "backends/oci/decode/decode.hpp"

#include "backends/oci/format.hpp"

namespace agp::backends::oci {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const Artifact& a : artifacts)
    if (a.path == format::artifact) out.not_verified.push_back(a.path);
  return out;
}

}  // namespace agp::backends::oci
