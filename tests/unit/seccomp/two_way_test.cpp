#include "backends/seccomp/emit/two_way.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <random>

#include "tests/unit/seccomp/optimum.hpp"
#include "tests/unit/seccomp/way.hpp"

// The tree over numbers: what it answers, and how near it is to the best one.
namespace agp::test {
namespace {

using backends::seccomp::Piece;
using backends::seccomp::Tree;
using Kind = backends::seccomp::Test::Kind;

/// Mostly short pieces, as a table of system calls has them; the last one is everything else.
std::vector<Piece> random_pieces(std::mt19937_64& random, std::size_t n, unsigned outcomes) {
  std::vector<Piece> out;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t length = random() % 2 == 0 ? 1 : static_cast<std::uint32_t>(random() % 9 + 1);
    out.push_back({next, next + length - 1, static_cast<std::uint32_t>(random() % outcomes),
                   random() % 8 == 0 ? random() % 1000 : random() % 20});
    next += length;
  }
  out.back().last = 0xffffffff;
  return out;
}

TEST(TwoWay, EveryValueEndsAtItsOutcome) {
  std::mt19937_64 random(5);
  for (int n = 0; n < 300; ++n) {
    const std::size_t most = n % 50 == 0 ? 4000 : 180;  // what is left of a very long list is long again
    const auto pieces = random_pieces(random, random() % most + 1, 2 + n % 3);
    const Tree tree = backends::seccomp::two_way_tree(pieces);
    for (const Piece& p : pieces)
      for (const std::uint32_t value : {p.first, p.first + (p.last - p.first) / 2, p.last})
        ASSERT_EQ(pieces[way(tree, value).piece].outcome, p.outcome) << value << " of tree " << n;
  }
}

/// The least weighted number of `>=` and `==` tests over every subset of pieces that some tests can leave, each test
/// costing `price` besides.
class Optimum {
 public:
  explicit Optimum(const std::vector<Piece>& pieces, std::uint64_t price = 0)
      : pieces_(pieces), price_(price), cost_(std::size_t{1} << pieces.size(), ~0ull) {}
  std::uint64_t of(std::uint32_t left) {
    if (left == 0) return 0;
    std::uint64_t& known = cost_[left];
    if (known != ~0ull) return known;
    std::uint64_t weight = 0, best = ~0ull;
    bool uniform = true;
    for (std::uint32_t rest = left; rest != 0; rest &= rest - 1) {
      const Piece& p = pieces_[static_cast<std::size_t>(std::countr_zero(rest))];
      weight += p.weight;
      uniform &= p.outcome == pieces_[static_cast<std::size_t>(std::countr_zero(left))].outcome;
    }
    if (uniform) return known = 0;
    for (std::size_t k = 0; k < pieces_.size(); ++k) {
      const std::uint32_t below = left & ((1u << k) - 1), one = left & 1u << k;
      if (below != 0 && below != left) best = std::min(best, of(below) + of(left & ~below));
      if (one != 0 && one != left && pieces_[k].first == pieces_[k].last) best = std::min(best, of(left & ~one));
    }
    return known = best + weight + price_;
  }

 private:
  const std::vector<Piece>& pieces_;
  std::uint64_t price_;
  std::vector<std::uint64_t> cost_;
};

std::uint64_t weighted_tests(const std::vector<Piece>& pieces, const Tree& tree) {
  std::uint64_t cost = 0;
  for (const Piece& p : pieces) cost += p.weight * way(tree, p.first).instructions;
  return cost;
}

TEST(TwoWay, IsNearTheOptimum) {
  std::mt19937_64 random(6);
  double ours = 0, best = 0, mean = 0, least_mean = 0;
  for (int n = 0; n < 150; ++n) {
    const auto pieces = random_pieces(random, random() % 9 + 5, 2);
    const Tree tree = backends::seccomp::two_way_tree(pieces);
    std::uint64_t total = 0;
    for (const Piece& p : pieces) total += p.weight;
    const std::uint64_t price = total / backends::seccomp::instruction_share;
    const std::uint64_t cost = weighted_tests(pieces, tree);
    const std::uint32_t all = (1u << pieces.size()) - 1;
    const std::uint64_t priced = cost + price * tree.tests.size(), least = Optimum(pieces, price).of(all);
    EXPECT_LE(static_cast<double>(priced), 1.1 * static_cast<double>(least) + 10) << "tree " << n;
    ours += static_cast<double>(priced);
    best += static_cast<double>(least);
    mean += static_cast<double>(cost);
    least_mean += static_cast<double>(Optimum(pieces).of(all));
  }
  EXPECT_LE(ours, 1.005 * best) << "tests and instructions together";
  EXPECT_LE(mean, 1.05 * least_mean) << "instructions saved may cost a little";
}

/// Weights as counts of calls have them: the k-th most frequent about 1/k of the first, the rest next to nothing.
TEST(TwoWay, LongListsAreWithinFivePercentOfTheOptimum) {
  std::mt19937_64 random(11);
  for (int n = 0; n < 8; ++n) {
    auto pieces = random_pieces(random, 45 + random() % 30, 2);
    for (std::size_t p = 0; p < pieces.size(); ++p) pieces[p].outcome = p % 2;  // maximal ranges
    std::vector<std::size_t> order(pieces.size() / 2);
    for (std::size_t p = 0; p < order.size(); ++p) order[p] = 2 * p + 1;
    std::shuffle(order.begin(), order.end(), random);
    for (auto& p : pieces) p.weight = 0;
    for (std::size_t k = 0; k < order.size(); ++k) pieces[order[k]].weight = 1'000'000 / (k * k + 1) + 200;
    const auto cost = static_cast<double>(weighted_tests(pieces, backends::seccomp::two_way_tree(pieces)));
    EXPECT_LE(cost, 1.05 * static_cast<double>(interval_optimum(pieces, 8))) << "list " << n;
  }
}

/// As many as several tables have; a call is the tests, two loads, a compare and a return.
TEST(TwoWay, ListsThatAreNotPlannedWholeAreNearTheOptimum) {
  std::mt19937_64 random(13);
  for (int n = 0; n < 4; ++n) {
    auto pieces = random_pieces(random, 150, 2);
    for (std::size_t p = 0; p < pieces.size(); ++p) pieces[p] = {pieces[p].first, pieces[p].last, p % 2 != 0, 0};
    std::uint64_t total = 0;
    for (std::size_t k = 0; k < 60; ++k) {
      const std::size_t p = random() % 74 * 2 + 1;
      const std::uint64_t weight = 1'000'000 / (k * k + 1) + 200;
      pieces[p].weight += weight;
      total += weight;
    }
    const std::uint64_t cost = weighted_tests(pieces, backends::seccomp::two_way_tree(pieces)) + 4 * total;
    EXPECT_LE(static_cast<double>(cost), 1.05 * static_cast<double>(interval_optimum(pieces, 8) + 4 * total))
        << "list " << n;
  }
}

/// The best tree of these lists is deeper; parts of it made anew until it fits are up to 11% from the optimum.
TEST(TwoWay, ABoundCostsLittleMoreThanItMust) {
  std::mt19937_64 random(14);
  for (int n = 0; n < 12; ++n) {
    auto pieces = random_pieces(random, 50 + random() % 20, 2);
    for (std::size_t p = 0; p < pieces.size(); ++p) pieces[p] = {pieces[p].first, pieces[p].last, p % 2 != 0, 0};
    std::uint64_t total = 0;
    for (std::size_t k = 0; k < 15; ++k) {
      const std::uint64_t weight = 1'000'000 / (k * k + 1);
      pieces[random() % (pieces.size() / 2) * 2 + 1].weight += weight;
      total += weight;
    }
    const backends::seccomp::Bound bound{1, 8};
    const Tree tree = backends::seccomp::two_way_tree(pieces, bound);
    for (const Piece& p : pieces) {
      if (p.outcome == bound.outcome) {
        EXPECT_LE(way(tree, p.first).instructions, bound.tests) << p.first << " of list " << n;
      }
    }
    EXPECT_GT(interval_optimum(pieces, 8, bound), interval_optimum(pieces, 8)) << "list " << n << " is no case";
    EXPECT_LE(static_cast<double>(weighted_tests(pieces, tree) + 4 * total),
              1.05 * static_cast<double>(interval_optimum(pieces, 8, bound) + 4 * total))
        << "list " << n;
  }
}

TEST(TwoWay, NoWantedPieceIsFartherThanAsked) {
  std::mt19937_64 random(12);
  for (int n = 0; n < 60; ++n) {
    auto pieces = random_pieces(random, 20 + random() % 100, 3);
    for (auto& p : pieces) p.weight = random() % 6 == 0 ? std::uint64_t{1} << random() % 30 : 0;
    const Tree tree = backends::seccomp::two_way_tree(pieces, {1, 10});
    for (const Piece& p : pieces)
      for (const std::uint32_t value : {p.first, p.first + (p.last - p.first) / 2, p.last}) {
        const Way w = way(tree, value);
        ASSERT_EQ(pieces[w.piece].outcome, p.outcome) << value << " of tree " << n;
        if (p.outcome == 1) {
          EXPECT_LE(w.instructions, 10u) << value << " of tree " << n;
        }
      }
  }
}

TEST(TwoWay, AHeavyValueIsAskedFirst) {
  const std::vector<Piece> pieces = {{0, 41, 0, 10},   {42, 42, 0, 1000}, {43, 99, 0, 10},
                                     {100, 120, 1, 5}, {121, 200, 0, 5},  {201, 0xffffffff, 1, 0}};
  EXPECT_EQ(way(backends::seccomp::two_way_tree(pieces), 42).instructions, 1u);
}

TEST(TwoWay, SingleValuesOfALongIntervalTakeATestEach) {
  // Nine of them: a split between two would be a test more, and windows have seven pieces.
  std::vector<Piece> pieces;
  for (std::uint32_t i = 0; i < 9; ++i) {
    pieces.push_back({20 * i, 20 * i + 9, 1, 0});
    pieces.push_back({20 * i + 10, 20 * i + 10, 0, 0});
    pieces.push_back({20 * i + 11, 20 * i + 19, 1, 0});
  }
  pieces.back().last = 0xffffffff;
  EXPECT_EQ(backends::seccomp::two_way_tree(pieces).tests.size(), 9u);
}

TEST(TwoWay, TwoValuesSideBySideAreTakenOutOneByOne) {
  const std::vector<Piece> pieces{{0, 9, 0, 0}, {10, 10, 2, 0}, {11, 11, 1, 0}, {12, 0xffffffff, 0, 0}};
  EXPECT_EQ(backends::seccomp::two_way_tree(pieces).tests.size(), 2u);
}

}  // namespace
}  // namespace agp::test
