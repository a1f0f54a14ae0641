#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {

/// One system call that a loader makes between switching the filter on and starting the command.
struct LoaderNeed {
  std::string_view call;
  std::string_view reason;  ///< a clause: "starts the command"
  int argument = -1;        ///< needed only where this argument & mask is 0; -1: whatever the arguments
  std::uint64_t mask = 0;
};

/// What `runc` calls after it has loaded the seccomp section of config.json, with `process.noNewPrivileges` set. The
/// table is for runc 1.1 (tools/find_loader_needs finds it again); a later version is taken to need the same.
std::span<const LoaderNeed> runc_needs(Version runc);

/// What landlock-launch calls in the stack `oci+landlock`, with the filter on already: what runc needs besides. Found
/// by refusing each of its calls alone (tests/runtime/landlock/needs.py). In the stack `launcher` only execve follows
/// the filter, and the policy itself has to permit that.
std::span<const LoaderNeed> launcher_needs();

/// Both, for a stack whose profile the runtime loads.
std::vector<LoaderNeed> profile_needs(std::string_view stack, Version runc);

}  // namespace agp::linux
