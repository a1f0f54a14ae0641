#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "backends/seccomp/emit/decisions.hpp"
#include "backends/seccomp/emit/two_way.hpp"
#include "backends/seccomp/emit/weights.hpp"

namespace agp::backends::seccomp {

/// Tests of the first architecture's numbers before a call that always runs: with the loads, one compare of the
/// architecture and the return, 15 instructions. Long jumps, in programs of hundreds of instructions, come on top.
inline constexpr std::size_t longest_path = 11;

/// System-call numbers with one outcome, inclusive.
struct NumberRange {
  std::uint32_t first = 0, last = 0;
  Diagram::Ref to = Diagram::no;
  std::uint64_t weight = 0;                    ///< how often its numbers are expected
  std::span<const CallDecision* const> calls;  ///< with a number in it, of Section::calls
};

/// How one value of seccomp_data.arch is dispatched: ranges that cover all 32-bit numbers in order, and the tree over
/// them. x32 shares x86_64's arch value and is the last of its ranges.
struct Section {
  std::uint32_t audit_arch = 0;
  linux::Arch arch = linux::Arch::x86_64;
  std::vector<NumberRange> ranges;  ///< maximal, but that numbers which are called most stand alone
  Tree tree;                        ///< its pieces are `ranges`
  std::vector<const CallDecision*> calls;

  Section() = default;
  Section(Section&&) = default;  // a copy's ranges would be about the calls of this one
  Section& operator=(Section&&) = default;
};

/// One section for each arch value, in the order of the target's architectures. Numbers without a call are ENOSYS, as a
/// kernel answers that has no such call; in audit they are reported, and the kernel answers.
std::vector<Section> sections(const Decisions& decisions, const Weights& weights);

}  // namespace agp::backends::seccomp
