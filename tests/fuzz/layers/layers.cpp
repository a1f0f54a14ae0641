// Bytes -> what the decoder of an artifact makes of them. The first byte chooses the artifact. Beside crashes, hangs
// and what the sanitizers see: what is read is a layer or a problem with its reason, never nothing.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "backends/dns/decode/decode.hpp"
#include "backends/landlock/decode/decode.hpp"
#include "backends/nftables/decode/decode.hpp"
#include "backends/oci/decode/decode.hpp"
#include "backends/seccomp/decode/decode.hpp"
#include "compiler/bundle/ownership.hpp"

namespace {

using namespace agp::backends;

agp::model::Target target() {
  agp::model::Target out;
  out.kernel = {6, 1};
  out.landlock_abi = 7;
  out.archs = {"x86_64"};
  out.stack = "launcher";
  out.runc = {1, 1};
  return out;
}

/// The manifest is read from disk, to decide whether a directory is one of agp's.
void manifest(const std::string& bytes) {
  static const std::string directory = [] {
    const std::string name = "/dev/shm/agp-fuzz-" + std::to_string(::getpid());
    std::filesystem::create_directories(name);
    return name;
  }();
  std::ofstream(directory + "/manifest.json", std::ios::binary) << bytes;
  const auto place = agp::bundle::look_at(directory);
  if (place.state == agp::bundle::Place::State::Foreign && place.reason.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr const char* paths[] = {"nftables/egress.nft", "nftables/egress.json",      "dns/dnsmasq.conf",
                                   "dns/resolv.conf",     "seccomp/filter.x86_64.bpf", "seccomp/profile.json",
                                   "oci/config.json",     "landlock/ruleset.json",     "manifest.json"};
  const std::size_t which = data[0] % std::size(paths);
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (which == 8) {
    manifest(bytes);
    return 0;
  }
  const std::vector<Artifact> one = {{paths[which], std::move(bytes)}};
  const auto t = target();
  const Decoded out = which < 2    ? nftables::decode(one)
                      : which < 4  ? dns::decode(one)
                      : which < 6  ? seccomp::decode(one, t)
                      : which == 6 ? oci::decode(one)
                                   : landlock::decode(one, t);
  const std::size_t layers = out.packets.size() + out.names.size() + out.filters.size() + (out.container ? 1u : 0u) +
                             (out.inodes.empty() ? 0u : 1u);
  if (layers + out.problems.size() == 0) std::abort();
  if (layers != 0 && !out.problems.empty()) std::abort();
  if (which == 6) seccomp::decode(one, t);  // its section, by the other decoder
  return 0;
}
