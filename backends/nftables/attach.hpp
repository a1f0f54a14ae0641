#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "backends/backend.hpp"

/// Where the table of a policy takes hold, and whose packets it judges.
namespace agp::backends::nftables {

/// Namespace: every packet of a network namespace that holds the agent alone; chain policy drop. The others share a
/// namespace with the host, so their chain policy stays accept and a jump for the agent's packets ends in a refusal:
/// Cgroup: sockets made in a cgroup of version 2 or beneath it; User: sockets that a user owns, at output only;
/// Interface: packets that come from or go to one routed interface, a microVM's tap.
enum class Form { Namespace, Cgroup, User, Interface };

struct Attach {
  Form form = Form::Namespace;
  std::string cgroup;       ///< Cgroup: relative to the cgroup root, `agents/one`
  std::size_t level = 0;    ///< Cgroup: its components
  std::string interface;    ///< Interface
  std::uint32_t uid = 0;    ///< User
  std::string fault, help;  ///< not empty: nothing can be attached, and why
};

/// Does the stack load the table at all?
bool loaded_by(std::string_view stack);
/// What the stack and the policy's `run` block state: `oci` and `oci+landlock` a namespace; `launcher` the interface,
/// else the cgroup, else the user.
Attach attach_of(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::nftables
