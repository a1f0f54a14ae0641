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

}  // namespace

Windows::Windows(const List& list, Cost instruction, Kept& kept)
    : pieces_(list.pieces), instruction_(instruction), known_(kept.known), bounded_(kept.bounded) {
  bounded_.clear();
  known_.assign(list.size() << (window - 1), {unknown, {}});
  by_piece_.resize(list.size() + 1);
  for (std::size_t i = list.size(); i-- > 0;) {
    const Piece& p = list.pieces[i];
    Known& b = by_piece_[i];
    b.single = static_cast<std::uint8_t>(by_piece_[i + 1].single << 1 | (p.first == p.last ? 1 : 0));
    b.outcome = p.outcome;
    b.weight = list.weights[i];
    b.height = list.heights[i];
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

/// `behind`: the best for the pieces on one side of a test.
template <class Behind>
Solution Windows::solve(std::size_t first, unsigned left, Height most, const Behind& behind) {
  const Known* const piece = &by_piece_[first];
  Cost weight = 0;
  Height highest = 0;
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
    highest = std::max(highest, piece[p].height);
    goes_on |= (o == before ? 1u : 0u) << p;
    before = o;
    const bool differs = o != one;
    other = differs && other == one ? o : other;
    third |= differs && other != o;
    some[differs] &= piece[p].some;
    none[differs] &= piece[p].none;
  }
  if (goes_on == left) return {0, {Choice::Kind::Leaf, highest, 0}};
  if (const std::uint64_t masks = (some[0] & none[1]) | (none[0] & some[1]);
      masks != 0 && !third)  // one test, that others may use
    return {weight + instruction_ - instruction_ / 8,
            {Choice::Kind::Bits, one_over(highest, 0), static_cast<std::uint16_t>(std::countr_zero(masks))}};
  // Where an outcome goes on is no split, since its rest may as well be on the same side, but beside a heavy piece.
  unsigned splits = left & ~goes_on;
  for (unsigned rest = goes_on & ~1u; rest != 0; rest &= rest - 1) {
    const int s = std::countr_zero(rest), previous = std::bit_width(left & ((rest & (~rest + 1)) - 1)) - 1;
    if (piece[previous].weight > weight / 3 || piece[s].weight > weight / 3) splits |= 1u << s;
  }
  // The least cost, and of equal ones the lowest tree: one number, so that no branch depends on which it is.
  std::uint64_t best = ~std::uint64_t{0};
  const auto offer = [&](const Solution& a, const Solution& b, Choice::Kind kind, std::size_t which) {
    const Height height = one_over(a.choice.height, b.choice.height);
    const std::uint64_t c = std::uint64_t{a.cost} + b.cost + (height > most ? impossible : 0);
    best = std::min(best, c << 32 | std::uint64_t{height} << 24 | static_cast<std::uint64_t>(kind) << 16 | which);
  };
  for (; splits != 0; splits &= splits - 1) {
    const auto s = static_cast<std::size_t>(std::countr_zero(splits));
    offer(behind(first, left & ((1u << s) - 1)), behind(first + s, left >> s), Choice::Kind::Split, s);
  }
  const unsigned inner = left & ~1u & ~std::bit_floor(left);
  for (unsigned rest = inner & piece->single; rest != 0; rest &= rest - 1) {  // at an end it is a split
    const auto p = static_cast<std::size_t>(std::countr_zero(rest));
    // Where it joins nothing and is rare, two splits are as good; two single values side by side may join together.
    const auto outcome = [piece](unsigned of) { return piece[std::countr_zero(of)].outcome; };
    const unsigned ahead = left & ((1u << p) - 1), below = std::bit_floor(ahead), after = left >> (p + 1) << (p + 1),
                   above = after & (~after + 1);
    if (outcome(below) != outcome(above) && piece[p].weight <= weight / 3) {
      const unsigned two_below = (below & piece->single) != 0 ? std::bit_floor(ahead & ~below) : 0,
                     rest_above = (above & piece->single) != 0 ? after & ~above : 0;
      if ((two_below == 0 || outcome(two_below) != outcome(above)) &&
          (rest_above == 0 || outcome(rest_above) != outcome(below)))
        continue;
    }
    offer(behind(first, left & ~(1u << p)), {0, {Choice::Kind::Leaf, piece[p].height, 0}}, Choice::Kind::Equal, p);
  }
  const auto which = static_cast<std::uint32_t>(best);
  return {static_cast<Cost>(best >> 32) + weight + instruction_,
          {static_cast<Choice::Kind>(which >> 16 & 0xff), static_cast<Height>(which >> 24),
           static_cast<std::uint16_t>(which)}};
}

Solution Windows::solve(std::size_t first, unsigned left) {
  return solve(first, left, any_height, [this](std::size_t f, unsigned l) -> const Solution& { return solved(f, l); });
}

Solution Windows::within(std::size_t first, unsigned left, Height most) {
  const Solution free = solved(first, left);
  if (free.choice.height <= most) return free;
  unsigned needed = 0;  // leaves of a full tree
  for (unsigned rest = left, before = ~0u; rest != 0; rest &= rest - 1) {
    const Known& piece = by_piece_[first + static_cast<std::size_t>(std::countr_zero(rest))];
    needed += piece.outcome != before ? (1u << piece.height) / 2 : 0;
    before = piece.outcome;
  }
  if (most <= 1 || needed > (1u << most) / 2) return {impossible, {}};
  const auto key = static_cast<std::uint32_t>(((first << (window - 1)) + (left >> 1)) << 8 | most);
  if (const Solution* const found = bounded_.find(key)) return *found;
  Solution found =
      solve(first, left, most, [this, most](auto f, auto l) { return within(f, l, static_cast<Height>(most - 1)); });
  if (found.choice.height > most || found.cost > impossible) found.cost = impossible;
  return bounded_.add(key, found);
}

Height Windows::lowest(const Few& f) {
  const Height free = best(f).choice.height;
  auto most = static_cast<Height>(std::bit_width(std::bit_width(f.left) - 1u) + 1);  // of a full tree
  while (most < free && best(f, most).cost >= impossible) ++most;
  return most < free ? best(f, most).choice.height : free;
}

int Windows::build(const Few& f, Height most, const Leaf& leaf, Tree& out) {
  const Choice c = best(f, most).choice;
  const Height room = below(most);
  switch (c.kind) {
    case Choice::Kind::Split: {
      const auto [before, behind] = f.split(c.at);
      const int no = build(before, room, leaf, out), yes = build(behind, room, leaf, out);
      return push(out, {Test::Kind::Ge, pieces_[f.first + c.at].first, yes, no});
    }
    case Choice::Kind::Equal: {
      const int no = build(f.only(~(1u << c.at)), room, leaf, out), yes = leaf(f.first + c.at, room);
      return push(out, {Test::Kind::Eq, pieces_[f.first + c.at].first, yes, no});
    }
    case Choice::Kind::Bits: {
      const unsigned some = with(f, c.at);
      const int no = build(f.only(~some), room, leaf, out), yes = build(f.only(some), room, leaf, out);
      return push(out, {Test::Kind::Set, c.at, yes, no});
    }
    default:
      return leaf(f.first, most);
  }
}

}  // namespace agp::backends::seccomp
