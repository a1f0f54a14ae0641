#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/model/path_pattern.hpp"

/// Paths cut into cells by patterns: one automaton over components for all patterns together. Every pattern either
/// matches all paths of a cell or none.
namespace agp::model {

struct PathCell {
  std::uint32_t parent = 0;            ///< the cell of the directory; the first cell is its own
  std::uint32_t depth = 0;             ///< components of the shortest path
  std::string component;               ///< the last one of the shortest path
  std::vector<std::uint32_t> matched;  ///< patterns whose `matches` holds, ascending
  std::vector<std::uint32_t> listed;   ///< patterns whose `matches_list` holds, ascending
  std::vector<std::uint32_t> unnamed;  ///< the cells of entries whose name no pattern spells out in this directory
};

struct PathCells {
  std::vector<PathCell> cells;                  ///< breadth first; the first is "/", and may be matched by nothing
  std::string witness(std::size_t cell) const;  ///< a path of the cell with as few components as any
};

/// Nothing when more than `limit` cells, or an amount of work in proportion to it, would be needed. Patterns that are
/// literal but for a last `**` need one cell a directory and one a subtree: linear. k patterns with `**` in the middle
/// multiply the cells beneath them by up to k.
std::optional<PathCells> path_cells(std::span<const PathPattern* const> patterns, std::size_t limit = 2'000'000);

}  // namespace agp::model
