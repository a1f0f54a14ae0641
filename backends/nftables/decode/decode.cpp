#include "backends/nftables/decode/decode.hpp"

#include <fmt/format.h>

#include "backends/nftables/decode/ruleset.hpp"
#include "backends/nftables/format.hpp"

// Bytes -> tokens or JSON -> rules -> packets that pass.
namespace agp::backends::nftables {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  // One space for all: rulesets that were read together can be compared. Names first, then what passes.
  auto space = std::make_shared<model::PacketSpace>();
  std::vector<std::pair<std::string, reading::Ruleset>> read;
  const auto taking = [&](const std::string& path, const auto& step) {
    try {
      step();
    } catch (const reading::Refusal& r) {
      out.problems.push_back(
          {fmt::format("`{}`: {}", path, r.message), std::nullopt, "docs/reference/nft-subset.md lists what is read"});
    }
  };
  for (const auto& a : artifacts)
    if (a.path == format::text_path || a.path == format::json_path)
      taking(a.path, [&] {
        read.emplace_back(a.path, a.path == format::text_path ? reading::read_script(a.bytes, *space)
                                                              : reading::read_document(a.bytes, *space));
      });
  for (const auto& [path, ruleset] : read)
    for (const std::string& cgroup : ruleset.cgroups) space->mention_cgroup(cgroup);
  for (auto& one : read)
    taking(one.first, [&] {
      out.packets.push_back(
          std::make_shared<const model::PacketLayer>(reading::evaluate(one.first, std::move(one.second), space)));
    });
  return out;
}

}  // namespace agp::backends::nftables
