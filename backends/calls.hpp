#pragma once
#include <string_view>

#include "compiler/model/policy.hpp"

namespace agp::backends {

/// May the policy's processes make this call in some form? A refusal with conditions, or with an exception, is taken to
/// leave some of it. O(rules × patterns).
bool may_call(const model::Policy& policy, std::string_view name);

}  // namespace agp::backends
