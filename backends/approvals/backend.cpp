#include "backends/approvals/backend.hpp"

#include "backends/approvals/decode/decode.hpp"
#include "backends/approvals/emit/emit.hpp"

namespace agp::backends::approvals {
namespace {

class Approvals final : public Backend {
 public:
  std::string_view name() const override { return "approvals"; }
  std::string_view summary() const override { return "rules on tools, for an agent host or an MCP gateway"; }
  bool in_stack(std::string_view) const override { return false; }

  Capabilities capabilities(const model::Policy&, std::span<const model::Fact> facts,
                            const model::Target&) const override {
    Capabilities out;
    for (const auto& fact : facts)
      out.facts.push_back(
          fact.block == "tool"
              ? Capability{Holds::Not,
                           "approvals.json is read by an agent host or an MCP gateway, which is not part of the stack",
                           fact.text, ""}
              : Capability{});
    return out;
  }
  Emitted emit(const model::Policy& policy, const model::Target&, std::span<const Artifact>) const override {
    return approvals::emit(policy);
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return approvals::decode(artifacts);
  }
};

}  // namespace

const Backend& backend() {
  static const Approvals instance;
  return instance;
}

}  // namespace agp::backends::approvals
