#include "backends/dns/backend.hpp"

#include <fmt/format.h>

#include "backends/dns/decode/decode.hpp"
#include "backends/dns/emit/emit.hpp"
#include "backends/dns/emit/names.hpp"

namespace agp::backends::dns {
namespace {

class Dns final : public Backend {
 public:
  std::string_view name() const override { return "dns"; }
  std::string_view summary() const override {
    return "a resolver (dnsmasq) that answers permitted names only and fills their nftables sets";
  }
  bool in_stack(std::string_view stack) const override { return model::makes_network(stack); }

  /// Connections to a name are held by nftables; this layer speaks up where it can't tell names apart.
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    Capabilities out;
    out.facts.resize(facts.size());
    if (!needs_resolver(policy) || !model::makes_network(target.stack)) return out;
    const Names names = names_of(policy);
    for (std::size_t i = 0; i < facts.size(); ++i) {
      if (facts[i].kind != model::Fact::Kind::Pattern) continue;
      for (const auto& [g, action] : names.lost)
        if (names.grants[g].rule == facts[i].rule && names.grants[g].endpoint == facts[i].pattern)
          out.facts[i] = {
              Holds::Narrower,
              "dnsmasq fills the same sets for a name and for the names beneath it, and other rules differ about them",
              to_string(model::Action(action)), "give `NAME` and `*.NAME` the same protocols, ports and `within`"};
    }
    for (const auto& [name, domain] : names.domains)
      if (domain.self || domain.beneath)
        out.derived.push_back(
            {fmt::format("resolve {}{}: queries of any type, with the additional records that the agent writes",
                         domain.self ? "" : "*.", name),
             "dns",
             "dnsmasq forwards the query for a permitted name as it was asked; answers but A, AAAA and "
             "CNAME are emptied"});
    out.assumptions.push_back("A4");
    return out;
  }

  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return model::makes_network(target.stack) ? dns::emit(policy, target) : Emitted{};
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return dns::decode(artifacts);
  }
};

}  // namespace

const Backend& backend() {
  static const Dns instance;
  return instance;
}

}  // namespace agp::backends::dns
