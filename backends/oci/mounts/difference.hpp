#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backends/oci/mounts/mount_tree.hpp"

/// Where the mounts and the file rules differ. In: a policy and its mount tree. Out: one concrete action for a question
/// about both. Exact: paths on which nothing but single nodes and subtrees decide fall into finitely many cells, of
/// which each has a sample; where other patterns can change the answer, the automata of `model::find_path` decide.
namespace agp::backends::oci {

/// One action on one path, as both sides see it.
struct Point {
  model::Verb verb = model::Verb::Read;
  model::Decision decision = model::Decision::Deny;
  bool by_rule = false;             ///< the decision is a rule's, not the absence of one
  std::size_t mount = Cause::none;  ///< the mount that shows the path
  bool at_root = false;             ///< the path is that mount's own root
  Grant grant = Grant::No;
  const std::vector<bool>* rules = nullptr;  ///< which rules match the path (indices of policy.rules), verbs aside
};
using Question = std::function<bool(const Point&)>;

struct Difference {
  std::optional<model::FileAction> action;
  bool undecided = false;  ///< too many patterns overlap: to be taken as a difference
};

class Comparison {
 public:
  /// Both must outlive the comparison.
  Comparison(const model::Policy& policy, const MountTree& tree);
  /// An action with one of `verbs` on a path of `region` (for the verb `list`, a subtree includes its root) for which
  /// the question holds. The path that comes first in the tree is preferred.
  Difference find(const model::PathPattern& region, model::Verbs verbs, const Question& question) const;

 private:
  struct Pattern {
    const model::PathPattern* pattern;
    std::size_t rule;
    bool except;
  };
  struct Place {
    std::string path;
    std::size_t mount;
    bool scaffold;
  };
  struct Sample {
    std::string path;
    Place place;
    bool at_root;
    std::vector<bool> rules, rules_listing;
  };

  std::vector<bool> match(const std::string& path, bool list) const;
  Point point(model::Verb verb, const std::vector<bool>& rules, const Place& place, bool at_root) const;
  Place place_of(const std::string& path) const;
  bool needs_automata(const model::PathPattern& region) const;
  Difference search(const model::PathPattern& region, model::Verbs verbs, const Question& question, bool list) const;

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

}  // namespace agp::backends::oci
