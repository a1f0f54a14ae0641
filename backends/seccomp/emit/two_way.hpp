#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace agp::backends::seccomp {

/// A run of 32-bit values with one outcome, inclusive. A list of pieces covers a range without holes, in order;
/// neighbours may have the same outcome.
struct Piece {
  std::uint32_t first = 0, last = 0;
  std::uint32_t outcome = 0;  ///< whatever the caller calls it
  std::uint64_t weight = 0;   ///< how often a value of it is expected; the sum of all is below 2^41
};

/// `value >= k`, `value == k`, `value & k` or `(value & mask) == k`. The last one takes two instructions and leads to
/// pieces only: the value is gone.
struct Test {
  enum class Kind : std::uint8_t { Ge, Eq, Set, Masked } kind = Kind::Ge;
  std::uint32_t k = 0;
  int yes = 0, no = 0;  ///< another test's index, or ~index of a piece
  std::uint32_t mask = ~std::uint32_t{0};

  std::size_t instructions() const { return kind == Kind::Masked ? 2 : 1; }
};

inline bool holds(const Test& t, std::uint32_t value) {
  switch (t.kind) {
    case Test::Kind::Ge:
      return value >= t.k;
    case Test::Kind::Set:
      return (value & t.k) != 0;
    default:
      return (value & t.mask) == t.k;
  }
}

/// Tests after those they lead to: the root, where there is one, is the last.
struct Tree {
  std::vector<Test> tests;
  int root = ~0;          ///< as Test::yes
  std::size_t gates = 0;  ///< so many of the first tests may be led to by several others (gates.hpp)

  bool is_gate(int test) const { return test >= 0 && static_cast<std::size_t>(test) < gates; }
  std::size_t instructions() const {
    std::size_t out = 0;
    for (const Test& t : tests) out += t.instructions();
    return out;
  }
};

/// No piece of `outcome` has more than `tests` before it, where that is possible.
struct Bound {
  std::uint32_t outcome = 0;
  std::size_t tests = ~std::size_t{0};
  /// Where pieces stand for tests behind the tree: for each piece their instructions before its last value of
  /// `outcome`, and one; 0 where it has none. The same for pieces of one outcome.
  std::span<const std::uint8_t> heights = {};
};

/// The tree with the least weighted number of tests, where an instruction is worth 1/instruction_share of asking a test
/// for every value; a little less where it is a test of bits with nothing behind it, which others may use
/// (sharing.hpp). Exact up to: an equality is asked about the few heaviest single values anywhere, about others (and
/// bits) only where at most `window` pieces are left, or where they alone are in an interval of one outcome; of a
/// longer list than `exact_pieces`, rare neighbours are a window first and one piece then, and the heaviest are one
/// fewer; not every split is tried where the bound makes a difference. O(n^2) for n pieces, about 0.1 ms for 100.
Tree two_way_tree(std::span<const Piece> pieces, const Bound& bound = {});

/// The values that `two_way_tree` can ask about first: at most `heavy_values` of them, each with a 1/heavy_share of the
/// weight at least. A caller that joins values into pieces keeps these apart.
inline constexpr std::size_t heavy_values = 4, heavy_share = 24;
inline constexpr std::uint32_t instruction_share = 40;
inline constexpr std::size_t window = 7, exact_pieces = 112;

}  // namespace agp::backends::seccomp
