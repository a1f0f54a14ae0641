#pragma once
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"

namespace agp::driver {

/// Looks, within `directory` and nowhere else, whether the files that the policy names are there and of the kind that
/// it takes them for (A7), and whether their owner, group and mode let the agent's user do what the policy allows (A6;
/// access lists are not looked at). What the stack makes itself (tmpfs, /proc, /dev) is left out. Returns the
/// assumptions that hold there; for each other one there are findings.
std::vector<std::string> look_at_rootfs(Session& session, const model::Policy& policy, const std::string& directory);

}  // namespace agp::driver
