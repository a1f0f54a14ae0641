#pragma once
#include "compiler/model/inode_layer.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/smt_text.hpp"

/// Ports in a certificate: one use of a port, `listen`, `udp` and `port`.
namespace agp::verify {

/// Defines `artifact`, what the layer permits, and `policy`, the ports that its rules need on whatever address.
/// Declares the three. O(rules × ports).
void state_ports(smt::Script& script, const model::Policy& policy, const model::PortLayer& layer);

}  // namespace agp::verify
