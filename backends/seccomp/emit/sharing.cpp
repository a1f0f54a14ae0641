#include "backends/seccomp/emit/sharing.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace agp::backends::seccomp {
namespace {

/// Has every value of the run a bit of the mask?
bool have(const Run& r, std::uint32_t mask) { return (r.first & mask) != 0 && next_other(mask, r.first) > r.last; }

bool have(std::span<const Run> runs, std::uint32_t mask) {
  return std::all_of(runs.begin(), runs.end(), [mask](const Run& r) { return have(r, mask); });
}

}  // namespace

std::uint64_t next_other(std::uint32_t mask, std::uint32_t value) {
  if (mask == 0) return std::uint64_t{1} << 32;
  std::uint64_t v = value;
  if ((v & mask) == 0) {
    const std::uint64_t lowest = mask & (~mask + 1);
    return (v | (lowest - 1)) + 1;  // a carry into that bit
  }
  while (v <= 0xffffffff && (v & mask) != 0) {
    // The highest bit of those must go: a carry into the bits above it, and those below become 0.
    const auto highest = std::uint64_t{std::bit_floor(static_cast<std::uint32_t>(v & mask))};
    v = (v | (2 * highest - 1)) + 1;
  }
  return v;
}

std::uint32_t bits_of(const Run& r) {
  const std::uint32_t differ = r.first ^ r.last;
  return r.last | (differ == 0 ? 0 : ~std::uint32_t{0} >> std::countl_zero(differ));
}

/// Have all values that go to one of the two places a bit of the mask?
bool Sharing::Group::parted(bool turn, std::uint32_t mask) const {
  return have(turn ? to_no : to_yes, mask) && std::all_of(joined.begin(), joined.end(), [&](const Test& t) {
           return have(turn ? t.to_no.runs : t.to_yes.runs, mask);
         });
}

std::optional<Sharing::Joined> Sharing::join(const Test& test, Assembler::Label oldest) {
  const auto it = latest_.find(places(test));
  for (std::size_t i = it == latest_.end() ? none : it->second; i != none && groups_[i].at >= oldest;
       i = groups_[i].before) {
    Group& g = groups_[i];
    const Test t = g.yes == test.yes ? test : Test{test.no, test.yes, test.to_no, test.to_yes};
    for (const bool turn : {false, true}) {
      // What goes to the other place has no bit of the mask; so all other bits may be in it.
      std::uint32_t mask = turn ? ~(g.yes_bits | t.to_yes.bits) : ~(g.no_bits | t.to_no.bits);
      const std::span<const Run> own = turn ? t.to_no.runs : t.to_yes.runs;
      const auto does = [&](std::uint32_t m) { return have(own, m) && g.parted(turn, m); };
      if (!does(mask)) continue;
      for (std::uint32_t bit = std::uint32_t{1} << 31; bit != 0; bit >>= 1)
        if ((mask & bit) != 0 && does(mask & ~bit)) mask &= ~bit;
      g.yes_bits |= t.to_yes.bits;
      g.no_bits |= t.to_no.bits;
      g.joined.push_back(t);
      return Joined{i, g.at, mask, turn != std::exchange(g.turned, turn)};
    }
  }
  return std::nullopt;
}

void Sharing::add(Assembler::Label at, const Test& test) {
  groups_.push_back(
      {at, test.yes, test.no, false, test.to_yes.bits, test.to_no.bits, test.to_yes.runs, test.to_no.runs, {}, none});
  const std::size_t here = groups_.size() - 1;
  const auto [it, fresh] = latest_.try_emplace(places(test), here);
  if (!fresh) groups_[here].before = std::exchange(it->second, here);
}

}  // namespace agp::backends::seccomp
