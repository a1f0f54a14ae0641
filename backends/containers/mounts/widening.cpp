#include "backends/containers/mounts/widening.hpp"

#include "backends/containers/mounts/difference.hpp"
#include "backends/containers/mounts/shaped_rules.hpp"

namespace agp::backends::containers {

std::vector<Cause> to_widen(const model::Policy& policy, const MountTree& tree) {
  std::vector<Cause> out;
  std::optional<Comparison> comparison;  // made only where a policy has such a pattern
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const model::Rule& rule = policy.rules[i];
    const auto* file = std::get_if<model::FileBody>(&rule.body);
    if (!file || rule.expired || rule.effect != model::Effect::Allow) continue;
    for (std::size_t k = 0; k < file->patterns.size(); ++k) {
      const model::PathPattern& pattern = file->patterns[k].pattern;
      if (pattern.shape() != model::PathPattern::Shape::Other || literal_prefix(pattern) == "/") continue;
      if (!comparison) comparison.emplace(policy, tree);
      const Difference lost = comparison->find(pattern, file->verbs, [&](const Point& p) {
        return p.matches(i) && p.decision == model::Decision::Allow && p.grant == Grant::No &&
               (p.mount == Cause::none || !answered_by_causes(tree.mounts[p.mount], p.at_root));
      });
      if (lost.action || lost.undecided) out.push_back({i, k, Cause::none});
    }
  }
  return out;
}

}  // namespace agp::backends::containers
