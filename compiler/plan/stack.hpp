#pragma once
#include <string>
#include <vector>

#include "backends/oci/format.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::plan {

using backends::oci::format::launcher_point;
using backends::oci::format::ruleset_point;

/// The target as one policy uses it: `isolation process` is started by the launcher where the target's stack is the
/// default one, `oci` (VERIFICATION.md, Stacks).
model::Target target_for(const model::Policy& policy, model::Target target);

/// Files of the built directory that the stack's commands open, in their order, without duplicates: without them there
/// is no sandbox to speak about.
std::vector<std::string> loaded_files(const model::Policy& policy, const model::Target& target);

/// The launcher with everything that it applies, up to and without the `--` before the agent's command.
/// `{launcher}` is the installed landlock-launch.
std::vector<std::string> launcher_command(const model::Policy& policy, const model::Target& target);
StackCommands launcher_commands(const model::Policy& policy, const model::Target& target);

/// `timeout` and a pid namespace of its own around what follows: when the time is over, every process in it is killed.
std::vector<std::string> in_time(const model::Policy& policy);

}  // namespace agp::plan
