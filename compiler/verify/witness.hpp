#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "compiler/linux/loader_needs.hpp"
#include "compiler/model/filter_graph.hpp"
#include "compiler/verify/verify.hpp"

namespace agp::verify {

/// All that a filter sees of one call.
struct CallInput {
  std::uint32_t arch = 0, number = 0;
  std::array<std::uint64_t, 6> arguments{};
  std::uint64_t instruction_pointer = 0;
};

/// `syscall socket(0x10000000a, 1)`; `syscall 0x40000029(…)` for a number outside the tables of these architectures;
/// with the architecture where it is not x86_64.
std::string call_text(const CallInput& input, linux::ArchSet archs);

/// Zero where zero will do, then one bit less at a time from the top: `+ 2^32` stays visible where it matters. `still`
/// holds of the input and of what is returned.
CallInput smallest(CallInput input, const std::function<bool(const CallInput&)>& still);

/// What is compared with what.
struct Question {
  const model::Policy& policy;
  const plan::Plan& plan;  ///< whose accepted gaps are no difference
  const model::FilterGraph& graph;
  linux::ArchSet archs;                      ///< the target's: a call of another one is no action of the policy
  std::span<const linux::LoaderNeed> needs;  ///< nor is what the loader needs
};

/// Evaluates policy and graph on the input. A witness, with its arguments made as small as the difference permits, if
/// they do differ in this direction; nothing if not.
std::optional<Witness> confirm(const Question& question, Direction direction, const CallInput& input);

}  // namespace agp::verify
