#include "tests/backends/toy/backend.hpp"

#include "tests/backends/toy/decode/decode.hpp"
#include "tests/backends/toy/emit/emit.hpp"
#include "tests/backends/toy/format.hpp"

namespace toy {
namespace {

using namespace agp::backends;
namespace model = agp::model;

class Toy final : public Backend {
 public:
  std::string_view name() const override { return "toy"; }
  std::string_view summary() const override { return "a list of paths, for a test"; }
  bool in_stack(std::string_view stack) const override { return stack == "oci"; }
  Capabilities capabilities(const model::Policy& policy, std::span<const model::Fact> facts,
                            const model::Target&) const override {
    return toy::capabilities(policy, facts);
  }
  Emitted emit(const model::Policy& policy, const model::Target&, std::span<const Artifact>) const override {
    return toy::emit(policy);
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    return toy::decode(artifacts);
  }
};

/// Says that it holds every bound, and nothing can read back whether it does.
class Note final : public Backend {
 public:
  std::string_view name() const override { return "toy-note"; }
  std::string_view summary() const override { return "bounds as a text without a decoder, for a test"; }
  bool in_stack(std::string_view stack) const override { return stack == "oci"; }
  Capabilities capabilities(const model::Policy&, std::span<const model::Fact> facts,
                            const model::Target&) const override {
    Capabilities out;
    for (const auto& fact : facts)
      out.facts.push_back(fact.kind == model::Fact::Kind::Limit ? Capability{Holds::Exact, "a line of the note", "", ""}
                                                                : Capability{});
    out.derived.push_back({"read \"/toy\"", "toy-note", "whoever reads the note has to find it"});
    return out;
  }
  Emitted emit(const model::Policy& policy, const model::Target&, std::span<const Artifact>) const override {
    Emitted out;
    if (policy.limits.pids) out.artifacts.push_back({std::string(format::note_path), "pids\n"});
    return out;
  }
  Decoded decode(std::span<const Artifact> artifacts, const model::Target&) const override {
    Decoded out;
    for (const auto& a : artifacts)
      if (a.path == format::note_path) out.not_verified.push_back(a.path);
    return out;
  }
};

}  // namespace

const Backend& backend() {
  static const Toy instance;
  return instance;
}

const Backend& note_backend() {
  static const Note instance;
  return instance;
}

}  // namespace toy
