#pragma once
#include "backends/backend.hpp"

namespace agp::backends::kubernetes {

/// kubernetes/pod.json as the kubelet and containerd make a container of it, and kubernetes/network-policy.json (one
/// NetworkPolicy, or a List of them) as Kubernetes says a network plugin has to enforce it. What an absent field means
/// is known; a field that the model does not speak about is refused by name. Without a pod beside them, NetworkPolicies
/// are taken to select the pod in question, and have to select the same pods.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::kubernetes
