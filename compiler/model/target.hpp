#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace agp::model {

struct KernelVersion {
  int major = 0, minor = 0;
  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};

/// Does the stack start its container in a network namespace that it has made, with the packet rules and the resolver?
inline bool makes_network(std::string_view stack) {
  return stack == "oci" || stack == "oci+landlock" || stack == "podman" || stack == "docker";
}
/// Does the stack start a container by runc, in a network namespace of the container's own?
inline bool starts_container(std::string_view stack) { return makes_network(stack) || stack == "kubernetes"; }

/// Where artifacts will run (`agp-target/1`). Built-in records are frozen once released.
struct Target {
  std::string name;  ///< "debian-12"
  KernelVersion kernel;
  int landlock_abi = 0;
  std::vector<std::string> archs;    ///< "x86_64", "aarch64", …; the first is the primary
  std::string stack;                 ///< "oci", "oci+landlock", "launcher", "podman", "docker", "kubernetes"
  KernelVersion runc;                ///< 1.1
  KernelVersion nft;                 ///< 1.0
  KernelVersion dnsmasq;             ///< 2.90
  std::string dns_user = "dnsmasq";  ///< the generated resolver's own user
  /// The newest kernel all of whose system-call names the runtime's libseccomp knows: 5.17 for libseccomp 2.5.4, 6.7
  /// for 2.5.5, 6.13 for 2.6.0 (the first line of its src/syscalls.csv). A name it does not know is dropped without a
  /// word.
  KernelVersion libseccomp_names{5, 17};
  /// How often what runs here makes each call, by the call's name: what a filter asks first, never what it permits.
  /// Empty: the built-in table (backends/seccomp/emit/weights.hpp).
  std::map<std::string, std::uint64_t> syscall_counts = {};
};

}  // namespace agp::model
