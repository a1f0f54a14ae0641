#pragma once
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/verify/stack.hpp"

namespace agp::verify {

/// The file rules of a policy against the layers of files that were read back: no excess (in the stack
/// `oci+landlock` only where the mounts were read as well: an excess of one may be closed by the other), no loss for
/// each. Exact: paths are cut into classes on which all patterns and all layers are constant. Accepted gaps and derived
/// grants are subtracted.
std::vector<Obligation> verify_files(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     std::span<const std::shared_ptr<const model::InodeLayer>> layers);

/// What `verify_ports` says of ports, to be told from what it says of abstract sockets.
inline constexpr std::string_view statement_of_ports = "every port that the policy allows is permitted";
inline constexpr std::string_view statement_of_all_ports = "every port is permitted";  ///< of an audited `net`

/// The ports of rules on addresses and names against the layers that know ports alone: no loss. Excess is not theirs to
/// answer for, since they can't know addresses. Abstract sockets both ways, where the plan says that the layer holds
/// them, or nothing else of the stack can: `launcher`, from Landlock ABI 6 on.
std::vector<Obligation> verify_ports(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                     std::span<const Reading> readings);

}  // namespace agp::verify
