#pragma once
#include <optional>
#include <string>

#include "compiler/model/policy.hpp"

namespace agp::backends::landlock {

/// A call with which mode, owner, times or attributes of a file can be changed and that the policy permits: Landlock
/// decides none of them (Documentation/userspace-api/landlock.rst, Filesystem flags).
std::optional<std::string> attribute_call(const model::Policy& policy);

}  // namespace agp::backends::landlock
