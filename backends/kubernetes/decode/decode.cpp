#include "backends/kubernetes/decode/decode.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "backends/kubernetes/decode/parts.hpp"
#include "backends/kubernetes/format.hpp"
#include "compiler/source/strict_json.hpp"

// Bytes -> JSON -> a pod, and the policies that select it -> a container, and the packets that pass.
namespace agp::backends::kubernetes {

Decoded decode(std::span<const Artifact> artifacts) {
  Decoded out;
  // One space for all: what was read together can be compared.
  const auto space = std::make_shared<model::PacketSpace>();
  const auto taking = [&](const Artifact& a, const auto& step) {
    try {
      std::string why;
      const auto json = source::parse_strict_json(a.bytes, 64, why);  // what is read here has less than 15 levels
      if (!json) throw Refusal{why};
      step(Section(*json, ""));
    } catch (const Refusal& refusal) {
      out.problems.push_back({fmt::format("`{}`: {}", a.path, refusal.text), std::nullopt, ""});
    }
  };
  std::optional<Pod> pod;
  for (const Artifact& a : artifacts)
    if (a.path == format::pod) taking(a, [&](const Section& object) { pod = read_pod(object); });
  bool policies = false;
  for (const Artifact& a : artifacts) {
    if (a.path != format::network_policy) continue;
    policies = true;
    taking(a, [&](const Section& object) {
      std::vector<NetPolicy> read = read_policies(object);
      if (pod) std::erase_if(read, [&](const NetPolicy& p) { return !p.selects(pod->named); });
      const bool raw = pod && pod->container.capabilities[model::Container::Bounding].contains("CAP_NET_RAW");
      out.packets.push_back(
          std::make_shared<const model::PacketLayer>(evaluate(a.path, std::move(read), raw, pod && pod->pings, space)));
    });
  }
  if (!pod) return out;
  pod->container.artifact = format::pod;
  pod->container.layer = "kubernetes";
  if (!policies)  // nothing isolates it
    out.packets.push_back(
        std::make_shared<const model::PacketLayer>(evaluate(std::string(format::pod), {}, true, true, space)));
  out.container = std::make_shared<const model::Container>(std::move(pod->container));
  return out;
}

}  // namespace agp::backends::kubernetes
