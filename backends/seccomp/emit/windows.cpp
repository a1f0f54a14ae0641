#include "backends/seccomp/emit/windows.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace agp::backends::seccomp {
namespace {

constexpr unsigned low_bits = 6;  ///< masks are tried where only these differ

/// Masks of one and two of the lowest bits, ascending; wider ones are not tried.
template <unsigned bits>
constexpr auto small_masks() {
  std::array<std::uint8_t, bits*(bits + 1) / 2> out{};
  std::size_t n = 0;
  for (unsigned mask = 1; n < out.size(); ++mask)
    if (std::popcount(mask) <= 2) out[n++] = static_cast<std::uint8_t>(mask);
  return out;
}

constexpr auto tried = small_masks<low_bits>();

}  // namespace

/// Of a thread, as in two_way.cpp; a window list is gone before the next one is made.
std::vector<Windows::Solution>& Windows::kept() {
  thread_local std::vector<Solution> states;
  return states;
}

Windows::Windows(std::span<const Piece> pieces, const std::vector<Cost>& weights, Cost instruction)
    : pieces_(pieces), weights_(weights), instruction_(instruction), known_(kept()) {
  known_.assign(pieces.size() << window, {unknown, {}});
  bits_.reserve(pieces.size());
  for (const Piece& p : pieces) {
    const std::uint32_t differ = p.first ^ p.last;
    Bits& b = bits_.emplace_back();
    b.vary = differ == 0 ? 0 : ~std::uint32_t{0} >> std::countl_zero(differ);
    if (p.last - p.first >= narrow) continue;
    for (std::size_t m = 0; m < tried.size(); ++m) {
      b.some |= ((p.first & tried[m] & ~b.vary) != 0 ? 1u : 0u) << m;
      b.none |= (((p.first | b.vary) & tried[m]) == 0 ? 1u : 0u) << m;
    }
  }
}

Few Windows::with(const Few& f, std::uint32_t mask) const {
  unsigned pieces = 0;
  for (unsigned rest = f.left; rest != 0; rest &= rest - 1)
    if ((pieces_[f.first + static_cast<std::size_t>(std::countr_zero(rest))].first & mask) != 0)
      pieces |= rest & (~rest + 1);
  return f.only(pieces);
}

Windows::Solution Windows::solve(std::size_t first, unsigned left) {
  const Piece* piece = &pieces_[first];
  const Cost* of = &weights_[first];
  const Bits* bits = &bits_[first];
  Cost weight = 0;
  bool uniform = true;
  std::uint32_t parts = ~0u, some = 0, none = 0;
  for (unsigned rest = left; rest != 0; rest &= rest - 1) {
    const int p = std::countr_zero(rest);
    weight += of[p];
    uniform &= piece[p].outcome == piece->outcome;
    parts &= bits[p].some | bits[p].none;
    some |= bits[p].some;
    none |= bits[p].none;
  }
  if (uniform) return {0, {}};
  Solution best{unknown, {}};
  const auto offer = [&](Cost c, Choice::Kind kind, std::size_t which) {
    if (c < best.cost) best = {c, {kind, static_cast<std::uint16_t>(which)}};
  };
  // Not where an outcome goes on: its rest may as well be on the same side.
  int before = 0;
  for (unsigned rest = left & (left - 1); rest != 0; rest &= rest - 1) {
    const int s = std::countr_zero(rest);
    const bool goes_on = piece[before].outcome == piece[s].outcome;
    const bool heavy = of[before] > weight / 3 || of[s] > weight / 3;
    before = s;
    if (goes_on && !heavy) continue;
    const auto at = static_cast<std::size_t>(s);
    offer(solved(first, left & ((1u << at) - 1)).cost + solved(first + at, left >> at).cost, Choice::Kind::Split, at);
  }
  const unsigned inner = left & ~1u & ~std::bit_floor(left);
  for (unsigned rest = inner; rest != 0; rest &= rest - 1) {  // at an end it is a split
    const auto p = static_cast<std::size_t>(std::countr_zero(rest));
    if (bits[p].vary == 0) offer(solved(first, left & ~(1u << p)).cost, Choice::Kind::Equal, p);
  }
  const std::uint32_t differ = piece->first ^ piece[std::bit_width(left) - 1].last;
  if (inner != 0 && differ >> low_bits == 0)
    for (std::uint32_t masks = parts & some & none; masks != 0; masks &= masks - 1) {
      const auto m = static_cast<unsigned>(std::countr_zero(masks));
      unsigned yes = 0;
      for (unsigned rest = left; rest != 0; rest &= rest - 1)
        if ((bits[std::countr_zero(rest)].some >> m & 1) != 0) yes |= rest & (~rest + 1);
      offer(cost({first, yes}) + cost({first, left & ~yes}), Choice::Kind::Bits, tried[m]);
    }
  best.cost += weight + instruction_;
  return best;
}

}  // namespace agp::backends::seccomp
