#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/linux/arch.hpp"
#include "compiler/linux/syscalls.hpp"

/// Profiles as container engines keep them: with entries that count only for some capabilities, architectures or
/// kernels, which the engine decides before a runtime sees the profile.
namespace agp::imported {

struct Machine {
  linux::Arch arch = linux::Arch::x86_64;
  linux::Version kernel;
  std::set<std::string> caps;  ///< that the container has: `CAP_SYS_ADMIN`
};

/// What the engine would give to the runtime.
struct EngineProfile {
  std::string json;  ///< an OCI `seccomp` object
  struct Entry {
    std::size_t index = 0;  ///< of the entry in the source
    std::string why;        ///< its condition and its comment, for a reader; may be empty
    std::vector<std::string> names;
  };
  std::vector<Entry> entries;         ///< of each entry of `json`
  std::vector<std::string> left_out;  ///< entries that do not count here, each with its condition
  std::vector<std::string> dropped;   ///< architectures of which there is no table
  std::string supervisor;             ///< `listenerPath`: the socket of who answers SCMP_ACT_NOTIFY; may be empty
};

/// As Docker evaluates them (moby, profiles/seccomp/seccomp_linux.go), which Podman's containers-common does the same
/// way: `excludes` leaves an entry out when any of its conditions holds, `includes` when any of them does not. A
/// profile without conditions comes out as it went in. Or why it can't be read.
std::variant<EngineProfile, std::string> resolve_engine_profile(std::string_view json, const Machine& machine);

}  // namespace agp::imported
