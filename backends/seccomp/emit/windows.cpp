#include "backends/seccomp/emit/windows.hpp"

#include <algorithm>
#include <bit>

namespace agp::backends::seccomp {
namespace {

/// Masks of one and two of the lowest bits, ascending; wider ones are not tried.
template <std::size_t count>
constexpr std::array<std::uint8_t, count> small_masks() {
  std::array<std::uint8_t, count> out{};
  std::size_t n = 0;
  for (unsigned mask = 1; n < count; ++mask)
    if (std::popcount(mask) <= 2) out[n++] = static_cast<std::uint8_t>(mask);
  return out;
}

}  // namespace

/// Of a thread, as in two_way.cpp; a window list is gone before the next one is made.
std::vector<Windows::Solution>& Windows::kept() {
  thread_local std::vector<Solution> states;
  return states;
}

Windows::Windows(std::span<const Piece> pieces, const std::vector<Cost>& weights, Cost instruction)
    : pieces_(pieces), weights_(weights), instruction_(instruction), known_(kept()), sides_at_(pieces.size(), 0) {
  known_.assign(pieces.size() << window, {unknown, {}});
  vary_.reserve(pieces.size());
  for (const Piece& p : pieces) {
    const std::uint32_t differ = p.first ^ p.last;
    vary_.push_back(differ == 0 ? 0 : ~std::uint32_t{0} >> std::countl_zero(differ));
  }
}

Windows::Sides Windows::sides(std::size_t first, std::uint32_t mask) const {
  Sides out;
  for (std::size_t p = 0; p < window && first + p < pieces_.size(); ++p) {
    const std::uint32_t value = pieces_[first + p].first, vary = vary_[first + p];
    out.yes |= static_cast<std::uint8_t>(((value & mask & ~vary) != 0 ? 1u : 0u) << p);
    out.no |= static_cast<std::uint8_t>((((value | vary) & mask) == 0 ? 1u : 0u) << p);
  }
  return out;
}

const std::array<Windows::Sides, Windows::masks>& Windows::all_sides(std::size_t first) {
  static constexpr auto list = small_masks<masks>();
  if (sides_at_[first] == 0) {
    auto& to = sides_.emplace_back();
    for (std::size_t m = 0; m < masks; ++m) to[m] = sides(first, list[m]);
    sides_at_[first] = static_cast<std::uint16_t>(sides_.size());
  }
  return sides_[sides_at_[first] - 1u];
}

Windows::Solution Windows::solve(std::size_t first, unsigned left) {
  const Piece* piece = &pieces_[first];
  const Cost* of = &weights_[first];
  Cost weight = 0;
  bool uniform = true, wide = false;
  for (unsigned rest = left; rest != 0; rest &= rest - 1) {
    const int p = std::countr_zero(rest);
    weight += of[p];
    uniform &= piece[p].outcome == piece->outcome;
    wide |= piece[p].last - piece[p].first >= narrow;
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
    if (vary_[first + p] == 0) offer(solved(first, left & ~(1u << p)).cost, Choice::Kind::Equal, p);
  }
  const std::uint32_t differ = piece->first ^ piece[std::bit_width(left) - 1].last;
  if (!wide && inner != 0 && differ >> low_bits == 0) {
    static constexpr auto list = small_masks<masks>();
    const auto& sides = all_sides(first);
    for (std::size_t m = 0; m < masks && list[m] < std::bit_ceil(differ + 1); ++m) {
      const unsigned yes = sides[m].yes & left, no = sides[m].no & left;
      if ((yes | no) == left && yes != 0 && no != 0)
        offer(cost({first, yes}) + cost({first, no}), Choice::Kind::Bits, list[m]);
    }
  }
  best.cost += weight + instruction_;
  return best;
}

}  // namespace agp::backends::seccomp
