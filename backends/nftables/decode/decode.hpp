#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::nftables {

/// `nftables/egress.nft` and `nftables/egress.json`, each as a layer of its own; what is outside of
/// docs/reference/nft-subset.md is a problem with its place.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::nftables
