#pragma once
#include "backends/backend.hpp"
#include "backends/containers/holds/holds.hpp"
#include "backends/containers/mounts/difference.hpp"
#include "backends/containers/mounts/mount_tree.hpp"

namespace agp::backends::containers {

struct Context {
  const model::Policy& policy;
  const model::Target& target;
  const MountTree& tree;
  const Comparison& comparison;
  const Runtime& runtime;
};

Capability hold_file(const Context& c, const model::Fact& fact);
Capability hold_unix(const Context& c, const model::Fact& fact);
Capability hold_mount(const Context& c, const model::Fact& fact);
/// Facts of the other blocks: capability, env, limit, user, mode; Elsewhere for what is no business of the container's.
Capability hold_other(const Context& c, const model::Fact& fact);
/// The first mount, among those for which `which` holds, on whose root or beneath which the question has an answer.
Difference in_mounts(const Context& c, const std::function<bool(const TreeMount&)>& which, const Question& question);
/// What the rules permit and the mounts that `cause` brought take away: first of all a directory that can't be removed.
Difference lost_by(const Context& c, const Cause& cause);
bool contains(const std::vector<Cause>& list, const Cause& cause);
std::vector<DerivedGrant> derived_grants(const Context& c);

std::string quoted(const std::string& path);  ///< as in a policy

}  // namespace agp::backends::containers
