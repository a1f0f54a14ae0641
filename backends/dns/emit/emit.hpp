#pragma once
#include "backends/backend.hpp"

namespace agp::backends::dns {

/// Policy -> `dns/dnsmasq.conf` and `dns/resolv.conf`; nothing for a policy without rules on names.
Emitted emit(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::dns
