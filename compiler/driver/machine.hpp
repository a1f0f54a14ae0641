#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/target.hpp"

namespace agp::driver {

/// What this machine is, found by asking it. Runs `runc`, `nft` and `dnsmasq` from the standard directories with
/// `--version` and nothing else.
struct Machine {
  model::Target target;              ///< called "this-machine"; what was not found is version 0.0
  std::vector<std::string> remarks;  ///< what was not found or not known, one clause each
  int landlock_abi = 0;              ///< as the kernel says; the record has the highest known one at most
};
/// Nothing on a system that is not Linux, or of an architecture without a table.
std::optional<Machine> probe_machine();

/// The first `N.N` or `N.N.N` in a program's answer.
struct ProgramVersion {
  int major = 0, minor = 0, patch = 0;
};
std::optional<ProgramVersion> find_version(const std::string& text, const std::string& after);

}  // namespace agp::driver
