#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace agp::analysis {

/// The fewest elements such that each of the lists has one of them. Exact while the search stays small (as it does for
/// up to some twenty elements that matter); else a choice from which no element can be left out. Ties go to the smaller
/// elements. Empty when there is no list; lists must not be empty.
std::vector<std::uint32_t> smallest_cover(std::vector<std::vector<std::uint32_t>> lists);

}  // namespace agp::analysis
