#pragma once
#include <vector>

#include "backends/backend.hpp"

namespace agp::backends::oci {

/// What no configuration can carry: text that is not UTF-8 or holds a zero byte, a missing command, names that the
/// stack's commands would take for their own words. Nothing is emitted for such a policy.
std::vector<Problem> unusable(const model::Policy& policy);

}  // namespace agp::backends::oci
