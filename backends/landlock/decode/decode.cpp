#include "backends/landlock/decode/decode.hpp"

#include <fmt/format.h>

#include "backends/landlock/decode/config.hpp"
#include "backends/landlock/decode/layer.hpp"
#include "backends/landlock/format.hpp"
#include "compiler/linux/landlock.hpp"

// Bytes -> rights by path and port. Only landlock/ruleset.json: no stack loads another file beside it.
namespace agp::backends::landlock {
namespace {

namespace ll = linux::landlock;

/// The launcher ends on a kernel that lacks a right of the file: such an artifact starts nothing there.
std::optional<std::string> beyond(const Config& config, int abi) {
  const int needed = std::max({ll::abi_for(ll::Sort::Fs, config.handled_fs).value_or(1),
                               ll::abi_for(ll::Sort::Net, config.handled_net).value_or(1),
                               ll::abi_for(ll::Sort::Scope, config.scoped).value_or(1)});
  if (needed <= abi) return std::nullopt;
  return fmt::format("it needs Landlock ABI {}, and the target has {}", needed, abi);
}

}  // namespace

Decoded decode(std::span<const Artifact> artifacts, const model::Target& target) {
  Decoded out;
  for (const Artifact& a : artifacts) {
    if (a.path != format::artifact) continue;
    const ReadConfig read = read_config(a.bytes);
    std::string refused = read.refused;
    if (read.config) {
      if (const auto needs = beyond(*read.config, target.landlock_abi)) refused = *needs;
      Layers layers = layers_of(*read.config, a.path);
      if (refused.empty()) refused = layers.refused;
      if (refused.empty()) {
        out.inodes.push_back(std::move(layers.files));
        out.ports.push_back(std::move(layers.ports));
      }
    }
    if (!refused.empty()) out.problems.push_back({fmt::format("`{}`: {}", a.path, refused), std::nullopt, ""});
  }
  return out;
}

}  // namespace agp::backends::landlock
