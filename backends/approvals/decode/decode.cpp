#include "backends/approvals/decode/decode.hpp"

#include "backends/approvals/format.hpp"

namespace agp::backends::approvals {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const auto& a : artifacts)
    if (a.path == format::path) out.not_verified.push_back(a.path);
  return out;
}

}  // namespace agp::backends::approvals
