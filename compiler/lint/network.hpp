#pragma once
#include <string>
#include <vector>

#include "compiler/lint/finding.hpp"
#include "compiler/lint/reach.hpp"

namespace agp::lint {

/// A way out to whoever wants to listen: most of the Internet on some port, or a host that anybody may use.
struct Exit {
  Context::Place place;
  std::string witness;
  bool every_port = false;
};
/// By address: half of IPv4, or half of the global part of IPv6, on a port.
std::vector<Exit> wide_exits(Context& context, Reach& net);

}  // namespace agp::lint
