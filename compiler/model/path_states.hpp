#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/model/path_pattern.hpp"

namespace agp::model {

/// The states of the product automaton over all patterns, each twice: as a pattern and as `matches_list` reads it. Each
/// state is given by the shortest text that leads to it: what a path can begin with, "" first. The set is inductive: it
/// has the initial state, and whatever character follows, the next one. Nothing past the limit.
std::optional<std::vector<std::string>> path_states(std::span<const PathPattern* const> patterns,
                                                    std::size_t limit = 20'000);

}  // namespace agp::model
