#pragma once
#include <map>

#include "backends/backend.hpp"
#include "backends/containers/holds/holds.hpp"
#include "backends/containers/mounts/difference.hpp"
#include "backends/containers/mounts/shaped_rules.hpp"

namespace agp::backends::containers {

/// The mounts that a fact brought into the tree, and questions about one mount whose answer is the same for every fact
/// that brought it: each is put once.
class Mounts {
 public:
  enum class Ask {
    Excess,        ///< it gives what no rule permits and none refuses, apart from the mode of its own root
    SocketExcess,  ///< the same with its root
    Removal,       ///< a directory that the rules permit to remove can't be: its causes' doing
    Loss,          ///< it refuses what the rules permit: its causes' doing
  };
  /// Both must outlive it.
  Mounts(const MountTree& tree, const Comparison& comparison);
  /// The mounts that serve an allow pattern; those that are there because of a pattern or a mount. Ascending.
  const std::vector<std::size_t>& granted_by(const Cause& cause) const;
  const std::vector<std::size_t>& caused_by(const Cause& cause) const;
  /// The first answer among the mounts, on the root or beneath.
  Difference first(const std::vector<std::size_t>& mounts, Ask ask) const;

 private:
  Difference find(std::size_t mount, Ask ask) const;

  const MountTree& tree_;
  const Comparison& comparison_;
  std::map<Cause, std::vector<std::size_t>> granted_, caused_;
  mutable std::map<std::pair<std::size_t, Ask>, Difference> known_;
};

struct Context {
  Context(const model::Policy& policy, const model::Target& target, const MountTree& tree, const Runtime& runtime);

  const model::Policy& policy;
  const model::Target& target;
  const MountTree& tree;
  const Runtime& runtime;
  const Comparison comparison;
  const ShapedRules rules;
  const Mounts mounts;
  const bool memory_files;               ///< the rules permit memfd_create
  const std::vector<bool> shown_mounts;  ///< for each mount of `run`: something of it is shown
};

Capability hold_file(const Context& c, const model::Fact& fact);
Capability hold_unix(const Context& c, const model::Fact& fact);
Capability hold_mount(const Context& c, const model::Fact& fact);
/// Facts of the other blocks: capability, env, limit, user, mode; Elsewhere for what is no business of the container's.
Capability hold_other(const Context& c, const model::Fact& fact);
/// What the rules permit and the mounts that `cause` brought take away: first of all a directory that can't be removed.
Difference lost_by(const Context& c, const Cause& cause);
std::vector<DerivedGrant> derived_grants(const Context& c);

std::string quoted(const std::string& path);  ///< as in a policy

}  // namespace agp::backends::containers
