#include "backends/containers/holds/context.hpp"

// Questions about the mounts that a fact brought into the tree.
namespace agp::backends::containers {

Mounts::Mounts(const MountTree& tree, const Comparison& comparison) : tree_(tree), comparison_(comparison) {
  const auto add = [](auto& index, const std::vector<Cause>& causes, std::size_t mount) {
    for (const Cause& cause : causes) {
      auto& list = index[cause];
      if (list.empty() || list.back() != mount) list.push_back(mount);
    }
  };
  for (std::size_t i = 0; i < tree.mounts.size(); ++i) {
    add(granted_, tree.mounts[i].grants, i);
    add(caused_, tree.mounts[i].causes, i);
  }
}

namespace {

const std::vector<std::size_t>& in(const std::map<Cause, std::vector<std::size_t>>& index, const Cause& cause) {
  static const std::vector<std::size_t> nothing;
  const auto at = index.find(cause);
  return at == index.end() ? nothing : at->second;
}

}  // namespace

const std::vector<std::size_t>& Mounts::granted_by(const Cause& cause) const { return in(granted_, cause); }
const std::vector<std::size_t>& Mounts::caused_by(const Cause& cause) const { return in(caused_, cause); }

Difference Mounts::first(const std::vector<std::size_t>& mounts, Ask ask) const {
  for (const std::size_t mount : mounts) {
    const auto [at, fresh] = known_.try_emplace({mount, ask});
    if (fresh) at->second = find(mount, ask);
    if (at->second.action || at->second.undecided) return at->second;
  }
  return {};
}

Difference Mounts::find(std::size_t mount, Ask ask) const {
  const TreeMount& m = tree_.mounts[mount];
  const auto question = [&](const Point& p) {
    if (ask == Ask::Excess || ask == Ask::SocketExcess) {
      if (p.grant != Grant::Yes || p.decision == model::Decision::Allow || p.by_rule) return false;
      return ask == Ask::SocketExcess || !(p.at_root && p.verb == model::Verb::Modify && m.directory);
    }
    if (p.decision != model::Decision::Allow || p.grant != Grant::No) return false;
    if (ask == Ask::Removal && !(p.at_root && p.verb == model::Verb::Delete)) return false;
    return answered_by_causes(m, p.at_root);
  };
  const Within here{true, mount, ask == Ask::Excess || ask == Ask::SocketExcess ? Grant::Yes : Grant::No};
  Difference d = comparison_.find(model::path_subtree(m.target), model::verbs_all, question, here);
  if (!d.action && !d.undecided) d = comparison_.find(model::path_node(m.target), model::verbs_all, question, here);
  return d;
}

Difference lost_by(const Context& c, const Cause& cause) {
  const auto& caused = c.mounts.caused_by(cause);
  const Difference removal = c.mounts.first(caused, Mounts::Ask::Removal);
  return removal.action || removal.undecided ? removal : c.mounts.first(caused, Mounts::Ask::Loss);
}

}  // namespace agp::backends::containers
