#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "backends/seccomp/emit/two_way.hpp"

namespace agp::backends::seccomp {

/// A test of bits that several intervals of values lead to, or another gate: what intervals have in common is written
/// once.
struct Gate {
  std::uint32_t mask = 0;
  std::uint32_t yes = 0, no = 0;  ///< an outcome of the list, or Gated::first + an earlier gate
  /// It asks whether the bits of the mask are these (two instructions, and it leads to outcomes); else whether one is
  /// set.
  std::optional<std::uint32_t> equal;

  bool holds(std::uint32_t value) const { return equal ? (value & mask) == *equal : (value & mask) != 0; }
  std::size_t instructions() const { return equal ? 2 : 1; }
};

/// A list of pieces that begins at 0, some of its values behind a gate.
struct Gated {
  std::vector<Gate> gates;
  std::uint32_t first = 0;          ///< no outcome of the list; a piece behind the gate g has first + g
  std::vector<Piece> pieces;        ///< the same values
  std::vector<std::size_t> within;  ///< for each piece the one of the list that its first value is in
};

/// Values from here on are behind no gate.
inline constexpr std::uint32_t gated_values = 512;

/// Gates with which `<` and `==` tests need fewer instructions, the gates counted too; none where there are none.
/// `weights`: of single values, from 0 on, in the unit of Piece::weight; none where it ends. About 0.2 ms, or twice
/// that.
Gated find_gates(std::span<const Piece> pieces, std::span<const std::uint64_t> weights);

/// As two_way_tree, with gates: Tree::gates of them. Without, where calls would take more instructions for it: over
/// 1/256 more for each that the program is shorter, and over 1/20 more than calls take at least, in the mean by
/// `weights` (as find_gates); and where other outcomes than the bounded one have over a 16th of its weight.
Tree gated_tree(std::span<const Piece> pieces, std::span<const std::uint64_t> weights, const Bound& bound);

/// What calls take with a tree, loads, the architecture's compare and the return among it, by `weights` (as
/// find_gates).
std::uint64_t cost(const Tree& tree, std::span<const std::uint64_t> weights);

/// The least that they can take where tests tell every maximal piece from its neighbours: its weight says how many.
/// (Not quite: one leaf may stand for several pieces where what is between them is taken out before.)
std::uint64_t least_cost(std::span<const Piece> pieces);

/// Is it over a 16th of the weight of `outcome` that pieces with other outcomes have?
bool others_are_frequent(std::span<const Piece> pieces, std::uint32_t outcome);

}  // namespace agp::backends::seccomp
