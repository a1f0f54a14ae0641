#include "backends/nftables/decode/decode.hpp"

#include "backends/nftables/format.hpp"

namespace agp::backends::nftables {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const auto& a : artifacts)
    if (a.path == format::text_path || a.path == format::json_path) out.not_verified.push_back(a.path);
  return out;
}

}  // namespace agp::backends::nftables
