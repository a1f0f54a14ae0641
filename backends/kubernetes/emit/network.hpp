#pragma once
#include <vector>

#include "compiler/model/endpoint_cells.hpp"

namespace agp::backends::kubernetes {

/// What a NetworkPolicy can say of the policy's connections: boxes of tcp and udp whose addresses are destinations of
/// what goes out, or sources of what comes in. Rules that it can't say are left out, so that what they permit is
/// refused (and what they refuse beside another rule is permitted): see holds.cpp, which names each.
struct Reach {
  std::vector<model::EndpointBox> out, in;
  bool complete = true;  ///< false: the rules cross so often that the boxes are too many
};
Reach reach(const model::Policy& policy);

/// Both families, one, or none of them as a whole: the only destinations by which a NetworkPolicy tells what comes in.
bool is_whole(const model::AddressSet& addresses);

}  // namespace agp::backends::kubernetes
