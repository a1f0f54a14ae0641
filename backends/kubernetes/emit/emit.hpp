#pragma once
#include "backends/backend.hpp"

namespace agp::backends::kubernetes {

/// A policy -> kubernetes/pod.json and kubernetes/network-policy.json.
Emitted emit(const model::Policy& policy);

/// Part of it: the NetworkPolicy alone, into `out`.
void emit_network(const model::Policy& policy, Emitted& out);

}  // namespace agp::backends::kubernetes
