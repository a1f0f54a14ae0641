#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::nftables {

/// Is the table loaded into a network namespace that holds the agent alone?
bool in_namespace(std::string_view stack);

Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target);

}  // namespace agp::backends::nftables
