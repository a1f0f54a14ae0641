#pragma once
#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "backends/seccomp/emit/two_way.hpp"

namespace agp::backends::seccomp {

/// Of weights, and a little for each instruction.
using Cost = std::uint32_t;

/// What is asked first. `at`: of a split in a window the pieces before it, else the last of them; the piece of an
/// equality; the bits. Trim: the first (0) or last (1) piece is a hole, so this is the interval without it.
struct Choice {
  enum class Kind : std::uint8_t { Leaf, Split, Equal, Bits, Trim } kind = Kind::Leaf;
  std::uint16_t at = 0;
};

/// At most `window` neighbouring pieces, some of them taken out: a bit for each that is left, bit 0 for `first`.
struct Few {
  std::uint32_t first = 0, left = 0;

  Few(std::size_t i, unsigned pieces)
      : first(static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(std::countr_zero(pieces))),
        left(pieces >> std::countr_zero(pieces)) {}
  Few only(unsigned pieces) const { return {first, left & pieces}; }
  std::pair<Few, Few> split(std::size_t s) const { return {only((1u << s) - 1), {first, left >> s << s}}; }
};

/// Few pieces, with any subset of their narrow ones taken out, solved when they are asked for. (A wide piece is never
/// taken out: an equality takes out one value, and bits don't part wide pieces from others.)
class Windows {
 public:
  Windows(std::span<const Piece> pieces, const std::vector<Cost>& weights, Cost instruction);
  Cost cost(const Few& f) { return solved(f.first, f.left).cost; }
  Choice choice(const Few& f) { return solved(f.first, f.left).choice; }

  /// The pieces that a test for bits takes: those whose values have one of them. (The others have none.)
  unsigned with(const Few& f, std::uint32_t mask) const;

 private:
  static constexpr std::uint32_t few_values = 4;
  static constexpr Cost unknown = ~Cost{0};
  struct Solution {
    Cost cost;
    Choice choice;
  };

  /// Every window that begins at a piece has its own states: those with that piece left.
  const Solution& solved(std::size_t first, unsigned left) {
    Solution& s = known_[(first << (window - 1)) + (left >> 1)];
    if (s.cost == unknown) s = solve(first, left);
    return s;
  }
  static std::vector<Solution>& kept();
  Solution solve(std::size_t first, unsigned left);

  std::span<const Piece> pieces_;
  Cost instruction_;
  std::vector<Solution>& known_;
  struct Known {
    std::uint64_t some = 0, none = 0;  ///< masks, as bits: those with a bit that every value has, that no value has
    std::uint32_t outcome = 0;
    Cost weight = 0;
    std::uint8_t single = 0, narrow = 0;  ///< of the pieces from this one on: those of one value, of few
  };
  std::vector<Known> by_piece_;
};

}  // namespace agp::backends::seccomp
