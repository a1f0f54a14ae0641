#include "compiler/verify/facts.hpp"

#include <algorithm>

// Geometry before the solver: most tests of a policy are decided by where on a filter's path one stands, so a list of a
// thousand values becomes a thousand questions about nothing instead of one that a solver chokes on.
namespace agp::verify {
namespace {

using Kind = model::FilterGraph::Node::Kind;
using TestOp = model::ArgTest::Op;

std::optional<bool> both(std::optional<bool> a, std::optional<bool> b) {
  if (a == false || b == false) return false;
  if (a == true && b == true) return true;
  return std::nullopt;
}

std::optional<bool> opposite(std::optional<bool> a) { return a ? std::optional(!*a) : std::nullopt; }

const WordFacts& low(const Facts& f, int argument) { return f[static_cast<std::size_t>(4 + 2 * argument)]; }
const WordFacts& high(const Facts& f, int argument) { return f[static_cast<std::size_t>(5 + 2 * argument)]; }

/// argument & mask == value
std::optional<bool> equal(const Facts& f, int argument, std::uint64_t mask, std::uint64_t value) {
  if ((value & ~mask) != 0) return false;
  const auto half = [&](const WordFacts& w, int shift) -> std::optional<bool> {
    const auto m = static_cast<std::uint32_t>(mask >> shift), v = static_cast<std::uint32_t>(value >> shift);
    return m == 0 ? std::optional(true) : w.decide(Kind::Eq, m, v);
  };
  return both(half(high(f, argument), 32), half(low(f, argument), 0));
}

/// argument & mask <= value, for masks whose halves are whole or nothing.
std::optional<bool> at_most(const Facts& f, int argument, std::uint64_t mask, std::uint64_t value) {
  const auto whole = [](std::uint32_t m) { return m == 0 || m == 0xffffffff; };
  const auto mask_low = static_cast<std::uint32_t>(mask), mask_high = static_cast<std::uint32_t>(mask >> 32);
  if (!whole(mask_low) || !whole(mask_high)) return std::nullopt;
  const WordFacts &l = low(f, argument), &h = high(f, argument);
  const std::uint64_t least = std::uint64_t{h.least & mask_high} << 32 | (l.least & mask_low);
  const std::uint64_t most = std::uint64_t{h.most & mask_high} << 32 | (l.most & mask_low);
  if (most <= value) return true;
  if (least > value) return false;
  return std::nullopt;
}

}  // namespace

void WordFacts::tighten() {
  // A bound that is excluded moves inwards; one value that is left is known whole.
  for (bool again = true; again && least <= most;) {
    again = false;
    for (const std::uint32_t v : excluded) {
      if (v == least && least < most)
        ++least, again = true;
      else if (v == most && least < most)
        --most, again = true;
      else if (v == least && least == most)
        least = 1, most = 0;
    }
  }
  if (least == most) {
    if (((least ^ bits) & known) != 0)
      least = 1, most = 0;
    else
      known = 0xffffffff, bits = least;
  }
}

void WordFacts::learn(Kind kind, std::uint32_t mask, std::uint32_t value, bool outcome) {
  const bool whole = mask == 0xffffffff;
  if (kind == Kind::Set) {  // word & mask & value != 0
    const std::uint32_t m = mask & value;
    if (!outcome)
      known |= m, bits &= ~m;
    else if (m != 0 && (m & (m - 1)) == 0)
      known |= m, bits |= m;
  } else if (kind == Kind::Eq && outcome) {
    if (whole) least = std::max(least, value), most = std::min(most, value);
    known |= mask;
    bits = (bits & ~mask) | (value & mask);
  } else if (kind == Kind::Eq && whole) {
    excluded.push_back(value);
  } else if (kind == Kind::Eq && value == 0 && (mask & (mask - 1)) == 0) {
    known |= mask, bits |= mask;
  } else if (whole && (kind == Kind::Ge || kind == Kind::Gt)) {
    if (outcome && kind == Kind::Ge)
      least = std::max(least, value);
    else if (outcome && value < 0xffffffff)
      least = std::max(least, value + 1);
    else if (!outcome && kind == Kind::Gt)
      most = std::min(most, value);
    else if (!outcome && value > 0)
      most = std::min(most, value - 1);
  }
  tighten();
}

std::optional<bool> WordFacts::decide(Kind kind, std::uint32_t mask, std::uint32_t value) const {
  const bool whole = mask == 0xffffffff;
  switch (kind) {
    case Kind::Eq:
      if ((value & ~mask) != 0 || ((bits ^ value) & known & mask) != 0) return false;
      if ((known & mask) == mask) return true;
      if (whole &&
          (value < least || value > most || std::find(excluded.begin(), excluded.end(), value) != excluded.end()))
        return false;
      return std::nullopt;
    case Kind::Set:
      if ((bits & known & mask & value) != 0) return true;
      if ((known & mask & value) == (mask & value)) return false;
      return std::nullopt;
    case Kind::Ge:
      if (whole && least >= value) return true;
      if (whole && most < value) return false;
      return std::nullopt;
    case Kind::Gt:
      if (whole && least > value) return true;
      if (whole && most <= value) return false;
      return std::nullopt;
    case Kind::Leaf:
      break;
  }
  return std::nullopt;
}

std::optional<bool> decide(const Facts& f, const model::ArgTest& t, std::uint64_t mask) {
  if (t.op == TestOp::In) {
    bool open = false;
    for (const std::uint64_t v : t.values) {
      const auto one = equal(f, t.index, mask, v);
      if (one == true) return true;
      open = open || !one;
    }
    return open ? std::nullopt : std::optional(false);
  }
  if (t.values.empty()) return false;
  const std::uint64_t v = t.values.front();
  switch (t.op) {
    case TestOp::Eq:
      return equal(f, t.index, mask, v);
    case TestOp::Ne:
      return opposite(equal(f, t.index, mask, v));
    case TestOp::Le:
      return at_most(f, t.index, mask, v);
    case TestOp::Gt:
      return opposite(at_most(f, t.index, mask, v));
    case TestOp::Lt:
      return v == 0 ? std::optional(false) : at_most(f, t.index, mask, v - 1);
    case TestOp::Ge:
      return v == 0 ? std::optional(true) : opposite(at_most(f, t.index, mask, v - 1));
    case TestOp::Masked:
      return equal(f, t.index, mask & t.mask, v);
    case TestOp::In:
      break;
  }
  return std::nullopt;
}

}  // namespace agp::verify
