#include "backends/alerts/backend.hpp"

#include "backends/alerts/decode/decode.hpp"
#include "backends/alerts/emit/emit.hpp"

namespace agp::backends::alerts {
namespace {

class Alerts final : public Backend {
 public:
  std::string_view name() const override { return "alerts"; }
  std::string_view summary() const override { return "which log lines raise which alert, and what nothing reports"; }
  bool in_stack(std::string_view) const override { return false; }

  /// A report holds no fact.
  Capabilities capabilities(const model::Policy&, std::span<const model::Fact> facts,
                            const model::Target&) const override {
    Capabilities out;
    out.facts.resize(facts.size());
    return out;
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return alerts::emit(policy, target);
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return alerts::decode(artifacts);
  }
};

}  // namespace

const Backend& backend() {
  static const Alerts instance;
  return instance;
}

}  // namespace agp::backends::alerts
