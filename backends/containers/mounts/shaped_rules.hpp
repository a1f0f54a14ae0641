#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "backends/containers/mounts/path_index.hpp"

/// The file and unix rules of a policy reduced to the two shapes a mount can have: one node, and everything beneath a
/// node. Patterns of other shapes are left out, except that an allow can be widened to the directory it stands in;
/// whoever uses the result compares it with the rules as they are.
namespace agp::backends::containers {

struct Area {
  bool subtree = false;
  std::string base;
  Cause cause;  ///< of an exception: its rule, and its place among the exceptions
  bool except = false;
  model::Effect effect = model::Effect::Deny;
  model::Verbs verbs = 0;  ///< 0: of a rule about unix sockets
};

/// What the rules say about one path. Every answer costs what stands over the path, and no more.
class RulesAt {
 public:
  model::Verbs permitted() const;
  model::Verbs refused() const;  ///< by a deny or ask, not by the absence of a rule
  bool connects() const;         ///< a socket there may be connected to
  bool connect_denied() const;   ///< an explicit deny, not the absence of a rule
  /// Allow patterns of either sort that match.
  std::vector<Cause> allowing() const;
  /// Deny and ask patterns that match with one of the verbs, and allow patterns whose exception does.
  std::vector<Cause> refusing(model::Verbs verbs) const;

 private:
  friend class ShapedRules;
  /// An area at or above the path: whether it has the path, and whether it has it for the verb `list`.
  struct Hit {
    const Area* area;
    bool plain, list;
  };
  struct OfRule;
  template <class Each>
  void each_rule(const Each& each) const;
  model::Verbs verbs(bool allow) const;

  std::vector<Hit> hits_;  ///< in the order of the rules, exceptions behind the patterns of their rule
};

class ShapedRules {
 public:
  /// `widened`: allow patterns of file rules that are neither shape and count as everything beneath their directory.
  ShapedRules(const model::Policy& policy, const std::vector<Cause>& widened);

  /// Valid while the rules live. O(depth × log n + the areas over the path).
  RulesAt at(std::string_view path) const;
  const std::vector<Area>& areas() const { return areas_; }

 private:
  std::vector<Area> areas_;  ///< in the order of the rules, exceptions behind the patterns of their rule
  PathIndex by_base_;
};

/// The directory of a pattern up to its first wildcard; "/" when the wildcard stands in the first component.
std::string literal_prefix(const model::PathPattern& pattern);

}  // namespace agp::backends::containers
