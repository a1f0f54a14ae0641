#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "backends/nftables/backend.hpp"
#include "compiler/plan/plan.hpp"
#include "compiler/verify/packets.hpp"
#include "tests/support/net_policy.hpp"

namespace agp::test {

inline backends::Decoded decoded(std::string bytes, const char* form = "nft") {
  const std::vector<backends::Artifact> one = {{std::string("nftables/egress.") + form, std::move(bytes)}};
  return backends::nftables::backend().decode(one, debian_12());
}
inline std::string emitted(const model::Policy& policy, const char* form = "nft", const char* stack = "oci") {
  auto target = debian_12();
  target.stack = stack;
  for (const auto& a : backends::nftables::backend().emit(policy, target, {}).artifacts)
    if (a.path.ends_with(form)) return a.bytes;
  return {};
}

/// "proved", "unknown: REASON", or the witness and where it is decided.
inline std::string word(const verify::Obligation& o) {
  return o.verdict.match([](const solver::Proved&) -> std::string { return "proved"; },
                         [](const verify::Witness& w) { return w.action + " | " + w.observed + " | " + w.place; },
                         [](const solver::Unknown& u) { return "unknown: " + u.reason; });
}
struct Proofs {
  std::string excess, loss;
};
inline Proofs proofs(const model::Policy& policy, const backends::Decoded& layers, const char* stack = "oci") {
  if (layers.packets.empty()) return {layers.problems.empty() ? "nothing" : layers.problems[0].message, "refused"};
  auto target = debian_12();
  target.stack = stack;
  diagnostics::Sink sink;
  const auto plan = plan::make_plan(policy, target, sink);
  const auto out = verify::verify_packets(policy, target, plan, *layers.packets[0], {});
  return {word(out[0]), word(out[1])};
}
inline Proofs proofs(const model::Policy& policy, std::string script, const char* stack = "oci") {
  return proofs(policy, decoded(std::move(script)), stack);
}

inline std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const auto at = text.find(what);
  return at == std::string::npos ? "NOT THERE: " + std::string(what) : text.replace(at, what.size(), by);
}

}  // namespace agp::test
