#include "backends/podman/backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backends/containers/holds/holds.hpp"
#include "backends/podman/decode/decode.hpp"
#include "backends/podman/emit/emit.hpp"
#include "backends/podman/format.hpp"

namespace agp::backends::podman {
namespace {

/// The directories that the engine's own mounts and files lie in, and those that are covered.
std::set<std::string> directories(const format::Engine& engine) {
  std::set<std::string> out{"/", "/dev"};
  out.insert(engine.directories.begin(), engine.directories.end());
  for (const format::Names names : {engine.directories, engine.files})
    for (const std::string_view path : names)
      for (std::string d = model::parent_path(path); d != "/"; d = model::parent_path(d)) out.insert(d);
  return out;
}

/// What the engine adds by itself and nothing covers.
void own_grants(const model::Policy& policy, const format::Engine& engine, std::vector<DerivedGrant>& out) {
  for (const std::string_view name : engine.variables)
    if (!policy.env_set.contains(std::string(name)) && name != "HOME")
      out.push_back({fmt::format("env \"{}\"", name), std::string(engine.name),
                     fmt::format("{} sets it, to a value that it knows itself", engine.title)});
  const auto named = [&](const std::string& grant) {
    return std::any_of(out.begin(), out.end(), [&](const DerivedGrant& d) { return d.grant == grant; });
  };
  for (const std::string& directory : directories(engine))
    if (model::decide(policy, model::FileAction{model::Verb::List, directory}).decision != model::Decision::Allow &&
        !named(fmt::format("list \"{}\"", directory)))
      out.push_back({fmt::format("list \"{}\"", directory), std::string(engine.name),
                     fmt::format("it leads to what {} would mount there, and is covered", engine.title)});
}

class Engine final : public Backend {
 public:
  /// Docker's bind mounts have no `noexec`, its capabilities are not ambient, and its containers outlive the client.
  Engine(const format::Engine& engine, std::string_view summary, bool docker)
      : engine_(engine), summary_(summary), docker_(docker) {}
  std::string_view name() const override { return engine_.name; }
  std::string_view summary() const override { return summary_; }
  bool in_stack(std::string_view stack) const override { return stack == engine_.name; }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    const std::string name(engine_.name);
    const containers::Runtime runtime{name,    name,    true, {engine_.masked.begin(), engine_.masked.end()},
                                      docker_, !docker_};
    Capabilities out = containers::holds(policy, facts, target, mount_tree(policy, engine_), runtime);
    own_grants(policy, engine_, out.derived);
    for (std::size_t i = 0; docker_ && i < facts.size(); ++i)
      if (facts[i].kind == model::Fact::Kind::Limit && facts[i].name == "time")
        out.facts[i] = {Holds::Exact,
                        "the stack's `run` ends Docker's client when the time is over, and `finally` the container", "",
                        ""};
    return out;
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return in_stack(target.stack) ? podman::emit(policy, engine_) : Emitted{};
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return podman::decode(artifacts, engine_);
  }

 private:
  const format::Engine& engine_;
  const std::string_view summary_;
  const bool docker_;
};

}  // namespace

const Backend& backend() {
  static const Engine instance(
      format::podman, "the arguments of `podman run`: mounts, user, capabilities, limits, the seccomp profile", false);
  return instance;
}

const Backend& docker_backend() {
  static const Engine instance(format::docker, "the arguments of `docker run`: the same in Docker's words", true);
  return instance;
}

}  // namespace agp::backends::podman
