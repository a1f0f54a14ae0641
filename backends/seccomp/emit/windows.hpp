#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "backends/seccomp/emit/memo.hpp"
#include "backends/seccomp/emit/two_way.hpp"

namespace agp::backends::seccomp {

/// Of weights, and a little for each instruction.
using Cost = std::uint32_t;

/// More than any tree costs; the sum of two fits.
inline constexpr Cost impossible = 1u << 30;

/// Of a tree: 0 where no bounded piece is in it, else one more than the tests before the deepest one.
using Height = std::uint8_t;
inline constexpr Height any_height = 255;
inline Height below(Height most) { return most == any_height ? most : static_cast<Height>(most - 1); }
inline Height one_over(Height a, Height b) {
  return static_cast<Height>(std::max(a, b) + (std::max(a, b) != 0 ? 1 : 0));
}

/// What is asked first. `at`: of a split in a window the pieces before it, else the last of them; the piece of an
/// equality; the bits. Trim: the first (0) or last (1) piece is a hole, so this is the interval without it. Comb: single
/// values are asked about one by one until the rest is alike.
struct Choice {
  enum class Kind : std::uint8_t { Leaf, Split, Equal, Bits, Trim, Comb } kind = Kind::Leaf;
  Height height = 0;
  std::uint16_t at = 0;
};
struct Solution {
  Cost cost = 0;
  Choice choice;
};

/// Pieces, with what the search has made of their weights.
struct List {
  std::vector<Piece> pieces;
  std::vector<Cost> weights;
  std::vector<Height> heights;  ///< of a bounded piece 1; of one that stands for a tree, its least

  std::size_t size() const { return pieces.size(); }
  void add(const Piece& p, Cost weight, Height height) {
    pieces.push_back(p);
    weights.push_back(weight);
    heights.push_back(height);
  }
};

/// Builds what a piece leads to, no higher than asked, and says where it is, as Test::yes.
using Leaf = std::function<int(std::size_t piece, Height most)>;
inline int push(Tree& out, const Test& t) {
  out.tests.push_back(t);
  return static_cast<int>(out.tests.size() - 1);
}

/// At most `window` neighbouring pieces, some of them taken out: a bit for each that is left, bit 0 for `first`.
struct Few {
  std::uint32_t first = 0, left = 0;

  Few(std::size_t i, unsigned pieces)
      : first(static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(std::countr_zero(pieces))),
        left(pieces >> std::countr_zero(pieces)) {}
  Few only(unsigned pieces) const { return {first, left & pieces}; }
  std::pair<Few, Few> split(std::size_t s) const { return {only((1u << s) - 1), {first, left >> s << s}}; }
};

/// Few pieces, with any subset of their single values taken out, solved when they are asked for.
class Windows {
 public:
  /// Memory that its owner keeps from one search to the next.
  struct Kept {
    std::vector<Solution> known;
    Memo<Solution> bounded;
  };
  Windows(const List& list, Cost instruction, Kept& kept);
  Solution best(const Few& f) { return solved(f.first, f.left); }
  /// The best that is no higher.
  Solution best(const Few& f, Height most) { return within(f.first, f.left, most); }

  /// The height of a full tree, or what is least beyond it.
  Height lowest(const Few& f);
  int build(const Few& f, Height most, const Leaf& leaf, Tree& out);

 private:
  static constexpr Cost unknown = ~Cost{0};

  /// Every window that begins at a piece has its own states: those with that piece left.
  const Solution& solved(std::size_t first, unsigned left) {
    Solution& s = known_[(first << (window - 1)) + (left >> 1)];
    if (s.cost == unknown) s = solve(first, left);
    return s;
  }
  /// The pieces that a test for bits takes: those whose values have one of them. (The others have none.)
  unsigned with(const Few& f, std::uint32_t mask) const;
  Solution within(std::size_t first, unsigned left, Height most);
  Solution solve(std::size_t first, unsigned left);
  template <class Behind>
  Solution solve(std::size_t first, unsigned left, Height most, const Behind& behind);

  std::span<const Piece> pieces_;
  Cost instruction_;
  std::vector<Solution>& known_;
  Memo<Solution>& bounded_;  ///< those that are higher by themselves
  struct Known {
    std::uint64_t some = 0, none = 0;  ///< masks, as bits: those with a bit that every value has, that no value has
    std::uint32_t outcome = 0;
    Cost weight = 0;
    std::uint8_t single = 0;  ///< of the pieces from this one on: those of one value
    Height height = 0;
  };
  std::vector<Known> by_piece_;
};

}  // namespace agp::backends::seccomp
