#include "backends/seccomp/emit/windows.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace agp::backends::seccomp {
namespace {

constexpr unsigned low_bits = 6;  ///< masks are of these
constexpr std::uint32_t low_values = (1u << low_bits) - 1;

/// By value of the lowest bits: the masks that have one of its bits, as bits themselves.
constexpr auto masks_with = [] {
  std::array<std::uint64_t, 1 << low_bits> out{};
  for (unsigned value = 0; value < out.size(); ++value)
    for (unsigned mask = 0; mask < out.size(); ++mask)
      if ((value & mask) != 0) out[value] |= std::uint64_t{1} << mask;
  return out;
}();

/// Masks of one and two bits: wider ones are not tried where tests are behind them.
constexpr std::uint64_t narrow_masks = [] {
  std::uint64_t out = 0;
  for (unsigned mask = 1; mask < 1 << low_bits; ++mask)
    if (std::popcount(mask) <= 2) out |= std::uint64_t{1} << mask;
  return out;
}();

}  // namespace

/// Of a thread, as in two_way.cpp; a window list is gone before the next one is made.
std::vector<Windows::Solution>& Windows::kept() {
  thread_local std::vector<Solution> states;
  return states;
}

Windows::Windows(std::span<const Piece> pieces, const std::vector<Cost>& weights, Cost instruction)
    : pieces_(pieces), instruction_(instruction), known_(kept()) {
  known_.assign(pieces.size() << (window - 1), {unknown, {}});
  by_piece_.resize(pieces.size() + 1);
  for (std::size_t i = pieces.size(); i-- > 0;) {
    const Piece& p = pieces[i];
    Known& b = by_piece_[i];
    const bool narrow = p.last - p.first < few_values;
    b.single = static_cast<std::uint8_t>(by_piece_[i + 1].single << 1 | (p.first == p.last ? 1 : 0));
    b.narrow = static_cast<std::uint8_t>(by_piece_[i + 1].narrow << 1 | (narrow ? 1 : 0));
    b.outcome = p.outcome;
    b.weight = weights[i];
    const std::uint32_t differ = p.first ^ p.last,
                        vary = differ == 0 ? 0 : ~std::uint32_t{0} >> std::countl_zero(differ);
    b.some = masks_with[p.first & ~vary & low_values];
    b.none = ~masks_with[(p.first | vary) & low_values];
  }
}

unsigned Windows::with(const Few& f, std::uint32_t mask) const {
  unsigned out = 0;
  for (unsigned rest = f.left; rest != 0; rest &= rest - 1)
    out |= (pieces_[f.first + static_cast<std::size_t>(std::countr_zero(rest))].first & mask) != 0 ? rest & (~rest + 1)
                                                                                                   : 0;
  return out;
}

Windows::Solution Windows::solve(std::size_t first, unsigned left) {
  const Known* const piece = &by_piece_[first];
  Cost weight = 0;
  unsigned goes_on = 0;  // pieces with the outcome of the one before
  // Masks of which every value of one outcome has a bit, and those of which none has; and of the other outcomes.
  std::uint64_t some[2] = {~0ull, ~0ull}, none[2] = {~0ull, ~0ull};
  const std::uint32_t one = piece->outcome;
  std::uint32_t before = one, other = one;
  bool third = false;
  for (unsigned rest = left; rest != 0; rest &= rest - 1) {
    const auto p = static_cast<unsigned>(std::countr_zero(rest));
    const std::uint32_t o = piece[p].outcome;
    weight += piece[p].weight;
    goes_on |= (o == before ? 1u : 0u) << p;
    before = o;
    const bool differs = o != one;
    other = differs && other == one ? o : other;
    third |= differs && other != o;
    some[differs] &= piece[p].some;
    none[differs] &= piece[p].none;
  }
  if (goes_on == left) return {0, {}};
  if (const std::uint64_t masks = (some[0] & none[1]) | (none[0] & some[1]);
      masks != 0 && !third)  // one test, that others may use
    return {weight + instruction_ - instruction_ / 16,
            {Choice::Kind::Bits, static_cast<std::uint16_t>(std::countr_zero(masks))}};
  // Where an outcome goes on is no split, since its rest may as well be on the same side, but beside a heavy piece.
  unsigned splits = left & ~goes_on;
  for (unsigned rest = goes_on & ~1u; rest != 0; rest &= rest - 1) {
    const int s = std::countr_zero(rest), previous = std::bit_width(left & ((rest & (~rest + 1)) - 1)) - 1;
    if (piece[previous].weight > weight / 3 || piece[s].weight > weight / 3) splits |= 1u << s;
  }
  // The least cost, and of equal ones the first choice: one number, so that no branch depends on which it is.
  std::uint64_t best = ~std::uint64_t{0};
  const auto offer = [&](Cost c, Choice::Kind kind, std::size_t which) {
    best = std::min(best, std::uint64_t{c} << 32 | static_cast<std::uint64_t>(kind) << 16 | which);
  };
  for (; splits != 0; splits &= splits - 1) {
    const auto s = static_cast<std::size_t>(std::countr_zero(splits));
    offer(solved(first, left & ((1u << s) - 1)).cost + solved(first + s, left >> s).cost, Choice::Kind::Split, s);
  }
  const unsigned inner = left & ~1u & ~std::bit_floor(left);
  for (unsigned rest = inner & piece->single; rest != 0; rest &= rest - 1) {  // at an end it is a split
    const auto p = static_cast<std::size_t>(std::countr_zero(rest));
    // Where it joins nothing and is rare, two splits are as good.
    const auto below = std::bit_floor(left & ((1u << p) - 1)), above = left >> (p + 1) << (p + 1);
    if (piece[std::countr_zero(below)].outcome != piece[std::countr_zero(above)].outcome &&
        piece[p].weight <= weight / 3)
      continue;
    offer(solved(first, left & ~(1u << p)).cost, Choice::Kind::Equal, p);
  }
  const std::uint32_t differ =
      pieces_[first].first ^ pieces_[first + static_cast<std::size_t>(std::bit_width(left)) - 1].last;
  if (inner != 0 && (left & ~piece->narrow) == 0 && differ >> low_bits == 0) {
    std::uint64_t parting = narrow_masks, any_some = 0, any_none = 0;
    for (unsigned rest = left; rest != 0; rest &= rest - 1) {
      const int p = std::countr_zero(rest);
      parting &= piece[p].some | piece[p].none;
      any_some |= piece[p].some;
      any_none |= piece[p].none;
    }
    for (parting &= any_some & any_none; parting != 0; parting &= parting - 1) {
      const auto mask = static_cast<std::uint32_t>(std::countr_zero(parting));
      const unsigned yes = with({first, left}, mask);
      offer(cost({first, yes}) + cost({first, left & ~yes}), Choice::Kind::Bits, mask);
    }
  }
  const auto which = static_cast<std::uint32_t>(best);
  return {static_cast<Cost>(best >> 32) + weight + instruction_,
          {static_cast<Choice::Kind>(which >> 16), static_cast<std::uint16_t>(which)}};
}

}  // namespace agp::backends::seccomp
