#include "backends/podman/backend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/containers/holds/holds.hpp"
#include "backends/podman/decode/decode.hpp"
#include "backends/podman/emit/emit.hpp"
#include "backends/podman/format.hpp"

namespace agp::backends::podman {
namespace {

using format::Engine;

containers::Runtime runtime(Engine engine) {
  const std::string name(format::name(engine));
  containers::Runtime out{name, name, true, {}};
  for (const std::string_view path : format::masked_paths) out.covered.emplace_back(path);
  return out;
}

/// What the engine adds by itself and nothing covers.
void own_grants(const model::Policy& policy, Engine engine, std::vector<DerivedGrant>& out) {
  const std::string layer(format::name(engine));
  for (const std::string_view name : format::variables_of(engine))
    if (!policy.env_set.contains(std::string(name)) && name != "HOME")
      out.push_back({fmt::format("env \"{}\"", name), layer,
                     fmt::format("{} sets it, to a value that it knows itself", format::title(engine))});
  const auto named = [&](const std::string& grant) {
    return std::any_of(out.begin(), out.end(), [&](const DerivedGrant& d) { return d.grant == grant; });
  };
  for (const char* directory : {"/", "/dev", "/etc", "/run", "/sys", "/sys/fs", "/sys/fs/cgroup"})
    if (model::decide(policy, model::FileAction{model::Verb::List, directory}).decision != model::Decision::Allow &&
        !named(fmt::format("list \"{}\"", directory)))
      out.push_back({fmt::format("list \"{}\"", directory), layer,
                     fmt::format("it leads to what {} would mount there, and is covered", format::title(engine))});
}

/// What Docker holds otherwise than Podman.
void of_docker(const model::Policy& policy, std::span<const model::Fact> facts, Capabilities& out) {
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].kind == model::Fact::Kind::Limit && facts[i].name == "time")
      out.facts[i] = {
          Holds::Exact,
          "the stack's `run` command ends Docker's client when the time is over, and `finally` the container", "", ""};
    if (facts[i].kind != model::Fact::Kind::Pattern) continue;
    containers::name_execution(policy, facts[i], out.facts[i]);
    const auto* body = std::get_if<model::CapabilityBody>(&policy.rules[facts[i].rule].body);
    if (!body || agent_user(policy).uid == 0) continue;
    const model::Action action = model::CapabilityAction{body->names[facts[i].pattern].pattern};
    if (model::decide(policy, action).decision != model::Decision::Allow) continue;
    out.facts[i] = {Holds::Narrower, "Docker gives no ambient capabilities, and without them only root keeps one",
                    model::to_string(action), ""};
  }
}

class Run final : public Backend {
 public:
  explicit Run(Engine engine) : engine_(engine) {}
  std::string_view name() const override { return format::name(engine_); }
  std::string_view summary() const override {
    return engine_ == Engine::Docker
               ? "the arguments of `docker run`: the same in Docker's words"
               : "the arguments of `podman run`: mounts, user, capabilities, limits, the seccomp profile";
  }
  bool in_stack(std::string_view stack) const override { return stack == name(); }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target& target) const override {
    Capabilities out = containers::holds(policy, facts, target, tree_of(policy, engine_), runtime(engine_));
    if (engine_ == Engine::Docker) of_docker(policy, facts, out);
    own_grants(policy, engine_, out.derived);
    return out;
  }
  Emitted emit(const model::Policy& policy, const model::Target& target, std::span<const Artifact>) const override {
    return in_stack(target.stack) ? podman::emit(policy, engine_) : Emitted{};
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return podman::decode(artifacts, engine_);
  }

 private:
  const Engine engine_;
};

}  // namespace

const Backend& backend() {
  static const Run instance(Engine::Podman);
  return instance;
}

const Backend& docker_backend() {
  static const Run instance(Engine::Docker);
  return instance;
}

}  // namespace agp::backends::podman
