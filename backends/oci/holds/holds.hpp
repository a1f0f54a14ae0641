#pragma once
#include "backends/backend.hpp"

namespace agp::backends::oci {

/// How config.json holds each fact: found by comparing the mount tree that `emit` writes with the rules, not by looking
/// at the shape of a rule.
Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target);

}  // namespace agp::backends::oci
