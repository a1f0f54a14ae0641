#include "backends/landlock/backend.hpp"

#include "backends/landlock/decode/decode.hpp"
#include "backends/landlock/emit/emit.hpp"
#include "backends/landlock/holds.hpp"
#include "backends/landlock/rules/ruleset.hpp"

namespace agp::backends::landlock {
namespace {

class Landlock final : public Backend {
 public:
  std::string_view name() const override { return "landlock"; }
  std::string_view summary() const override {
    return "Landlock rules as landlockconfig's JSON: files by directory, TCP and UDP by port, sockets and signals out "
           "of the sandbox";
  }
  bool in_stack(std::string_view stack) const override { return landlock::in_stack(stack); }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    return holds(policy, facts, target);
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return landlock::in_stack(target.stack) ? landlock::emit(policy, target) : Emitted{};
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target& target) const override {
    return landlock::decode(artifacts, target);
  }
};

}  // namespace

const Backend& backend() {
  static const Landlock instance;
  return instance;
}

}  // namespace agp::backends::landlock
