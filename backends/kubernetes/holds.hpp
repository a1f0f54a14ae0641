#pragma once
#include "backends/backend.hpp"

namespace agp::backends::kubernetes {

/// How a pod and its NetworkPolicy hold each fact. What they can't is named with an action; what the kubelet, the
/// runtime and the network add whatever the files say are derived grants.
Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target);

}  // namespace agp::backends::kubernetes
