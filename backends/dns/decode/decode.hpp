#pragma once
#include <span>

#include "backends/backend.hpp"

namespace agp::backends::dns {

/// `dns/dnsmasq.conf` as dnsmasq reads it and `dns/resolv.conf` as the C library does; an option that is not known is a
/// problem with its line.
Decoded decode(std::span<const Artifact> artifacts);

}  // namespace agp::backends::dns
