#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::nftables {

Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target);

}  // namespace agp::backends::nftables
