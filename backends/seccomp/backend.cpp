#include "backends/seccomp/backend.hpp"

#include "backends/seccomp/decode/decode.hpp"
#include "backends/seccomp/emit/capabilities.hpp"
#include "backends/seccomp/emit/emit.hpp"

namespace agp::backends::seccomp {
namespace {

class Seccomp final : public Backend {
 public:
  std::string_view name() const override { return "seccomp"; }
  std::string_view summary() const override {
    return "system calls and their arguments: a raw BPF filter and an OCI profile";
  }
  bool in_stack(std::string_view) const override { return true; }

  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    return seccomp::capabilities(policy, facts, target);
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return seccomp::emit(policy, target);
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target& target) const override {
    return seccomp::decode(artifacts, target);
  }
};

}  // namespace

const Backend& backend() {
  static const Seccomp instance;
  return instance;
}

}  // namespace agp::backends::seccomp
