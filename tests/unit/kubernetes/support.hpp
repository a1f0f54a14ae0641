#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backends/kubernetes/backend.hpp"
#include "compiler/model/container.hpp"
#include "compiler/model/packet_layer.hpp"
#include "compiler/plan/plan.hpp"
#include "compiler/verify/stack.hpp"
#include "tests/support/file_policy.hpp"
#include "tests/support/net_policy.hpp"

/// A pod and its NetworkPolicy as the backend writes them, changed, and read back. No kubelet and no network plugin
/// runs in these tests: what they would do is the model's word, from the sources that docs/decisions/0020 names.
namespace agp::test {

using Json = nlohmann::ordered_json;
using Change = std::function<void(Json&)>;

inline model::Target kubernetes() {
  model::Target t = debian12();
  t.stack = "kubernetes";
  return t;
}

struct Files {
  Json pod, network;
};

inline Files files(const model::Policy& policy) {
  const auto out = backends::kubernetes::backend().emit(policy, kubernetes(), {});
  if (out.artifacts.size() != 2) return {};
  return {Json::parse(out.artifacts[0].bytes), Json::parse(out.artifacts[1].bytes)};
}

inline backends::Decoded decode(const std::string& pod, const std::string& network) {
  std::vector<backends::Artifact> all;
  if (!pod.empty()) all.push_back({"kubernetes/pod.json", pod});
  if (!network.empty()) all.push_back({"kubernetes/network-policy.json", network});
  return backends::kubernetes::backend().decode(all, kubernetes());
}

/// The first obligation that is not proved in this direction: "ARTIFACT: ACTION | OBSERVED"; else "proved".
inline std::string verdict(const model::Policy& policy, const Files& f, verify::Direction direction) {
  verify::Reading reading{"kubernetes", decode(f.pod.dump(), f.network.is_null() ? "" : f.network.dump())};
  if (!reading.decoded.problems.empty()) return reading.decoded.problems[0].message;
  diagnostics::Sink sink;
  const plan::Plan plan = plan::make_plan(policy, kubernetes(), sink);
  std::string out = "proved";
  for (const auto& o : verify::verify_stack(policy, kubernetes(), plan, {&reading, 1})) {
    if (o.direction != direction || out != "proved") continue;
    o.verdict.match([](const solver::Proved&) {},
                    [&](const verify::Witness& w) { out = o.artifact + ": " + w.action + " | " + w.observed; },
                    [&](const solver::Unknown& u) { out = "unknown: " + u.reason; });
  }
  return out;
}
inline std::string excess(const model::Policy& p, const Files& f) { return verdict(p, f, verify::Direction::Excess); }
inline std::string loss(const model::Policy& p, const Files& f) { return verdict(p, f, verify::Direction::Loss); }

inline bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

inline void set(Json& json, const std::string& pointer, Json value) {
  json[Json::json_pointer(pointer)] = std::move(value);
}
inline void remove(Json& json, const std::string& pointer) {
  const Json::json_pointer at(pointer);
  json[at.parent_pointer()].erase(at.back());
}
inline void remove_mount(Json& pod, const std::string& path) {
  Json& mounts = pod["spec"]["containers"][0]["volumeMounts"];
  std::string volume;
  for (std::size_t i = 0; i < mounts.size(); ++i)
    if (mounts[i]["mountPath"] == path) {
      volume = mounts[i]["name"];
      mounts.erase(i);
      break;
    }
  for (const Json& m : mounts)
    if (m["name"] == volume) return;
  Json& volumes = pod["spec"]["volumes"];
  for (std::size_t i = 0; i < volumes.size(); ++i)
    if (volumes[i]["name"] == volume) {
      volumes.erase(i);
      return;
    }
}
inline Json& mount(Json& pod, const std::string& path) {
  for (Json& m : pod["spec"]["containers"][0]["volumeMounts"])
    if (m["mountPath"] == path) return m;
  throw std::runtime_error("no mount at " + path);
}
inline Json& volume(Json& pod, const std::string& path) {
  const std::string name = mount(pod, path)["name"];
  for (Json& v : pod["spec"]["volumes"])
    if (v["name"] == name) return v;
  throw std::runtime_error("no volume at " + path);
}

/// Files, limits that a pod can hold, a user, a variable, no network.
inline FilePolicy example() {
  FilePolicy b;
  b.allow("read exec", {"/usr/**"}).allow("read write exec", {"/work/**"}).tmpfs("/work", 1 << 20);
  b.allow("read exec", {"/srv/**"}).deny("read write exec", {"/srv/secret", "/srv/secret/**"});
  model::Policy& p = b.policy;
  p.name = "example";
  p.run.command = {"/usr/bin/agent", "--cost", "$(HOME) $5 $$"};
  p.run.user = model::User{1000, 1001, {}};
  p.env_set = {{"PATH", "/usr/bin"}, {"TEXT", "$(PATH)"}};
  p.limits.memory_bytes = {1 << 30, {}};
  p.limits.cpu_milli = {1500, {}};
  p.limits.time_ms = {600000, {}};
  return b;
}

}  // namespace agp::test
