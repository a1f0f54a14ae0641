#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {

/// One system call that a loader makes between switching the filter on and starting the command, and can't go on
/// without.
struct LoaderNeed {
  std::string_view call;
  std::string_view reason;  ///< a clause: "starts the command"
  int argument = -1;        ///< needed only where this argument & mask is 0; -1: whatever the arguments
  std::uint64_t mask = 0;
};

/// A version of a loader whose needs tools/find_loader_needs has found.
struct MeasuredLoader {
  std::string_view loader;   ///< "runc", "crun", "bwrap", "bwrap --unshare-pid", "landlock-launch"
  Version version;           ///< what a target record names
  std::string_view release;  ///< "1.1.15"
  std::span<const LoaderNeed> needs;
};

/// tools/data/loader_needs.tsv, by loader and version.
std::span<const MeasuredLoader> measured_loaders();

/// What `loader` needs in this version: what any of its measured releases needs. Of a version that was not measured,
/// what any version needs: a policy would rather be a few harmless calls wider than a container that does not start,
/// and `measured` is false. Sorted by call; where two rows differ in their arguments, the call with any.
struct LoaderNeeds {
  std::vector<LoaderNeed> needs;
  bool measured = false;
};
LoaderNeeds loader_needs(std::string_view loader, Version version);

/// What runs with the profile's filter on in a stack whose profile the runtime loads: runc, with
/// `process.noNewPrivileges` set, and in `oci+landlock` the launcher too, whose calls come last (`of_runc` is their
/// index). In the stack `launcher` only execve follows the filter, and the policy itself has to permit that.
struct ProfileNeeds {
  std::vector<LoaderNeed> needs;
  std::size_t of_runc = 0;
  bool measured = false;
};
ProfileNeeds profile_needs(std::string_view stack, Version runc);

}  // namespace agp::linux
