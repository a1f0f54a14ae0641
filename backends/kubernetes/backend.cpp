#include "backends/kubernetes/backend.hpp"

#include "backends/kubernetes/decode/decode.hpp"
#include "backends/kubernetes/emit/emit.hpp"
#include "backends/kubernetes/format.hpp"
#include "backends/kubernetes/holds.hpp"

namespace agp::backends::kubernetes {
namespace {

class Kubernetes final : public Backend {
 public:
  std::string_view name() const override { return "kubernetes"; }
  std::string_view summary() const override {
    return "a pod: volumes, security context, limits, the seccomp profile; and its NetworkPolicy";
  }
  bool in_stack(std::string_view stack) const override { return stack == format::stack; }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    return holds(policy, facts, target);
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return in_stack(target.stack) ? kubernetes::emit(policy) : Emitted{};
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return kubernetes::decode(artifacts);
  }
};

}  // namespace

const Backend& backend() {
  static const Kubernetes instance;
  return instance;
}

}  // namespace agp::backends::kubernetes
