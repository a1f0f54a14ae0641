#pragma once
#include <string>

#include "compiler/model/smt_text.hpp"
#include "compiler/verify/packets.hpp"

/// Packets in a certificate: both sides as formulas over one packet, its connection state and the hook that it meets.
namespace agp::verify {

/// What the policy needs of its layer of packets beyond its rules: whether anything, and IPv6, is permitted at all.
struct PacketNeeds {
  bool any = false, ipv6 = false, resolver = false;
};
PacketNeeds packet_needs(const model::Policy& policy, const plan::Plan& plan);

struct PacketStatement {
  const model::Policy& original;  ///< without the change of a control: whose names have sets
  const model::Policy& policy;
  const model::Target& target;
  const plan::Plan& plan;
  const model::PacketLayer& layer;
  const std::set<std::pair<std::string, std::string>>& fills;  ///< as of verify_packets
  PacketNeeds needs;                                           ///< of the whole policy, for its controls too
};
/// Defines `artifact` and `policy`: what passes and what may pass, or what has to; of an audited block, where it is
/// about reports, what passes without one. `other_answer`: that everything passes without a report is demanded instead
/// of that it passes; of an enforced one, that nothing passes. Says why there is no such form for this layer, or
/// nothing.
std::string state_packets(smt::Script& script, const PacketStatement& statement, Direction question, bool other_answer);

}  // namespace agp::verify
