#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/analysis/space.hpp"

namespace agp::analysis {

/// Name and number: `connect`, `read nodes`, `read subtrees at depth 1`, …
using CountRow = std::pair<std::string, model::Count>;

/// How much a policy permits (`ask` counts), as exact numbers that only grow when something more is permitted.
struct Permissiveness {
  model::Count connect;    ///< protocol × address × port, without a name
  model::Count listen;     ///< the same × peers
  model::Count names;      ///< names and `*.` that resolve
  model::Count calls;      ///< system calls of which some arguments are permitted, per architecture
  model::Count arguments;  ///< argument values permitted, over all calls: six registers, the bits the kernel looks at
  model::Count capabilities, variables, tools;  ///< variables and tools: patterns that have something left to permit
  /// By verb (`read`, `list`, `exec`, `modify`, `create`, `delete`), by depth of the directory: subtrees of which
  /// entries that no rule spells out are permitted, each counted where it begins.
  std::map<std::string, std::vector<std::uint64_t>> subtrees;
  std::map<std::string, std::uint64_t> nodes;  ///< by verb: permitted paths outside of those subtrees
  std::vector<Sort> undecided;

  std::vector<CountRow> rows() const;  ///< in a fixed order
};

/// Of the cells that are permitted, for a space that has rules of several policies, say; of one that has one policy's.
Permissiveness permissiveness(const Space& space, const std::vector<bool>& permitted);
Permissiveness permissiveness(const Space& space);

/// The cells that a policy permits, whose rules are `first` up to `last` of the space: 0 deny, 1 ask, 2 allow.
std::vector<std::uint8_t> decisions(const Space& space, std::size_t first, std::size_t last);

}  // namespace agp::analysis
