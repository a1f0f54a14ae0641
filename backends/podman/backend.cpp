#include "backends/podman/backend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/containers/holds/holds.hpp"
#include "backends/podman/decode/decode.hpp"
#include "backends/podman/emit/emit.hpp"
#include "backends/podman/format.hpp"

namespace agp::backends::podman {
namespace {

containers::Runtime runtime() {
  containers::Runtime out{"podman", "podman", true, {}};
  for (const std::string_view path : format::masked_paths) out.covered.emplace_back(path);
  return out;
}

/// What Podman adds by itself and nothing covers.
void own_grants(const model::Policy& policy, std::vector<DerivedGrant>& out) {
  for (const std::string_view name : format::variables)
    if (!policy.env_set.contains(std::string(name)) && name != "HOME")
      out.push_back({fmt::format("env \"{}\"", name), "podman", "Podman sets it, to a value that it knows itself"});
  const auto named = [&](const std::string& grant) {
    return std::any_of(out.begin(), out.end(), [&](const DerivedGrant& d) { return d.grant == grant; });
  };
  for (const char* directory : {"/", "/dev", "/etc", "/run", "/sys", "/sys/fs", "/sys/fs/cgroup"})
    if (model::decide(policy, model::FileAction{model::Verb::List, directory}).decision != model::Decision::Allow &&
        !named(fmt::format("list \"{}\"", directory)))
      out.push_back({fmt::format("list \"{}\"", directory), "podman",
                     "it leads to what Podman would mount there, and is covered"});
}

class Podman final : public Backend {
 public:
  std::string_view name() const override { return "podman"; }
  std::string_view summary() const override {
    return "the arguments of `podman run`: mounts, user, capabilities, limits, the seccomp profile";
  }
  bool in_stack(std::string_view stack) const override { return stack == "podman"; }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    Capabilities out = containers::holds(policy, facts, target, containers::mount_tree(policy), runtime());
    own_grants(policy, out.derived);
    return out;
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return in_stack(target.stack) ? podman::emit(policy, target) : Emitted{};
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return podman::decode(artifacts);
  }
};

}  // namespace

const Backend& backend() {
  static const Podman instance;
  return instance;
}

}  // namespace agp::backends::podman
