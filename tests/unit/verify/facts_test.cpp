#include "compiler/verify/facts.hpp"

#include <gtest/gtest.h>

#include <random>

namespace agp::verify {
namespace {

using Kind = model::FilterGraph::Node::Kind;
using Op = model::ArgTest::Op;

bool holds(Kind kind, std::uint32_t word, std::uint32_t value) {
  switch (kind) {
    case Kind::Eq:
      return word == value;
    case Kind::Gt:
      return word > value;
    case Kind::Ge:
      return word >= value;
    default:
      return (word & value) != 0;
  }
}

/// A small universe, so that values meet: 0 to 15, and the same moved to the top bits.
std::uint32_t value(std::mt19937& random) {
  const auto v = static_cast<std::uint32_t>(random() % 16);
  switch (random() % 4) {
    case 0:
      return v << 28;
    case 1:
      return ~v;
    default:
      return v;
  }
}

TEST(Facts, WhatIsLearnedFromATrueTestIsNeverWrong) {
  std::mt19937 random(4);
  static const Kind kinds[] = {Kind::Eq, Kind::Gt, Kind::Ge, Kind::Set};
  int decided = 0;
  for (int n = 0; n < 20000; ++n) {
    const std::uint32_t word = value(random);
    WordFacts facts;
    for (std::size_t k = random() % 6; k > 0; --k) {
      const Kind kind = kinds[random() % 4];
      const std::uint32_t mask = random() % 2 ? 0xffffffff : value(random), v = value(random);
      facts.learn(kind, mask, v, holds(kind, word & mask, v));
    }
    ASSERT_FALSE(facts.empty()) << word << " takes this path";
    for (int q = 0; q < 12; ++q) {
      const Kind kind = kinds[random() % 4];
      const std::uint32_t mask = random() % 2 ? 0xffffffff : value(random), v = value(random);
      const auto answer = facts.decide(kind, mask, v);
      if (!answer) continue;
      ++decided;
      ASSERT_EQ(*answer, holds(kind, word & mask, v))
          << std::hex << word << " kind " << static_cast<int>(kind) << " mask " << mask << " value " << v;
    }
  }
  EXPECT_GT(decided, 20000);
}

TEST(Facts, ATestOfThePolicyIsDecidedAsTheModelDoes) {
  std::mt19937 random(5);
  static const Kind kinds[] = {Kind::Eq, Kind::Gt, Kind::Ge, Kind::Set};
  static const Op ops[] = {Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::In, Op::Masked};
  static const std::uint64_t masks[] = {~0ull, 0xffffffff, 0xffff, 0, 0xffffffff00000000, 0xf0000000f};
  int decided = 0;
  for (int n = 0; n < 20000; ++n) {
    const std::uint64_t argument = value(random) | std::uint64_t{value(random)} << 32;
    Facts facts;
    for (const std::size_t word : {8u, 9u}) {
      const auto w = static_cast<std::uint32_t>(word == 8 ? argument : argument >> 32);
      for (std::size_t k = random() % 5; k > 0; --k) {
        const Kind kind = kinds[random() % 4];
        const std::uint32_t mask = random() % 2 ? 0xffffffff : value(random), v = value(random);
        facts[word].learn(kind, mask, v, holds(kind, w & mask, v));
      }
    }
    for (int q = 0; q < 8; ++q) {
      const auto wide = [&] {
        return random() % 2 ? std::uint64_t{value(random)} : value(random) | std::uint64_t{value(random)} << 32;
      };
      model::ArgTest test{2, ops[random() % 8], ~0ull, {wide()}};
      if (test.op == Op::Masked) test.mask = wide();
      if (test.op == Op::In) test.values.push_back(wide());
      const std::uint64_t mask = masks[random() % 6];
      const auto answer = decide(facts, test, mask);
      if (!answer) continue;
      ++decided;
      ASSERT_EQ(*answer, model::holds(test, argument, mask))
          << n << std::hex << ' ' << argument << " op " << static_cast<int>(test.op);
    }
  }
  EXPECT_GT(decided, 20000);
}

}  // namespace
}  // namespace agp::verify
