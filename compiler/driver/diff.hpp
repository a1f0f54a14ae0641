#pragma once
#include "compiler/analysis/difference.hpp"
#include "compiler/driver/driver.hpp"

namespace agp::driver {

/// One policy in both versions. A policy that only one side has is compared with one that permits nothing.
struct PolicyDiff {
  std::string name;
  bool added = false, removed = false;
  analysis::Difference difference;
};
struct DiffReport {
  std::vector<PolicyDiff> policies;  ///< by name
  bool resolved = false;             ///< false: an input has errors, which are in its session's sink
  bool wider() const;
};

/// `before` and `after` are sessions of their own: each has its own root and its own files. Policies are paired by
/// name. Only what keeps an input from resolving stops it (AGP0xxx, AGP1xxx).
DiffReport diff(Session& before, const std::string& old_path, Session& after, const std::string& new_path);

}  // namespace agp::driver
