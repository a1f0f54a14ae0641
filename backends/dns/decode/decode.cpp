#include "backends/dns/decode/decode.hpp"

#include "backends/dns/format.hpp"

namespace agp::backends::dns {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const auto& a : artifacts)
    if (a.path == format::dnsmasq_path || a.path == format::resolv_path) out.not_verified.push_back(a.path);
  return out;
}

}  // namespace agp::backends::dns
