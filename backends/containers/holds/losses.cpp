#include <algorithm>

#include "backends/containers/holds/context.hpp"

// Questions about the mounts that a fact brought into the tree.
namespace agp::backends::containers {

bool contains(const std::vector<Cause>& list, const Cause& cause) {
  return std::find(list.begin(), list.end(), cause) != list.end();
}

Difference in_mounts(const Context& c, const std::function<bool(const TreeMount&)>& which, const Question& question) {
  for (std::size_t i = 0; i < c.tree.mounts.size(); ++i) {
    const TreeMount& m = c.tree.mounts[i];
    if (!which(m)) continue;
    const Within here{true, i};
    Difference d = c.comparison.find(model::path_subtree(m.target), model::verbs_all, question, here);
    if (!d.action && !d.undecided) d = c.comparison.find(model::path_node(m.target), model::verbs_all, question, here);
    if (d.action || d.undecided) return d;
  }
  return {};
}

Difference lost_by(const Context& c, const Cause& cause) {
  const auto caused = [&](const TreeMount& m) { return contains(m.causes, cause); };
  const auto lost = [&](bool only_removal) -> Question {
    return [&c, only_removal](const Point& p) {
      if (p.decision != model::Decision::Allow || p.grant != Grant::No) return false;
      if (only_removal && !(p.at_root && p.verb == model::Verb::Delete)) return false;
      return answered_by_causes(c.tree.mounts[p.mount], p.at_root);
    };
  };
  const Difference removal = in_mounts(c, caused, lost(true));
  return removal.action || removal.undecided ? removal : in_mounts(c, caused, lost(false));
}

}  // namespace agp::backends::containers
