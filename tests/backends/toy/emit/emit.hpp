#pragma once
#include "backends/backend.hpp"

namespace toy {

/// How a list of paths holds the facts about files: exactly, but for a wildcard inside a component.
agp::backends::Capabilities capabilities(const agp::model::Policy& policy, std::span<const agp::model::Fact> facts);
/// The file rules of a policy as `toy/paths.txt`; nothing for a policy without any.
agp::backends::Emitted emit(const agp::model::Policy& policy);

}  // namespace toy
