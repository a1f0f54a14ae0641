#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/containers/mounts/path_index.hpp"

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

/// Where to look: everywhere, only where something is mounted, or only in one mount; and, if the question holds for one
/// grant alone, for which.
struct Within {
  bool mounted = false;
  std::size_t mount = Cause::none;
  std::optional<Grant> grant = std::nullopt;
};

class Comparison {
 public:
  /// Both must outlive the comparison.
  Comparison(const model::Policy& policy, const MountTree& tree);
  /// An action with one of `verbs` on a path of `region` (for the verb `list`, a subtree includes its root) for which
  /// the question holds. The path that comes first in the tree is preferred.
  Difference find(const model::PathPattern& region, model::Verbs verbs, const Question& question,
                  Within within = {}) const;
  /// What the rules say about one action: model::decide, at the cost of the patterns that begin at or above its path.
  model::Decision decide(const model::FileAction& action) const;

 private:
  struct Pattern {
    const model::PathPattern* pattern;
    model::PathPattern::Shape shape;
    std::size_t rule;
    bool except;
    std::string prefix;  ///< literal_prefix: every path that matches is this one or lies beneath it
    bool matches(std::string_view path, bool list) const;  ///< precondition: `path` is `prefix` or lies beneath it
  };
  struct Place {
    std::string base;
    std::size_t mount = Cause::none;  ///< none: a directory that leads to mounts
    std::vector<std::size_t>
        cuts;  ///< its samples that a pattern of neither shape matches: they don't speak for their cells
    bool scaffold() const { return mount == Cause::none; }
    const model::PathPattern& node() const;  ///< made when first asked for: few searches look at a place
    const model::PathPattern& subtree() const;

   private:
    mutable std::optional<model::PathPattern> node_, subtree_;
  };
  struct Sample {
    std::string path;
    std::size_t place = Cause::none;
    bool at_root = false;
    std::vector<std::size_t> rules, rules_listing;
  };
  struct Region {
    const model::PathPattern& pattern;
    std::string prefix;
    std::size_t first = 0, last = 0;  ///< the samples that it may hold, a contiguous part: they are in path order
  };

  void collect_patterns();
  void collect_places();
  void make_samples();
  /// `cut` is set where a pattern or exception of neither shape matches.
  Sample sample(std::string path, bool& cut) const;
  Region region(const model::PathPattern& pattern) const;
  /// The rules of patterns that match one path, and of exceptions that do.
  struct Matches {
    std::vector<std::size_t> in, out;
    void add(const Pattern& p) { (p.except ? out : in).push_back(p.rule); }
    std::vector<std::size_t> rules();  ///< that match, ascending
  };
  std::vector<std::size_t> matching(std::string_view path, bool list) const;
  Point point(model::Verb verb, const std::vector<std::size_t>& rules, const Place* place, bool at_root) const;
  bool may_grant(const Place& place, model::Verbs verbs, std::optional<Grant> grant) const;
  Difference find_sample(const Region& region, model::Verbs verbs, const Question& question, Within within) const;
  Difference find_member(const Region& region, model::Verbs verbs, const Question& question, Within within,
                         const Place* place) const;
  std::optional<model::FileAction> at_sample(const Sample& sample, bool list, const Region& region, model::Verbs verbs,
                                             const Question& question, Within within) const;
  /// Whether a sample can't speak for what `region` has beneath the place, or, without a place, where nothing is
  /// mounted.
  bool is_cut(const Region& region, const Place* place) const;
  Difference search(const Region& region, model::Verbs verbs, const Question& question, const Place* place) const;
  bool possible(const Region& region, model::Verbs verbs, const Question& question, const Place* place,
                const std::vector<const Pattern*>& rules) const;
  Difference search(const Region& region, model::Verbs verbs, const Question& question, const Place* place,
                    bool list) const;

  const model::Policy& policy_;
  const MountTree& tree_;
  std::vector<Pattern> patterns_;
  PathIndex by_prefix_;  ///< the patterns
  PathIndex openers_;  ///< those of neither shape that can turn a refused path of a cell into a permitted one, or back
  std::vector<Place> places_;          ///< mounts and the directories that lead to them, in path order
  PathIndex by_base_;                  ///< the places
  std::vector<std::size_t> of_mount_;  ///< the place of each mount
  std::vector<Sample> samples_;
  std::string fresh_;  ///< a name that no pattern spells out
  std::vector<std::size_t> cuts_;  ///< like a place's, where nothing is mounted
};

/// `create "/a/b"`, as `agp query` takes it.
std::string action_text(const model::FileAction& action);

}  // namespace agp::backends::containers
