#pragma once
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/analysis/space.hpp"
#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::lint {

/// One reach: a set of actions of which a policy should permit nothing. The set is what a fragment of the library
/// denies.
struct ReachRow {
  const diagnostics::Kind* kind;
  std::string_view guard;  ///< `std.guard.git.hooks`
  bool rooted;             ///< the guard protects one project: the lint asks about every directory
  analysis::Sort sort;
  model::Verbs verbs;    ///< of Sort::File: which of the guard's verbs
  std::string_view why;  ///< goes on after "permits `…`: "
  enum class When : unsigned char {
    Always,
    Process,   ///< only without a process namespace of its own
    Named,     ///< only where the granting pattern spells the program out
    Unnamed,   ///< not where the granting pattern lies wholly within the set: then the author has named it
    NotImage,  ///< not where the root file system is an image
  };
  When when = When::Always;
};

const std::vector<ReachRow>& reach_rows();

/// The fragments that lints ask for, and whether each has a root.
std::vector<std::pair<std::string_view, bool>> guards_in_use();

}  // namespace agp::lint
