#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/model/packet_layer.hpp"
#include "compiler/verify/verify.hpp"

namespace agp::verify {

/// Policy against one packet layer, both directions, by comparing diagrams: exact, without a solver. Subtracted are
/// accepted gaps and the derived grants that the plan names: neighbour discovery, errors about permitted connections,
/// resets, the generated resolver. `resolver_fills` names the sets (table, set) that the stack's resolver fills; of any
/// other set the content is what the artifact states, but for the sets of the policy's own names. Of an audited `net`:
/// that everything passes, and that exactly what would be refused is reported.
std::vector<Obligation> verify_packets(const model::Policy& policy, const model::Target& target, const plan::Plan& plan,
                                       const model::PacketLayer& layer,
                                       const std::set<std::pair<std::string, std::string>>& resolver_fills);

}  // namespace agp::verify
