#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/linux/loader_needs.hpp"
#include "compiler/model/filter_graph.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/smt_text.hpp"
#include "compiler/model/target.hpp"
#include "compiler/verify/gaps.hpp"
#include "compiler/verify/verify.hpp"

/// System calls in a certificate: both sides as formulas over `struct seccomp_data`. Nothing of it goes through the
/// verifier's own terms, facts or paths.
namespace agp::verify {

/// A set of answers (SECCOMP_RET_* words): what the artifact's side of a statement is about.
struct Answers {
  std::vector<std::uint32_t> actions;  ///< whatever their data
  std::optional<std::uint32_t> word;   ///< with its data
  bool others = false;                 ///< all answers but these
};
/// What every direction is about. `control`: the same with another answer demanded, `demanded_by_control`, for the two
/// that no rule of a policy can change: Errno, Permits.
Answers answers_of(Direction direction, bool control);
std::string_view demanded_by_control(Direction direction);
/// The policy's side has to be within the artifact's; of other directions it is the other way round.
bool demands(Direction direction);

/// `nr`, `arch`, `ip`, `arg0` … `arg5`. Of Errno also the registers of two calls of `clone`, `yes0` … and `no0` ….
void declare_call(smt::Script& script, Direction direction);

/// Defines `artifact`: is the program's answer one of these? Instruction by instruction from the bytes of a
/// `struct sock_filter` array. Says why it can't, or nothing. O(instructions × 16).
std::string state_program(smt::Script& script, std::string_view bytes, const Answers& answers);

/// The same for the graph that a profile was read to, node by node.
void state_graph(smt::Script& script, const model::FilterGraph& graph, const Answers& answers);

struct CallStatement {
  const model::Policy& policy;
  const model::Target& target;
  std::span<const CallGap> gaps;
  std::span<const linux::LoaderNeed> needs;
  linux::Arch machine;  ///< that the filter is loaded on
};
/// Defines `policy`: what may run, or what the direction demands. One definition for each call of the tables of the
/// target's architectures. O(calls × rules).
void state_calls(smt::Script& script, const CallStatement& statement, Direction direction);

}  // namespace agp::verify
