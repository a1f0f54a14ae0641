#pragma once
#include "backends/backend.hpp"

namespace agp::backends::seccomp {

/// The raw filter and its listing alone.
Emitted emit_filter(const model::Policy& policy, const model::Target& target);

/// The three artifacts of this backend, or the problems that stand against them.
Emitted emit(const model::Policy& policy, const model::Target& target);

/// What runc calls after its filter is on and the policy does not permit: the OCI profile and the section in
/// config.json let it pass, the raw filter does not.
std::vector<DerivedGrant> loader_grants(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::seccomp
