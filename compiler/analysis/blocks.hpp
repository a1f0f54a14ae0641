#pragma once
#include "compiler/analysis/space.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/target.hpp"

namespace agp::analysis {

/// Conflicts across blocks: a rule that can't take effect because another block refuses what it needs (a socket for a
/// connection, execve for `exec`, a writable mount), what nothing can use (a mount, a capability, a tmpfs beyond the
/// memory limit), and a deny that stops the loader. In: a policy without errors and the
/// space of its rules. Out: findings with both places. Silent
/// where only a part of a rule is concerned. False when a limit left the system calls undecided; then it says so.
bool find_block_conflicts(const model::Policy& policy, const Space& space, const model::Target& target,
                          diagnostics::Sink& sink, SpaceLimits limits = {});

}  // namespace agp::analysis
