#include "compiler/verify/witness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "compiler/verify/filter_terms.hpp"
#include "compiler/verify/gaps.hpp"

// The concrete side: nothing here knows of terms or solvers, so a mistake in the encoding can't confirm itself.
namespace agp::verify {
namespace {

const linux::Syscall* entry(const CallInput& input, linux::ArchSet archs) {
  const auto arch = linux::arch_of_call(input.arch, input.number);
  return arch && archs.has(*arch) ? linux::find_syscall(*arch, input.number) : nullptr;
}

model::Evaluated run(const model::FilterGraph& graph, const CallInput& input) {
  std::uint32_t words[16] = {input.number, input.arch, static_cast<std::uint32_t>(input.instruction_pointer),
                             static_cast<std::uint32_t>(input.instruction_pointer >> 32)};
  for (std::size_t i = 0; i < 6; ++i) {
    words[4 + 2 * i] = static_cast<std::uint32_t>(input.arguments[i]);
    words[5 + 2 * i] = static_cast<std::uint32_t>(input.arguments[i] >> 32);
  }
  return model::evaluate_at(graph, words);
}

model::Verdict policy_verdict(const Question& q, const CallInput& input) {
  const linux::Syscall* call = entry(input, q.archs);
  if (!call) return {};
  return model::decide(q.policy, model::SyscallAction{std::string(call->name), input.arguments, call->arch});
}

/// A deny or ask rule stands behind the decision, not only the default.
bool refused_by_rule(const model::Verdict& v) { return v.decision != model::Decision::Allow && !v.rules.empty(); }

/// Is the call in the region of an accepted gap?
bool accepted(const Question& q, Direction direction, const CallInput& input, const linux::Syscall& call) {
  const auto gaps = call_gaps(q.policy, q.plan);
  return std::any_of(gaps.begin(), gaps.end(), [&](const CallGap& gap) {
    const model::SyscallPattern& p = gap.calls;
    const bool lacks = direction == Direction::Loss || direction == Direction::Quiet;
    if (gap.narrower != lacks || p.name != call.name || !p.archs.has(call.arch)) return false;
    return std::all_of(p.tests.begin(), p.tests.end(), [&](const model::ArgTest& t) {
      const auto i = static_cast<std::size_t>(t.index);
      return model::holds(t, input.arguments[i], call.arguments[i].effective_mask, call.arguments[i].classified,
                          gap.refuses);
    });
  });
}

bool differs(const Question& q, Direction direction, const CallInput& input) {
  const std::uint32_t word = run(q.graph, input).word;
  const model::Verdict verdict = policy_verdict(q, input);
  const bool runs = reaction(word) == Reaction::Runs, permitted = runs || reaction(word) == Reaction::Supervised;
  const linux::Syscall* call = entry(input, q.archs);
  if (direction == Direction::Permits) return call && !runs;
  if (call && accepted(q, direction, input, *call)) return false;
  const bool logged = (word & 0xffff0000) == 0x7ffc0000;
  const bool needed =
      call && std::any_of(q.needs.begin(), q.needs.end(), [&](const linux::LoaderNeed& n) {
        return n.call == call->name &&
               (n.argument < 0 || (input.arguments[static_cast<std::size_t>(n.argument)] & n.mask) == 0);
      });
  switch (direction) {
    case Direction::Excess:
      return permitted && verdict.decision != model::Decision::Allow && (!needed || refused_by_rule(verdict));
    case Direction::Loss:
      return !runs && verdict.decision == model::Decision::Allow;
    case Direction::Reports:
      return permitted && !logged && verdict.decision != model::Decision::Allow &&
             (!needed || refused_by_rule(verdict));
    case Direction::Quiet:
      return logged && verdict.decision == model::Decision::Allow;
    default:
      return !permitted && word != (0x00050000u | 38) && verdict.decision != model::Decision::Allow;
  }
}

}  // namespace

std::string call_text(const CallInput& input, linux::ArchSet archs) {
  const linux::Syscall* call = entry(input, archs);
  const std::string name = call ? std::string(call->name) : fmt::format("{:#x}", input.number);
  std::string text = model::to_string(model::Action(model::SyscallAction{name, input.arguments}));
  if (call && call->arch != linux::Arch::x86_64)
    text += fmt::format(" on {}", linux::to_string(call->arch));
  else if (input.arch != linux::audit_arch(linux::Arch::x86_64))
    text += fmt::format(" of architecture {:#x}", input.arch);
  if (input.instruction_pointer != 0) text += fmt::format(" at instruction pointer {:#x}", input.instruction_pointer);
  return text;
}

CallInput smallest(CallInput input, const std::function<bool(const CallInput&)>& still) {
  const auto attempt = [&](auto change) {
    CallInput smaller = input;
    change(smaller);
    if (still(smaller)) input = smaller;
  };
  attempt([](CallInput& c) { c.instruction_pointer = 0; });
  for (std::size_t i = 0; i < 6; ++i) {
    attempt([&](CallInput& c) { c.arguments[i] = 0; });
    for (int bit = 63; bit >= 0; --bit)
      if ((input.arguments[i] >> bit & 1) != 0) attempt([&](CallInput& c) { c.arguments[i] &= ~(1ull << bit); });
  }
  return input;
}

std::optional<Witness> confirm(const Question& question, Direction direction, const CallInput& input) {
  const auto still = [&](const CallInput& c) { return differs(question, direction, c); };
  if (!still(input)) return std::nullopt;
  const CallInput small = smallest(input, still);
  const model::Evaluated answer = run(question.graph, small);
  const model::Verdict verdict = policy_verdict(question, small);
  Witness w;
  w.arch = small.arch;
  w.number = small.number;
  w.arguments = small.arguments;
  w.instruction_pointer = small.instruction_pointer;
  w.answer = answer.word;
  w.action = call_text(small, question.archs);
  w.decision = verdict.decision;
  w.rules = verdict.rules;
  const std::uint32_t place = question.graph.nodes[answer.node].place;
  w.place = place == model::FilterGraph::default_place ? "the default action"
                                                       : fmt::format("{} {}", question.graph.place_name, place);
  w.observed = reaction_text(answer.word);
  return w;
}

}  // namespace agp::verify
