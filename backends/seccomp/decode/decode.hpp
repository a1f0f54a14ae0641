#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::seccomp {

/// Whatever of this backend's forms is among the artifacts, read as its loader reads it: the raw filter
/// (seccomp/filter.x86_64.bpf), the profile (seccomp/profile.json) and the section `/linux/seccomp` of oci/config.json.
/// A filter with too many states to be decided has a graph without nodes; one that no loader takes is a problem.
Decoded decode(std::span<const Artifact> artifacts, const model::Target& target);

}  // namespace agp::backends::seccomp
