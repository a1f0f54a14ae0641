#pragma once
#include <span>
#include <string>
#include <vector>

#include "compiler/model/path_pattern.hpp"

namespace agp::model {

/// All paths cut into classes on which a set of patterns is constant. In: patterns. Out: for every combination of
/// patterns that some path matches, one path at least that matches exactly these; so a question about all paths, of
/// which each path's answer depends only on the patterns that match it, is a walk over the classes.
struct PathClass {
  std::string path;        ///< a short one of the class
  std::vector<bool> hits;  ///< which patterns match it, in the order given
};
struct PathClasses {
  std::vector<PathClass> classes;  ///< in path order: a directory before what lies in it
  bool exhausted = false;          ///< `state_limit` was reached and a class may be missing: treat as unknown
};

/// Nodes and subtrees cost a step for each directory on the way to them; only patterns of other shapes are explored as
/// automata, and only beneath the directory up to their first wildcard. `as_list[i]` (if given): `matches_list` for
/// pattern i. `state_limit` bounds the automata's states over all places together, and two hundred times as many steps.
PathClasses path_classes(std::span<const PathPattern* const> patterns, std::span<const bool> as_list = {},
                         std::size_t state_limit = 200000);

/// The directory of a pattern up to its first component that is not literal; the pattern's own path for a node.
std::string literal_directory(const PathPattern& pattern);

}  // namespace agp::model
