#pragma once
#include "backends/backend.hpp"

namespace agp::backends::nftables {

/// Policy -> `nftables/egress.nft` and `nftables/egress.json`, the same ruleset; by cgroup the script alone.
Emitted emit(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::nftables
