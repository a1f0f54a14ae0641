#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/containers/mounts/mount_tree.hpp"

/// The file and unix rules of a policy reduced to the two shapes a mount can have: one node, and everything beneath a
/// node. Patterns of other shapes are left out, except that an allow can be widened to the directory it stands in;
/// whoever uses the result compares it with the rules as they are.
namespace agp::backends::containers {

struct Area {
  bool subtree = false;
  std::string base;
  Cause cause;
  bool hit(std::string_view path, bool list) const;
};

struct ShapedRule {
  model::Effect effect = model::Effect::Deny;
  model::Verbs verbs = 0;  ///< 0: a rule about unix sockets
  std::vector<Area> patterns, except;
};

class ShapedRules {
 public:
  /// `widened`: allow patterns of file rules that are neither shape and count as everything beneath their directory.
  ShapedRules(const model::Policy& policy, const std::vector<Cause>& widened);

  model::Verbs permitted(std::string_view path) const;
  model::Verbs refused(std::string_view path) const;  ///< by a deny or ask, not by the absence of a rule
  bool connects(std::string_view path) const;         ///< a socket there may be connected to
  bool connect_denied(std::string_view path) const;   ///< an explicit deny, not the absence of a rule
  /// Allow patterns of either sort that match.
  std::vector<Cause> allowing(std::string_view path) const;
  std::vector<Cause> allowing(std::string_view path, model::Verbs verbs) const;
  /// Deny and ask patterns that match with one of the verbs, and allow patterns whose exception does.
  std::vector<Cause> refusing(std::string_view path, model::Verbs verbs) const;
  const std::vector<ShapedRule>& rules() const { return rules_; }

 private:
  model::Verbs verbs(std::string_view path, bool allow) const;
  std::vector<ShapedRule> rules_;
};

/// The directory of a pattern up to its first wildcard; "/" when the wildcard stands in the first component.
std::string literal_prefix(const model::PathPattern& pattern);

}  // namespace agp::backends::containers
