#pragma once
#include <cstdint>
#include <vector>

#include "backends/seccomp/emit/diagram.hpp"

namespace agp::backends::seccomp {

/// System-call numbers with one outcome, inclusive; a list covers all 32-bit numbers in order.
struct NumberRange {
  std::uint32_t first = 0, last = 0;
  Diagram::Ref to = Diagram::no;
  std::uint32_t weight = 0;        ///< how often its numbers are expected
  std::vector<std::size_t> calls;  ///< indices into Decisions::calls
};

/// One test of the tree over numbers: `number >= k` or `number == k`.
struct NumberTest {
  bool equal = false;
  std::uint32_t k = 0;
  int yes = 0, no = 0;              ///< another test's index, or ~index of a range
  std::size_t first = 0, last = 0;  ///< the ranges below it, inclusive
};

struct NumberTree {
  std::vector<NumberTest> tests;
  int root = 0;  ///< as NumberTest::yes
};

/// The tree with the least weighted number of tests among those that split the ranges by `>=`, or take one number out
/// of a range around it by `==`. O(n^3) for n ranges.
NumberTree number_tree(const std::vector<NumberRange>& ranges);

}  // namespace agp::backends::seccomp
