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

/// By value of the lowest bits: the masks, as bits, that have one of its bits.
constexpr auto masks_with = [] {
  std::array<std::uint32_t, 1 << low_bits> out{};
  for (unsigned value = 0; value < out.size(); ++value)
    for (std::size_t m = 0; m < tried.size(); ++m)
      if ((value & tried[m]) != 0) out[value] |= 1u << m;
  return out;
}();
constexpr std::uint32_t low_values = masks_with.size() - 1;

}  // namespace

/// Of a thread, as in two_way.cpp; a window list is gone before the next one is made.
std::vector<Windows::Solution>& Windows::kept() {
  thread_local std::vector<Solution> states;
  return states;
}

Windows::Windows(std::span<const Piece> pieces, const std::vector<Cost>& weights, const Prices& prices)
    : pieces_(pieces), weights_(weights), prices_(prices), known_(kept()) {
  known_.assign(pieces.size() << (window - 1), {unknown, {}});
  bits_.resize(pieces.size() + 1);
  for (std::size_t i = pieces.size(); i-- > 0;) {
    const Piece& p = pieces[i];
    Bits& b = bits_[i];
    const bool narrow = p.last - p.first < few_values;
    b.single = static_cast<std::uint8_t>(bits_[i + 1].single << 1 | (p.first == p.last ? 1 : 0));
    b.narrow = static_cast<std::uint8_t>(bits_[i + 1].narrow << 1 | (narrow ? 1 : 0));
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

/// The masks, as bits, that part two outcomes; none where there are more.
std::uint32_t Windows::parting(std::size_t first, unsigned left) const {
  const std::uint32_t one = pieces_[first].outcome;
  std::uint32_t other = one, some[2] = {~0u, ~0u}, none[2] = {~0u, ~0u};
  for (unsigned rest = left; rest != 0; rest &= rest - 1) {
    const std::size_t p = first + static_cast<std::size_t>(std::countr_zero(rest));
    const std::uint32_t o = pieces_[p].outcome;
    if (o != one && other == one) other = o;
    if (o != one && o != other) return 0;
    some[o != one] &= bits_[p].some;
    none[o != one] &= bits_[p].none;
  }
  return (some[0] & none[1]) | (none[0] & some[1]);
}

Windows::Solution Windows::solve(std::size_t first, unsigned left) {
  const Piece* piece = &pieces_[first];
  const Cost* of = &weights_[first];
  const Bits* bits = &bits_[first];
  Cost weight = 0;
  unsigned goes_on = 0;  // pieces with the outcome of the one before
  for (unsigned rest = left, before = 0; rest != 0; rest &= rest - 1) {
    const auto p = static_cast<unsigned>(std::countr_zero(rest));
    weight += of[p];
    goes_on |= (piece[p].outcome == piece[before].outcome ? 1u : 0u) << p;
    before = p;
  }
  if (goes_on == left) return {0, {}};
  if (prices_.last_bits < prices_.instruction)
    if (const std::uint32_t masks = parting(first, left); masks != 0)
      return {weight + prices_.last_bits,
              {Choice::Kind::Bits, tried[static_cast<std::size_t>(std::countr_zero(masks))]}};
  // Where an outcome goes on is no split, since its rest may as well be on the same side, but beside a heavy piece.
  unsigned splits = left & ~goes_on;
  for (unsigned rest = goes_on & ~1u; rest != 0; rest &= rest - 1) {
    const int s = std::countr_zero(rest), before = std::bit_width(left & ((rest & (~rest + 1)) - 1)) - 1;
    if (of[before] > weight / 3 || of[s] > weight / 3) splits |= 1u << s;
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
  for (unsigned rest = inner & bits->single; rest != 0; rest &= rest - 1) {  // at an end it is a split
    const auto p = static_cast<std::size_t>(std::countr_zero(rest));
    // Where it joins nothing and is rare, two splits are as good.
    const auto below = std::bit_floor(left & ((1u << p) - 1)), above = left >> (p + 1) << (p + 1);
    if (piece[std::countr_zero(below)].outcome != piece[std::countr_zero(above)].outcome && of[p] <= weight / 3)
      continue;
    offer(solved(first, left & ~(1u << p)).cost, Choice::Kind::Equal, p);
  }
  const std::uint32_t differ = piece->first ^ piece[std::bit_width(left) - 1].last;
  if (inner != 0 && (left & ~bits->narrow) == 0 && differ >> low_bits == 0) {
    std::uint32_t parting = ~0u, some = 0, none = 0;
    for (unsigned rest = left; rest != 0; rest &= rest - 1) {
      const int p = std::countr_zero(rest);
      parting &= bits[p].some | bits[p].none;
      some |= bits[p].some;
      none |= bits[p].none;
    }
    for (parting &= some & none; parting != 0; parting &= parting - 1) {
      const std::uint32_t mask = tried[static_cast<std::size_t>(std::countr_zero(parting))];
      const unsigned yes = with({first, left}, mask);
      offer(cost({first, yes}) + cost({first, left & ~yes}), Choice::Kind::Bits, mask);
    }
  }
  const auto which = static_cast<std::uint32_t>(best);
  return {static_cast<Cost>(best >> 32) + weight + prices_.instruction,
          {static_cast<Choice::Kind>(which >> 16), static_cast<std::uint16_t>(which)}};
}

}  // namespace agp::backends::seccomp
