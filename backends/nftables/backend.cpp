#include "backends/nftables/backend.hpp"

#include "backends/nftables/attach.hpp"
#include "backends/nftables/capabilities.hpp"
#include "backends/nftables/decode/decode.hpp"
#include "backends/nftables/emit/emit.hpp"

namespace agp::backends::nftables {
namespace {

class Nftables final : public Backend {
 public:
  std::string_view name() const override { return "nftables"; }
  std::string_view summary() const override {
    return "packets of a network namespace, cgroup, user or interface, by address, protocol, port and resolved name";
  }
  bool in_stack(std::string_view stack) const override { return loaded_by(stack); }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    return nftables::capabilities(policy, facts, target);
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return loaded_by(target.stack) ? nftables::emit(policy, target) : Emitted{};
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return nftables::decode(artifacts);
  }
};

}  // namespace

const Backend& backend() {
  static const Nftables instance;
  return instance;
}

}  // namespace agp::backends::nftables
