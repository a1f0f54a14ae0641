#pragma once
#include "backends/backend.hpp"
#include "backends/containers/mounts/mount_tree.hpp"

namespace agp::backends::containers {

/// What tells one container runtime from another where facts are held.
struct Runtime {
  std::string layer;    ///< the backend's name
  std::string program;  ///< whose needs are derived grants: "runc 1.1", "podman 4.3"
  /// Its /proc is the kernel's, writable, apart from `covered`; else it is read-only and shows processes only.
  bool whole_proc = false;
  std::vector<std::string> covered;  ///< what of a whole /proc can't be reached
  bool executable = false;           ///< its bind mounts have no `noexec`: what they show can be executed
  bool ambient = true;               ///< a user other than root keeps the capabilities that the policy allows
};

/// How the runtime holds each fact over `tree`, the mounts that its artifact makes: found by comparing the tree with
/// the rules, not by looking at the shape of a rule.
Capabilities holds(const model::Policy& policy, std::span<const model::Fact> facts, const model::Target& target,
                   const MountTree& tree, const Runtime& runtime);

}  // namespace agp::backends::containers
