#pragma once
#include "backends/backend.hpp"

namespace agp::backends::landlock {

/// How the ruleset holds each fact: found by comparing what `emit` writes with the rules, path class by path class.
Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target);

}  // namespace agp::backends::landlock
