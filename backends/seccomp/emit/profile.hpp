#pragma once
#include "backends/backend.hpp"
#include "backends/seccomp/emit/decisions.hpp"

namespace agp::backends::seccomp {

/// The decisions as a seccomp profile of the OCI runtime specification, which Docker, Podman and Kubernetes take too.
/// Everything that is not permitted is the default action; each entry differs from it; no argument is repeated in an
/// entry; names that the runtime's libseccomp may not know are left out (they would be dropped without a word). Appends
/// the artifact and its part of the source map, or problems.
void emit_profile(Decisions& decisions, const model::Policy& policy, const model::Target& target, Emitted& out);

}  // namespace agp::backends::seccomp
