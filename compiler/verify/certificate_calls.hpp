#pragma once
#include <span>
#include <string>
#include <string_view>

#include "compiler/linux/loader_needs.hpp"
#include "compiler/model/filter_graph.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/model/smt_text.hpp"
#include "compiler/model/target.hpp"
#include "compiler/verify/gaps.hpp"

/// System calls in a certificate: both sides as formulas over `struct seccomp_data`. Nothing of it goes through the
/// verifier's own terms, facts or paths.
namespace agp::verify {

/// `nr`, `arch`, `ip`, `arg0` … `arg5`.
void declare_call(smt::Script& script);

/// Defines `artifact`: does the program let the call run (`runs`), or run or be left to a supervisor? Instruction by
/// instruction from the bytes of a `struct sock_filter` array. Says why it can't, or nothing. O(instructions × 16).
std::string state_program(smt::Script& script, std::string_view bytes, bool runs);

/// The same for the graph that a profile was read to, node by node.
void state_graph(smt::Script& script, const model::FilterGraph& graph, bool runs);

struct CallStatement {
  const model::Policy& policy;
  const model::Target& target;
  std::span<const CallGap> gaps;
  std::span<const linux::LoaderNeed> needs;
  linux::Arch machine;  ///< that the filter is loaded on
};
/// Defines `policy`: what may run (`demanded` false), or what has to. One definition for each call of the tables of the
/// target's architectures. O(calls × rules).
void state_calls(smt::Script& script, const CallStatement& statement, bool demanded);

}  // namespace agp::verify
