#pragma once
#include <cstdint>
#include <vector>

#include "backends/seccomp/emit/two_way.hpp"

namespace agp::test {

/// The least weighted number of `>=` and `==` tests that tell the outcomes of pieces apart, by dynamic programming over
/// every split of every interval with its heaviest single values taken out (Anderson, Kannan, Karloff, Ladner 2002), at
/// most `most_holes` of them; 2^60 where the bound can't be held. O(n^3 * most_holes) for n pieces, and that for each
/// test of a bound.
std::uint64_t interval_optimum(const std::vector<backends::seccomp::Piece>& pieces, std::size_t most_holes,
                               backends::seccomp::Bound bound = {});

}  // namespace agp::test
