#include <algorithm>
#include <bit>

#include "backends/seccomp/emit/gates.hpp"

namespace agp::backends::seccomp {
namespace {

constexpr std::uint64_t other_instructions = 4;  ///< of a call: loads, the architecture's compare, the return
/// Gates are worth it where calls take a 20th more instructions than they must at least; or for each instruction that
/// the program is shorter a 256th more than without.
constexpr std::uint64_t near_enough = 20, per_instruction = 256;
/// Calls with other outcomes than the bounded one, which the kernel's bitmap does not answer, come before instructions:
/// where they are more than a 16th as frequent, no gate is to make their ways longer.
constexpr std::uint64_t share_of_others = 16;
constexpr unsigned fraction = 16;  ///< bits of a logarithm behind the point

/// log2 of a number above 0 with `fraction` bits behind the point, rounded down: the same on every machine, as what is
/// built is to be.
std::uint64_t log2_of(std::uint64_t x) {
  const auto whole = static_cast<unsigned>(std::bit_width(x)) - 1;
  std::uint64_t m = whole >= 31 ? x >> (whole - 31) : x << (31 - whole);  // from 1 to 2, with 31 bits behind the point
  std::uint64_t out = whole;
  for (unsigned i = 0; i < fraction; ++i) {
    m = m * m >> 31;
    const std::uint64_t bit = m >> 32;
    out = out << 1 | bit;
    m >>= bit;
  }
  return out;
}

Tree with_gates(const Gated& g, std::span<const Piece> pieces, const Bound& bound) {
  // Pieces behind one gate may be one leaf, and so are as high as the highest of them.
  std::vector<std::uint8_t> behind(g.gates.size(), 0), heights;
  for (const Piece& p : g.pieces)
    if (p.outcome >= g.first)
      for (std::uint32_t v = p.first; v <= p.last; ++v) {
        std::size_t height = 1;
        std::uint32_t at = p.outcome;
        while (at >= g.first) {
          const Gate& gate = g.gates[at - g.first];
          height += gate.instructions();
          at = gate.holds(v) ? gate.yes : gate.no;
        }
        std::uint8_t& most = behind[p.outcome - g.first];
        if (at == bound.outcome) most = std::max(most, static_cast<std::uint8_t>(height));
      }
  for (const Piece& p : g.pieces)
    heights.push_back(p.outcome >= g.first ? behind[p.outcome - g.first] : p.outcome == bound.outcome ? 1 : 0);
  Tree out;
  out.gates = g.gates.size();
  const auto piece_with = [&](std::uint32_t outcome) {
    return std::find_if(pieces.begin(), pieces.end(), [&](const Piece& p) { return p.outcome == outcome; }) -
           pieces.begin();
  };
  const auto place = [&](std::uint32_t outcome) {
    return outcome >= g.first ? static_cast<int>(outcome - g.first) : ~static_cast<int>(piece_with(outcome));
  };
  for (const Gate& gate : g.gates) {
    const int yes = place(gate.yes), no = place(gate.no);
    out.tests.push_back(gate.equal ? Test{Test::Kind::Masked, *gate.equal, yes, no, gate.mask}
                                   : Test{Test::Kind::Set, gate.mask, yes, no});
  }

  const Tree tree = two_way_tree(g.pieces, {bound.outcome, bound.tests, heights});
  const auto moved = [&](int to) {
    if (to >= 0) return to + static_cast<int>(out.gates);
    const auto p = static_cast<std::size_t>(~to);
    return g.pieces[p].outcome >= g.first ? place(g.pieces[p].outcome) : ~static_cast<int>(g.within[p]);
  };
  for (const Test& t : tree.tests) out.tests.push_back({t.kind, t.k, moved(t.yes), moved(t.no), t.mask});
  out.root = moved(tree.root);
  return out;
}

}  // namespace

std::uint64_t cost(const Tree& tree, std::span<const std::uint64_t> weights) {
  std::uint64_t out = 0;
  for (std::uint32_t v = 0; v < weights.size(); ++v)
    if (weights[v] > 0) {
      out += other_instructions * weights[v];
      for (int at = tree.root; at >= 0;) {
        const Test& t = tree.tests[static_cast<std::size_t>(at)];
        out += weights[v] * t.instructions();
        at = holds(t, v) ? t.yes : t.no;
      }
    }
  return out;
}

std::uint64_t least_cost(std::span<const Piece> pieces) {
  std::vector<std::uint64_t> maximal;
  std::uint64_t total = 0, out = 0;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    if (p == 0 || pieces[p].outcome != pieces[p - 1].outcome) maximal.push_back(0);
    maximal.back() += pieces[p].weight;
    total += pieces[p].weight;
  }
  for (const std::uint64_t w : maximal)
    if (w > 0)
      out += other_instructions * w + (w * (log2_of(total) - log2_of(w)) >> fraction);  // below 2^41 times 2^22
  return out;
}

bool others_are_frequent(std::span<const Piece> pieces, std::uint32_t outcome) {
  std::uint64_t weight = 0, others = 0;
  for (const Piece& p : pieces) (p.outcome == outcome ? weight : others) += p.weight;
  return others > weight / share_of_others;
}

Tree gated_tree(std::span<const Piece> pieces, std::span<const std::uint64_t> weights, const Bound& bound) {
  if (pieces.size() > exact_pieces || others_are_frequent(pieces, bound.outcome)) return two_way_tree(pieces, bound);
  const Gated g = find_gates(pieces, weights);
  if (g.gates.empty()) return two_way_tree(pieces, bound);
  Tree with = with_gates(g, pieces, bound);
  const std::uint64_t takes = cost(with, weights), least = least_cost(pieces);
  if (takes <= least + least / near_enough) return with;
  Tree without = two_way_tree(pieces, bound);
  const std::uint64_t otherwise = cost(without, weights);
  const std::size_t longer = without.instructions(), saved = longer - std::min(with.instructions(), longer);
  return saved > 0 && takes <= otherwise + otherwise / per_instruction * saved ? with : without;
}

}  // namespace agp::backends::seccomp
