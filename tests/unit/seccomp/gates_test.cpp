#include "backends/seccomp/emit/gates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "backends/seccomp/emit/sharing.hpp"
#include "tests/unit/seccomp/way.hpp"

// Tests of bits that several intervals lead to: what the programs with them answer, and what they save.
namespace agp::test {
namespace {

using backends::seccomp::find_gates;
using backends::seccomp::gated_tree;
using backends::seccomp::gated_values;
using backends::seccomp::Piece;
using backends::seccomp::Tree;
using backends::seccomp::two_way_tree;

/// Maximal pieces of an outcome for each value; everything from the last one on is a piece.
template <class Outcome>
std::vector<Piece> pieces_of(std::uint32_t values, const Outcome& outcome) {
  std::vector<Piece> out;
  for (std::uint32_t v = 0; v < values; ++v)
    if (const std::uint32_t o = outcome(v); !out.empty() && out.back().outcome == o)
      out.back().last = v;
    else
      out.push_back({v, v, o, 0});
  out.push_back({values, 0xffffffff, 3, 0});
  return out;
}

/// As a list of calls that a policy names: some stand alone, some beside each other, few numbers have no call.
std::vector<Piece> random_pieces(std::mt19937_64& random, std::vector<std::uint64_t>& weights) {
  const std::uint32_t values = static_cast<std::uint32_t>(random() % 200 + 300);
  const unsigned share = static_cast<unsigned>(random() % 8 + 2);
  std::vector<std::uint32_t> outcomes;
  while (outcomes.size() < values) {
    const std::uint32_t o = random() % share == 0 ? 0 : random() % 40 == 0 ? 2 : 1;
    for (std::size_t n = random() % 3 == 0 ? random() % 12 + 1 : 1; n > 0; --n) outcomes.push_back(o);
  }
  auto out = pieces_of(values, [&](std::uint32_t v) { return outcomes[v]; });
  weights.assign(values, 0);
  for (std::uint32_t v = 0; v < values; ++v)
    if (outcomes[v] == 0) weights[v] = random() % 16 == 0 ? 1000 + random() % 20000 : random() % 100;
  for (Piece& p : out)
    for (std::uint32_t v = p.first; v <= p.last && v < values; ++v) p.weight += weights[v];
  return out;
}

std::uint64_t cost(const Tree& tree, const std::vector<std::uint64_t>& weights, std::uint64_t besides) {
  std::uint64_t out = 0;
  for (std::uint32_t v = 0; v < weights.size(); ++v) out += weights[v] * (way(tree, v).instructions + besides);
  return out;
}

TEST(Gates, WhatIntervalsHaveInCommonIsWrittenOnce) {
  // In five places whether a value has one of the bits 0 and 2; all else alternates in large steps.
  const std::uint32_t common[] = {8, 72, 136, 264, 392};
  const auto pieces = pieces_of(460, [&](std::uint32_t v) -> std::uint32_t {
    for (const std::uint32_t c : common)
      if (v >= c && v < c + 16) return (v & 5) != 0 ? 0 : 1;
    return v / 64 % 2;
  });
  const std::vector<std::uint64_t> weights(460, 1);
  const Tree with = gated_tree(pieces, weights, {}), without = two_way_tree(pieces);
  ASSERT_GE(with.gates, 1u);
  EXPECT_EQ(with.tests.front().k, 5u);
  EXPECT_LE(with.tests.size(), 18u) << "two ends of each place, six steps, the end of the table, and a gate";
  EXPECT_GE(without.tests.size(), 22u);
}

TEST(Gates, SingleValuesThatAreAlikeAreOneTest) {
  // Every sixteenth value of a stretch; nothing else in common.
  const auto pieces = pieces_of(400, [](std::uint32_t v) -> std::uint32_t {
    return v < 100 ? v / 50 : v < 300 ? (v % 16 == 11 ? 0 : 1) : v / 80 % 2;
  });
  const std::vector<std::uint64_t> weights(400, 1);
  const Tree tree = gated_tree(pieces, weights, {});
  ASSERT_GE(tree.gates, 1u);
  EXPECT_EQ(tree.tests.front().kind, backends::seccomp::Test::Kind::Masked);
  EXPECT_EQ(tree.tests.front().mask & 15u, 15u);
  EXPECT_LE(tree.tests.size(), 6u);
  EXPECT_GE(two_way_tree(pieces).tests.size(), 15u);
}

TEST(Gates, EveryValueEndsAtItsOutcome) {
  std::mt19937_64 random(21);
  int gated = 0, saved = 0;
  for (int n = 0; n < 150; ++n) {
    std::vector<std::uint64_t> weights;
    const auto pieces = random_pieces(random, weights);
    const Tree tree = gated_tree(pieces, weights, {}), without = two_way_tree(pieces);
    for (std::uint32_t v = 0; v < pieces.back().first + 40; ++v) {
      const auto piece = std::find_if(pieces.begin(), pieces.end(), [v](const Piece& p) { return v <= p.last; });
      ASSERT_EQ(pieces[way(tree, v).piece].outcome, piece->outcome) << v << " of tree " << n;
    }
    for (const std::uint32_t v : {0x40000000u, 0x400001ffu, 0x80000000u, 0xffffffffu})
      ASSERT_EQ(pieces[way(tree, v).piece].outcome, 3u) << v << " of tree " << n;
    // Four instructions a call takes anyway; and as many tests as its piece's weight says, at least.
    const auto otherwise = static_cast<double>(cost(without, weights, 4));
    double least = 0, total = 0;
    for (const Piece& p : pieces) total += static_cast<double>(p.weight);
    for (const Piece& p : pieces)
      if (const auto w = static_cast<double>(p.weight); w > 0) least += w * (4 + std::log2(total / w));
    const auto shorter = static_cast<double>(without.instructions() - tree.instructions());
    EXPECT_LE(static_cast<double>(cost(tree, weights, 4)),
              std::max(otherwise * (1 + shorter / 256), 21 * least / 20) + 1)
        << "tree " << n;
    gated += tree.gates > 0;
    saved += tree.instructions() < without.instructions();
    EXPECT_LE(tree.instructions(), without.instructions()) << "tree " << n;
  }
  EXPECT_GE(gated, 40);
  EXPECT_GE(saved, 40);
}

TEST(Gates, NoneWhereOtherOutcomesAreFrequent) {
  // What they lengthen comes first: here a call that depends on its arguments.
  auto outcome = [](std::uint32_t v) -> std::uint32_t {
    return v == 250 ? 2 : v % 64 < 16 && v % 64 > 7 ? (v & 5) != 0 ? 0 : 1 : v / 64 % 2;
  };
  auto pieces = pieces_of(460, outcome);
  std::vector<std::uint64_t> weights(460, 100);
  const auto with = [&](std::uint64_t by_argument) {
    weights[250] = by_argument;
    for (Piece& p : pieces) {
      p.weight = 0;
      for (std::uint32_t v = p.first; v <= p.last && v < 460; ++v) p.weight += outcome(v) == 1 ? 0 : weights[v];
    }
    return gated_tree(pieces, weights, {}).gates;
  };
  EXPECT_GE(with(100), 1u);
  EXPECT_EQ(with(100'000), 0u);
}

TEST(Gates, EachOfThemIsReachedAndOnlyFromLaterTests) {
  std::mt19937_64 random(22);
  for (int n = 0; n < 100; ++n) {
    std::vector<std::uint64_t> weights;
    const auto pieces = random_pieces(random, weights);
    const Tree tree = gated_tree(pieces, weights, {});
    std::vector<int> to(tree.tests.size(), 0);
    for (std::size_t t = 0; t < tree.tests.size(); ++t)
      for (const int next : {tree.tests[t].yes, tree.tests[t].no})
        if (next >= 0) {
          ASSERT_LT(next, static_cast<int>(t)) << "tree " << n;
          ++to[static_cast<std::size_t>(next)];
        }
    for (std::size_t t = 0; t + 1 < tree.tests.size(); ++t) {
      EXPECT_GE(to[t], 1) << "test " << t << " of tree " << n;
      EXPECT_TRUE(to[t] == 1 || tree.is_gate(static_cast<int>(t))) << "test " << t << " of tree " << n;
    }
  }
}

TEST(Gates, TheBoundCountsThem) {
  std::mt19937_64 random(23);
  int gated = 0;
  for (int n = 0; n < 60; ++n) {
    std::vector<std::uint64_t> weights;
    const auto pieces = random_pieces(random, weights);
    if (pieces.size() > 100) continue;
    const Tree tree = gated_tree(pieces, weights, {0, 9});
    gated += tree.gates > 0;
    for (const Piece& p : pieces)
      for (std::uint32_t v = p.first; p.outcome == 0 && v <= p.last; ++v)
        ASSERT_LE(way(tree, v).instructions, 9u) << v << " of tree " << n;
  }
  EXPECT_GE(gated, 5);
}

TEST(Gates, NoValueBeyondTheirsIsBehindOne) {
  // Both outcomes go on beyond, and a piece is on both sides of the end.
  auto pieces = pieces_of(700, [](std::uint32_t v) -> std::uint32_t { return v > 480 && v < 560 ? 1 : (v & 3) != 0; });
  pieces.resize(112);
  pieces.back().last = 0xffffffff;
  const std::vector<std::uint64_t> weights(512, 1);
  for (const auto& g : {find_gates(pieces, weights), find_gates(pieces, {})}) {
    std::uint64_t next = 0;
    for (std::size_t p = 0; p < g.pieces.size(); ++p) {
      ASSERT_EQ(g.pieces[p].first, next);
      next = std::uint64_t{g.pieces[p].last} + 1;
      EXPECT_TRUE(g.pieces[p].outcome < g.first || g.pieces[p].last < gated_values);
      const Piece& from = pieces[g.within[p]];
      EXPECT_TRUE(from.first <= g.pieces[p].first && g.pieces[p].first <= from.last);
    }
    EXPECT_EQ(next, std::uint64_t{1} << 32);
  }
}

TEST(Gates, NothingToFind) {
  const std::vector<Piece> one{{0, 0xffffffff, 0, 1}}, two{{0, 9, 0, 5}, {10, 0xffffffff, 1, 0}};
  EXPECT_EQ(gated_tree(one, {}, {}).root, ~0);
  EXPECT_EQ(gated_tree(two, {}, {}).tests.size(), 1u);
  EXPECT_TRUE(find_gates(two, std::vector<std::uint64_t>(512, 0)).gates.empty());
}

TEST(NextOther, IsWhereABitChanges) {
  for (const std::uint32_t mask : {0u, 1u, 2u, 5u, 0x91u, 0x18u, 0x100u, 0xffffffffu, 0x80000000u})
    for (const std::uint32_t from : {0u, 1u, 7u, 8u, 0x90u, 0xffu, 0x1feu, 0x7ffffff0u, 0xfffffff0u, 0xffffffffu}) {
      std::uint64_t next = std::uint64_t{from} + 1;
      const std::uint64_t until = std::min<std::uint64_t>(std::uint64_t{from} + 4096, std::uint64_t{1} << 32);
      while (next < until && ((next & mask) != 0) == ((from & mask) != 0)) ++next;
      const std::uint64_t found = backends::seccomp::next_other(mask, from);
      if (next < until)
        EXPECT_EQ(found, next) << mask << " from " << from;
      else
        EXPECT_GE(found, until) << mask << " from " << from;
    }
}

}  // namespace
}  // namespace agp::test
