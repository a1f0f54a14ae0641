#pragma once
#include <vector>

#include "compiler/model/container.hpp"
#include "compiler/verify/verify.hpp"

namespace agp::verify {

/// What a container's first process gets, against the policy: its command, user and environment, its capabilities, its
/// bounds and its namespaces; files are `verify_files`. Decided by comparing values: never unknown. O(rules × names).
std::vector<Obligation> verify_container(const model::Policy& policy, const model::Target& target,
                                         const plan::Plan& plan, const model::Container& container);

}  // namespace agp::verify
