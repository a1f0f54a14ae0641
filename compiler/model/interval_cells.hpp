#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/model/address.hpp"
#include "compiler/model/intervals.hpp"

/// Numbers cut into cells by intervals: all numbers that lie in the intervals of exactly these owners.
namespace agp::model {

using Numbers = std::vector<intervals::Interval<Bits128>>;  ///< disjoint, ascending

struct OwnedInterval {
  Bits128 first = 0, last = 0;  ///< inclusive
  std::uint32_t owner = 0;
};
struct IntervalCell {
  Numbers numbers;
  std::vector<std::uint32_t> owners;  ///< ascending; never empty
};

/// One cell for each set of owners that occurs, in the order of its smallest number. An owner's own intervals may touch
/// and overlap. `work` is counted down by the owners of every piece; nothing when it would go below zero: n intervals
/// that all overlap have n² owners of pieces. O(n log n) while few overlap.
std::optional<std::vector<IntervalCell>> interval_cells(std::span<const OwnedInterval> owned, std::size_t& work);

Bits128 size_of(const Numbers& numbers);  ///< saturates at 2^128 - 1

}  // namespace agp::model
