#include "backends/nftables/decode/decode.hpp"

#include <fmt/format.h>

#include "backends/nftables/decode/ruleset.hpp"
#include "backends/nftables/format.hpp"

// Bytes -> tokens or JSON -> rules -> packets that pass.
namespace agp::backends::nftables {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  for (const auto& a : artifacts) {
    if (a.path != format::text_path && a.path != format::json_path) continue;
    try {
      auto space = std::make_shared<model::PacketSpace>();
      reading::Ruleset ruleset =
          a.path == format::text_path ? reading::read_script(a.bytes, *space) : reading::read_document(a.bytes, *space);
      out.packets.push_back(
          std::make_shared<const model::PacketLayer>(reading::evaluate(a.path, std::move(ruleset), std::move(space))));
    } catch (const reading::Refusal& r) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, r.message), std::nullopt,
                              "docs/reference/nft-subset.md lists what is read"});
    }
  }
  return out;
}

}  // namespace agp::backends::nftables
