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
  const auto name_space = [](const Named& n) {
    return n.name_space.empty() ? "no namespace" : fmt::format("the namespace `{}`", n.name_space);
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
      for (const NetPolicy& p : read) {
        if (pod && p.named.name_space.empty() != pod->named.name_space.empty())
          throw Refusal{
              fmt::format("the NetworkPolicy `{}` has {} and the pod {}: whether it selects the pod is up to "
                          "whoever creates them",
                          p.named.name, name_space(p.named), name_space(pod->named))};
        if (!pod && p.selector() != read.front().selector())
          throw Refusal{fmt::format("the NetworkPolicy `{}` selects {}, and `{}` {}: no pod tells which of them count",
                                    read.front().named.name, read.front().selector(), p.named.name, p.selector())};
      }
      const std::string selects = pod ? "" : read.empty() ? "no pod" : read.front().selector();
      if (pod) std::erase_if(read, [&](const NetPolicy& p) { return !p.selects(pod->named); });
      const bool raw = pod && pod->container.capabilities[model::Container::Bounding].contains("CAP_NET_RAW");
      model::PacketLayer layer = evaluate(a.path, std::move(read), raw, pod && pod->pings, space);
      layer.selects = selects;
      out.packets.push_back(std::make_shared<const model::PacketLayer>(std::move(layer)));
    });
  }
  if (!pod) return out;
  pod->container.artifact = format::pod;
  pod->container.layer = "kubernetes";
  pod->container.holds_time = true;
  if (!policies)  // nothing isolates it
    out.packets.push_back(
        std::make_shared<const model::PacketLayer>(evaluate(std::string(format::pod), {}, true, true, space)));
  out.container = std::make_shared<const model::Container>(std::move(pod->container));
  return out;
}

}  // namespace agp::backends::kubernetes
