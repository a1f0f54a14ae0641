#include "backends/oci/backend.hpp"

#include <fmt/format.h>

#include "backends/containers/holds/holds.hpp"
#include "backends/oci/decode/decode.hpp"
#include "backends/oci/emit/checks.hpp"
#include "backends/oci/emit/config.hpp"

namespace agp::backends::oci {
namespace {

class Oci final : public Backend {
 public:
  std::string_view name() const override { return "oci"; }
  std::string_view summary() const override {
    return "config.json of the OCI runtime specification: mounts, user, limits, namespaces, the seccomp profile";
  }
  bool in_stack(std::string_view stack) const override { return stack == "oci" || stack == "oci+landlock"; }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    return containers::holds(policy, facts, target, containers::mount_tree(policy),
                             {"oci", fmt::format("runc {}.{}", target.runc.major, target.runc.minor), false, {}});
  }
  Emitted emit(const model::Policy& policy, const model::Target& target,
               std::span<const Artifact> earlier) const override {
    return oci::emit(policy, target, earlier);
  }
  std::vector<Problem> problems(const model::Policy& policy, const model::Target&) const override {
    return unusable(policy);
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return oci::decode(artifacts);
  }
};

}  // namespace

const Backend& backend() {
  static const Oci instance;
  return instance;
}

}  // namespace agp::backends::oci
