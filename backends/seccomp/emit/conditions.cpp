#include "backends/seccomp/emit/conditions.hpp"

#include <map>

// Comes in: a comparison of up to 64 bits on one argument. Goes out: a diagram over its two 32-bit words, each under
// its part of the effective mask. Bits outside the mask are never looked at (VERIFICATION.md: two calls equal under the
// mask are one action).
namespace agp::backends::seccomp {
namespace {

using Ref = Diagram::Ref;

/// The argument's two words under `mask`.
struct Words {
  View low, high;
  std::uint64_t mask;

  Words(int argument, std::uint64_t m, const WordOrder& order)
      : low{order[2 * static_cast<unsigned>(argument) + 1], static_cast<unsigned>(argument), true,
            static_cast<std::uint32_t>(m)},
        high{order[2 * static_cast<unsigned>(argument)], static_cast<unsigned>(argument), false,
             static_cast<std::uint32_t>(m >> 32)},
        mask(m) {}
};

/// One word equals / is at most a value. A word of which no bit counts is 0.
Ref word_equal(Diagram& d, const View& view, std::uint32_t v) {
  if ((v & ~view.mask) != 0) return Diagram::no;
  return view.mask == 0 ? Diagram::yes : d.interval(view, v, v);
}
Ref word_at_most(Diagram& d, const View& view, std::uint32_t v) {
  return view.mask == 0 ? Diagram::yes : d.interval(view, 0, v);
}

Ref equal(Diagram& d, const Words& w, std::uint64_t v) {
  return d.both(word_equal(d, w.high, static_cast<std::uint32_t>(v >> 32)),
                word_equal(d, w.low, static_cast<std::uint32_t>(v)));
}

Ref at_most(Diagram& d, const Words& w, std::uint64_t v) {
  const auto high = static_cast<std::uint32_t>(v >> 32), low = static_cast<std::uint32_t>(v);
  const Ref below = high == 0 ? Diagram::no : word_at_most(d, w.high, high - 1);
  // `high` itself may be a value that the masked word never has; then only `below` can hold.
  const Ref tie = d.both(word_equal(d, w.high, high), word_at_most(d, w.low, low));
  return d.either(below, tie);
}

/// A long list at once: one node for the low words that go with each high word. `values` ascend.
Ref one_of(Diagram& d, const Words& w, const std::vector<std::uint64_t>& values) {
  std::map<std::uint32_t, std::vector<std::uint32_t>> by_high;
  for (const std::uint64_t v : values)
    if ((v & ~w.mask) == 0) by_high[static_cast<std::uint32_t>(v >> 32)].push_back(static_cast<std::uint32_t>(v));
  Ref any = Diagram::no;
  for (const auto& [high, lows] : by_high) {
    const Ref low = w.low.mask == 0 ? Diagram::yes : d.member(w.low, lows);
    any = d.either(any, d.both(word_equal(d, w.high, high), low));
  }
  return any;
}

Ref under(Diagram& d, const model::ArgTest& test, std::uint64_t effective, const WordOrder& order) {
  using Op = model::ArgTest::Op;
  const Words w(test.index, effective, order);
  if (test.values.empty()) return Diagram::no;
  const std::uint64_t v = test.values.front();
  switch (test.op) {
    case Op::Eq:
      return equal(d, w, v);
    case Op::Ne:
      return d.negate(equal(d, w, v));
    case Op::Le:
      return at_most(d, w, v);
    case Op::Gt:
      return d.negate(at_most(d, w, v));
    case Op::Lt:
      return v == 0 ? Diagram::no : at_most(d, w, v - 1);
    case Op::Ge:
      return v == 0 ? Diagram::yes : d.negate(at_most(d, w, v - 1));
    case Op::Masked:
      return equal(d, Words(test.index, effective & test.mask, order), v);
    case Op::In:
      break;
  }
  return one_of(d, w, test.values);
}

}  // namespace

Ref test_condition(Diagram& d, const model::ArgTest& test, const linux::Argument& argument, bool refuses,
                   const WordOrder& order) {
  const Ref all = under(d, test, argument.effective_mask, order);
  if (argument.classified) return all;
  const Ref low = under(d, test, argument.effective_mask & 0xffffffff, order);
  return refuses ? d.either(all, low) : d.both(all, low);
}

Ref pattern_condition(Diagram& d, const model::SyscallPattern& pattern, const linux::Syscall& call, bool refuses,
                      const WordOrder& order) {
  Ref all = Diagram::yes;
  for (const auto& test : pattern.tests)
    all = d.both(all, test_condition(d, test, call.arguments[static_cast<std::size_t>(test.index)], refuses, order));
  return all;
}

}  // namespace agp::backends::seccomp
