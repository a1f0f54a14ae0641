#pragma once
#include <span>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "backends/seccomp/emit/diagram.hpp"
#include "backends/seccomp/format.hpp"
#include "compiler/linux/loader_needs.hpp"
#include "compiler/linux/syscalls.hpp"

namespace agp::backends::seccomp {

/// Half of a value that a rule compares an argument with.
struct ComparedWord {
  unsigned argument = 0;
  bool low = false;
  std::uint32_t word = 0;
  std::size_t rule = 0;  ///< index into policy.rules
  friend auto operator<=>(const ComparedWord&, const ComparedWord&) = default;
};

/// What the filter answers to one system call of the table.
struct CallDecision {
  const linux::Syscall* call = nullptr;
  Diagram::Ref root = Diagram::no;  ///< leaves are SECCOMP_RET_* words
  std::vector<std::size_t> rules;   ///< that mention the call, indices into policy.rules, ascending
  std::vector<ComparedWord> words;  ///< ascending; where several rules mention it, to tell what instruction is whose
  bool derived = false;             ///< permitted because the loader needs it
};

/// Every call of one architecture's table, ascending by number.
struct ArchDecisions {
  linux::Arch arch = linux::Arch::x86_64;
  std::vector<CallDecision> calls;
};

struct Decisions {
  Diagram diagram;
  std::vector<ArchDecisions> archs;                                          ///< in the target's order
  Diagram::Ref no_call = Diagram::leaf(format::ret_errno | format::enosys);  ///< for numbers without a call
  std::vector<Problem> problems;
  bool audit = false;  ///< `syscall` is audited: every leaf is RET_ALLOW or RET_LOG
};

/// How the words of a call's arguments are ordered: always alike, so that equal decisions are one Ref across calls and
/// architectures, or as is expected to cost least.
enum class WordChoice { Natural, Cheapest };

/// Every call of the target's architectures under the policy: kill beats trap beats errno beats ask beats allow, then
/// the default; or RET_LOG for whatever is refused where `syscall` is audited. `needs` are calls that are permitted
/// besides, whatever their arguments, unless a deny or ask rule is about them (a problem).
Decisions decide_calls(const model::Policy& policy, const model::Target& target,
                       std::span<const linux::LoaderNeed> needs, WordChoice choice);

/// The word for a call that nothing permits and no deny rule names.
std::uint32_t default_denial(const linux::Syscall& call, const model::Target& target);

}  // namespace agp::backends::seccomp
