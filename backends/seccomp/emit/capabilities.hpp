#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::seccomp {

/// How system-call filters hold each fact, and what the stack's loader needs besides.
Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target);

}  // namespace agp::backends::seccomp
