#include "compiler/model/argument_cells.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/analysis/cover.hpp"
#include "compiler/model/count.hpp"
#include "tests/unit/analysis/universe.hpp"

namespace agp {
namespace {

using namespace model;

/// Conditions with masks, sets and unclassified widths, against `holds` on values around every constant.
TEST(ArgumentCells, AgreeWithHolds) {
  analysis_test::Random random(3);
  const std::uint64_t masks[] = {~0ull, 0xffffffff, 0xffff, 0, 0xf0f0};
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t mask = masks[analysis_test::below(random, 5)];
    const bool classified = mask != ~0ull || analysis_test::below(random, 2) == 0;
    std::vector<std::vector<ArgTest>> tests(1 + analysis_test::below(random, 4));
    std::vector<std::uint64_t> constants = {0, ~0ull};
    for (auto& list : tests)
      for (std::size_t n = 1 + analysis_test::below(random, 2); n-- > 0;) {
        ArgTest t;
        t.op = static_cast<ArgTest::Op>(analysis_test::below(random, 8));
        const auto value = [&] { return (random() & 0x1f) << (analysis_test::below(random, 3) * 16); };
        t.values = {value()};
        if (t.op == ArgTest::Op::In) {
          t.values.push_back(value());
          std::sort(t.values.begin(), t.values.end());
          t.values.erase(std::unique(t.values.begin(), t.values.end()), t.values.end());
        }
        if (t.op == ArgTest::Op::Masked) t.mask = (random() & 0x1f) << (analysis_test::below(random, 3) * 16);
        constants.insert(constants.end(), t.values.begin(), t.values.end());
        list.push_back(t);
      }
    std::vector<ArgumentUse> uses;
    for (const auto& list : tests) {
      ArgumentUse use{{}, analysis_test::below(random, 2) == 0};
      for (const ArgTest& t : list) use.tests.push_back(&t);
      uses.push_back(use);
    }
    const auto cells = argument_cells(uses, mask, classified);
    ASSERT_TRUE(cells);
    const auto key = [&](std::uint64_t x) {
      std::vector<std::uint32_t> in;
      for (std::uint32_t u = 0; u < uses.size(); ++u)
        if (std::all_of(uses[u].tests.begin(), uses[u].tests.end(),
                        [&](const ArgTest* t) { return holds(*t, x, mask, classified, uses[u].refuses); }))
          in.push_back(u);
      return in;
    };
    Bits128 all = 0;
    for (const ArgumentCell& cell : *cells) {
      EXPECT_EQ(key(cell.witness), cell.uses);
      all += cell.size;
    }
    EXPECT_TRUE(all == static_cast<Bits128>(1) << __builtin_popcountll(mask));
    for (const std::uint64_t c : constants)
      for (const std::uint64_t x :
           {c, c - 1, c + 1, c ^ 0x10, c | std::uint64_t{1} << 32, c | std::uint64_t{1} << 63, std::uint64_t{random()}})
        EXPECT_TRUE(std::any_of(cells->begin(), cells->end(), [&](const auto& cell) { return cell.uses == key(x); }));
    ASSERT_FALSE(HasFailure());
  }
}

/// The least value and the size of a cell are exact: 2^64 values but two.
TEST(ArgumentCells, CountsAllSixtyFourBits) {
  ArgTest t;
  t.op = ArgTest::Op::Masked;
  t.mask = 1ull << 63;
  t.values = {1ull << 63};
  ArgTest not_it;
  not_it.op = ArgTest::Op::Ne;
  not_it.values = {1ull << 63};
  const ArgumentUse uses[] = {{{&t, &not_it}, true}};
  const auto cells = argument_cells(uses, ~0ull, true);
  ASSERT_TRUE(cells);
  ASSERT_EQ(cells->size(), 2u);
  EXPECT_EQ((*cells)[1].witness, (1ull << 63) + 1);
  EXPECT_TRUE((*cells)[1].size == (1ull << 63) - 1);
}

TEST(Count, IsExact) {
  const Count all = Count::power_of_two(128) * Count(65535);
  EXPECT_EQ(all.decimal(), "22300404916163702203072254898040929737768960");
  EXPECT_EQ(all.text(), "2^144.0");
  EXPECT_EQ(Count::power_of_two(32).text(), "2^32");
  EXPECT_EQ(Count::parse(all.decimal()), all);
  EXPECT_EQ((all - all).decimal(), "0");
  EXPECT_LT(Count(7), all);
}

TEST(Cover, IsSmallest) {
  // greedy takes 1 first and needs three
  EXPECT_EQ(analysis::smallest_cover({{1, 2}, {1, 3}, {1, 2}, {2, 4}, {3, 5}, {1, 2, 3}}).size(), 2u);
  EXPECT_TRUE(analysis::smallest_cover({}).empty());
}

}  // namespace
}  // namespace agp
