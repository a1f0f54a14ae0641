// Bytes -> what the decoder of an artifact makes of them, or the reader of another file that agp did not write. The
// first byte chooses. Beside crashes, hangs and what the sanitizers see: what is read is a layer or a problem with its
// reason, never nothing.
#include <stdlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "backends/alerts/decode/decode.hpp"
#include "backends/approvals/decode/decode.hpp"
#include "backends/dns/decode/decode.hpp"
#include "backends/kubernetes/decode/decode.hpp"
#include "backends/landlock/decode/decode.hpp"
#include "backends/nftables/decode/decode.hpp"
#include "backends/oci/decode/decode.hpp"
#include "backends/podman/decode/decode.hpp"
#include "backends/seccomp/decode/decode.hpp"
#include "compiler/bundle/ownership.hpp"
#include "compiler/driver/syscall_counts.hpp"
#include "compiler/import/engine_profile.hpp"
#include "compiler/linux/kernel_log.hpp"
#include "compiler/plan/target_record.hpp"

namespace agp::backends {
/// For the reader of target records, whose library asks it for other things: without the registry, and so without
/// `emit`.
std::span<const Backend* const> all() { return {}; }
}  // namespace agp::backends

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

/// A directory of this process's own; where a finding ends it, layers.py removes what lies around.
struct Directory {
  std::filesystem::path path;
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "agp-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

/// The manifest is read from disk, to decide whether a directory is one of agp's.
void manifest(const std::string& bytes) {
  static const Directory directory;
  std::ofstream(directory.path / "manifest.json", std::ios::binary) << bytes;
  const auto place = agp::bundle::look_at(directory.path.string());
  if (place.state == agp::bundle::Place::State::Foreign && place.reason.empty()) std::abort();
}

/// Profiles of container engines: what comes out is read by the profile's own decoder, and is JSON.
void engine(const std::string& bytes) {
  const auto out = agp::imported::resolve_engine_profile(bytes, {agp::linux::Arch::x86_64, {6, 1}, {"CAP_SYS_ADMIN"}});
  if (const auto* why = std::get_if<std::string>(&out)) return why->empty() ? std::abort() : void();
  const Artifact one{"seccomp/profile.json", std::get<agp::imported::EngineProfile>(out).json};
  const auto decoded = seccomp::decode({&one, 1}, target());
  if (decoded.filters.empty() && decoded.problems.empty()) std::abort();
}

void log_lines(const std::string& bytes) {
  for (std::size_t from = 0; from <= bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', from), bytes.size());
    agp::linux::read_kernel_line(std::string_view(bytes).substr(from, end - from));
    from = end + 1;
  }
}

Decoded decode(std::size_t which, const std::vector<Artifact>& one) {
  const auto t = target();
  switch (which) {
    case 0:
    case 1:
      return nftables::decode(one);
    case 2:
    case 3:
      return dns::decode(one);
    case 4:
    case 5:
      return seccomp::decode(one, t);
    case 6:
      seccomp::decode(one, t);  // its section, by the other decoder
      return oci::decode(one);
    case 7:
      return landlock::decode(one, t);
    case 8:
      return approvals::decode(one);
    case 9:
      return alerts::decode(one);
    case 16:
    case 17:
      return kubernetes::decode(one);
    case 18:
      return podman::decode(one, podman::format::docker);
    default:
      return podman::decode(one, podman::format::podman);
  }
}

/// The readers of other files; false: `which` is an artifact.
bool others(std::size_t which, const std::string& bytes) {
  switch (which) {
    case 11:
      manifest(bytes);
      return true;
    case 12:
      if (const auto out = agp::plan::read_target(bytes); std::holds_alternative<std::string>(out))
        if (std::get<std::string>(out).empty()) std::abort();
      return true;
    case 13:
      engine(bytes);
      return true;
    case 14:
      log_lines(bytes);
      return true;
    case 15:
      if (const auto out = agp::driver::parse_syscall_counts(bytes); out.counts.empty() && out.fault.empty())
        std::abort();
      return true;
    default:
      return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr const char* paths[] = {"nftables/egress.nft",
                                   "nftables/egress.json",
                                   "dns/dnsmasq.conf",
                                   "dns/resolv.conf",
                                   "seccomp/filter.x86_64.bpf",
                                   "seccomp/profile.json",
                                   "oci/config.json",
                                   "landlock/ruleset.json",
                                   "approvals.json",
                                   "alerts.json",
                                   "podman/run.args",
                                   "",  // 11 to 15: other files
                                   "",
                                   "",
                                   "",
                                   "",
                                   "kubernetes/pod.json",
                                   "kubernetes/network-policy.json",
                                   "docker/run.args"};
  const std::size_t which = data[0] % std::size(paths);
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (others(which, bytes)) return 0;
  const std::vector<Artifact> one = {{paths[which], std::move(bytes)}};
  const Decoded out = decode(which, one);
  const std::size_t layers = out.packets.size() + out.names.size() + out.filters.size() + out.inodes.size() +
                             out.tools.size() + out.alerts.size() + (out.container ? 1u : 0u);
  if (layers + out.problems.size() == 0) std::abort();
  if (layers != 0 && !out.problems.empty()) std::abort();
  return 0;
}
