#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/containers/mounts/mount_tree.hpp"

/// Where the mounts and the file rules differ. In: a policy and its mount tree. Out: one concrete action for a question
/// about both. Exact: paths on which nothing but single nodes and subtrees decide fall into finitely many cells, of
/// which each has a sample; where other patterns can change the answer, the automata of `model::find_path` decide.
namespace agp::backends::containers {

/// One action on one path, as both sides see it.
struct Point {
  model::Verb verb = model::Verb::Read;
  model::Decision decision = model::Decision::Deny;
  bool by_rule = false;             ///< the decision is a rule's, not the absence of one
  std::size_t mount = Cause::none;  ///< the mount that shows the path
  bool at_root = false;             ///< the path is that mount's own root
  Grant grant = Grant::No;
  const std::vector<std::size_t>* rules = nullptr;  ///< the file rules that match the path, ascending, verbs aside

  bool matches(std::size_t rule) const;
};
using Question = std::function<bool(const Point&)>;

struct Difference {
  std::optional<model::FileAction> action;
  bool undecided = false;  ///< too many patterns overlap: to be taken as a difference
};

/// Where to look: everywhere, only where something is mounted, or only in one mount.
struct Within {
  bool mounted = false;
  std::size_t mount = Cause::none;
};

class Comparison {
 public:
  /// Both must outlive the comparison.
  Comparison(const model::Policy& policy, const MountTree& tree);
  /// An action with one of `verbs` on a path of `region` (for the verb `list`, a subtree includes its root) for which
  /// the question holds. The path that comes first in the tree is preferred.
  Difference find(const model::PathPattern& region, model::Verbs verbs, const Question& question,
                  Within within = {}) const;

 private:
  struct Pattern {
    const model::PathPattern* pattern;
    std::size_t rule;
    bool except;
    bool other;          ///< neither one node nor one subtree
    std::string prefix;  ///< literal_prefix: every path that matches is this one or lies beneath it
    bool opens;          ///< can turn a refused path into a permitted one, or the other way round, within a cell
  };
  struct Place {
    std::size_t mount = Cause::none;
    bool scaffold = false;
    model::PathPattern node, subtree;
    std::string base;  ///< of both
  };
  struct Sample {
    std::string path;
    const Place* place = nullptr;
    bool at_root = false;
    bool cut = false;  ///< a pattern that is `other` matches: the sample does not speak for its cell
    std::vector<std::size_t> rules, rules_listing;
  };

  void collect_places();
  void make_samples();
  void match_samples(bool list, std::vector<std::size_t> Sample::*rules);
  /// The samples that `region` may hold: a contiguous part, since they are in path order.
  std::pair<std::size_t, std::size_t> range(const model::PathPattern& region) const;
  Point point(model::Verb verb, const std::vector<std::size_t>& rules, const Place* place, bool at_root) const;
  Difference find_sample(const model::PathPattern& region, model::Verbs verbs, const Question& question,
                         Within within) const;
  /// Whether a sample can't speak for what `region` has beneath the place, or, without a place, where nothing is
  /// mounted.
  bool is_cut(const model::PathPattern& region, const Place* place) const;
  Difference search(const model::PathPattern& region, model::Verbs verbs, const Question& question,
                    const Place* place) const;
  Difference search(const model::PathPattern& region, model::Verbs verbs, const Question& question, const Place* place,
                    bool list) const;

  const model::Policy& policy_;
  const MountTree& tree_;
  std::vector<Pattern> patterns_;
  std::vector<Place> places_;  ///< mounts and the directories that lead to them, in path order
  std::vector<Sample> samples_;
};

/// False: no path matches both, also where `D/*` or `D/**` includes D. True: perhaps one does.
bool may_intersect(const model::PathPattern& a, const model::PathPattern& b);

/// `create "/a/b"`, as `agp query` takes it.
std::string action_text(const model::FileAction& action);

}  // namespace agp::backends::containers
