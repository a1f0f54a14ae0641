// Bytes -> what the decoders of packet and name rules, and of pods, make of them. The first byte chooses the artifact.
// Beside crashes, hangs and what the sanitizers see: what is read is a layer or a problem with its reason, never
// nothing.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "backends/dns/decode/decode.hpp"
#include "backends/kubernetes/decode/decode.hpp"
#include "backends/nftables/decode/decode.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agp::backends;
  if (size == 0) return 0;
  constexpr const char* paths[] = {"nftables/egress.nft", "nftables/egress.json",           "dns/dnsmasq.conf",
                                   "dns/resolv.conf",     "kubernetes/network-policy.json", "kubernetes/pod.json"};
  const std::size_t which = data[0] % 6;
  const std::vector<Artifact> one = {{paths[which], std::string(reinterpret_cast<const char*>(data) + 1, size - 1)}};
  const Decoded out = which < 2 ? nftables::decode(one) : which < 4 ? dns::decode(one) : kubernetes::decode(one);
  if (which == 5 && (out.container != nullptr) == !out.problems.empty()) std::abort();
  if (out.packets.size() + out.names.size() + out.problems.size() != 1) std::abort();
  return 0;
}
