#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "compiler/analysis/units.hpp"
#include "compiler/lint/finding.hpp"

namespace agp::lint {

/// Which part of some sets a policy permits, and what grants it: the policy's rules of one sort and the sets, cut into
/// cells together. A set of paths is about the host: it is carried through the policy's mounts, what a tmpfs shows is
/// in no set, and a read-only mount takes writing away.
class Reach {
 public:
  /// Rules of other sorts take no part.
  Reach(Context& context, analysis::Sort sort);
  ~Reach();

  /// The set of a guard, of which `verbs` alone are asked about; its number. A `rooted` one protects one project, its
  /// patterns with `**` in front: it is asked about at the top of every tree that the policy grants, at every directory
  /// that its patterns spell out, and where a mount leads into the set.
  std::size_t ask(std::string_view guard, bool rooted = false, model::Verbs verbs = model::verbs_all);

  /// Where a part of the set is granted.
  struct Grant {
    Context::Place place;
    std::string witness;
    const model::Rule* rule = nullptr;
    std::uint32_t pattern = 0;  ///< of the rule
    std::size_t extent = 0;     ///< cells of the set that this place grants
    bool wholly = true;         ///< this place grants nothing beside the set
  };
  /// The fewest places that grant all that is permitted of the set, without those where `kind` is suppressed. `keep`
  /// says which patterns count as a grant; a cell that no counted pattern grants is left out.
  using Keep = std::function<bool(const model::Rule&, std::uint32_t pattern)>;
  std::vector<Grant> grants(std::size_t question, const diagnostics::Kind& kind, const Keep& keep = {});

  /// Calls `visit(space, cell)` for each permitted cell.
  void each_permitted(const std::function<void(const analysis::Space&, std::size_t)>& visit);
  /// What grants a permitted cell.
  std::vector<analysis::PatternRef> granting(std::size_t cell) const;
  const model::Rule& rule(std::size_t index) const { return *policy_rules_[index]; }
  bool idle() const { return policy_rules_.empty(); }  ///< nothing of the sort is granted

 private:
  struct Part {
    model::Rule rule;
    std::size_t question;
    int mount;           ///< -1: only where no mount is; -2: anywhere but on a tmpfs
    /// Not empty: a path of a floating set, `/.git/hooks/x`, in a directory of which only trees speak. The rule has no
    /// pattern.
    std::string beneath;
    std::vector<model::PathComponent> path;  ///< the same
  };
  static constexpr int root = -1, of_host = -2;
  struct Inside {
    std::size_t cell, part;
  };
  class Roots;

  void cut();
  /// Paths that nothing is granted of are left out: they can be in no answer.
  void add(Part part);
  bool may_be_granted(const model::PathPattern& pattern) const;
  void add_paths(const model::Rule& rule, std::size_t question, model::Verbs verbs);
  void add_trees(std::size_t cell, std::vector<std::size_t>& parts) const;
  void add_rooted(const model::Rule& rule, std::size_t question, model::Verbs verbs);
  std::string witness(const Inside& inside) const;
  using Rank = std::tuple<std::size_t, std::uint32_t, std::size_t>;  ///< less: to be told first
  Rank rank_of(const Inside& inside) const;
  /// What each granting pattern grants, as cells, ascending.
  using Cells = std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::size_t>>;
  const Cells& granted_cells();

  Context& context_;
  analysis::Sort sort_;
  std::vector<const model::Rule*> policy_rules_;
  std::set<std::string> granted_;  ///< of paths: the directories that granting patterns begin with; of texts: patterns
  std::set<std::string> tops_;     ///< of those directories: the first
  std::vector<model::Rule> markers_;
  std::vector<int> marked_;  ///< the mount of a marker
  std::unique_ptr<Roots> roots_;
  std::map<std::tuple<std::string, bool, model::Verbs>, std::size_t> questions_;
  std::vector<Part> parts_;
  std::unique_ptr<analysis::Space> space_;
  std::vector<bool> permitted_;
  std::vector<std::vector<Inside>> inside_;  ///< by question, cells ascending
  std::optional<Cells> granted_cells_;
};

}  // namespace agp::lint
