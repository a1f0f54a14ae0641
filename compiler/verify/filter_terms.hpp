#pragma once
#include <cstdint>
#include <optional>

#include "compiler/model/filter_graph.hpp"
#include "compiler/solver/terms.hpp"
#include "compiler/verify/policy_terms.hpp"

/// The artifact's side of the comparison.
namespace agp::verify {

/// What the kernel does with a SECCOMP_RET_* word (kernel/seccomp.c, __seccomp_filter): the upper half is the action,
/// an unknown one kills the process.
enum class Reaction { Runs, Supervised, Errno, Trap, Kill };
Reaction reaction(std::uint32_t word);
std::string reaction_text(std::uint32_t word);  ///< "permitted", "EPERM", "killed", …

/// Formulas over what the filter answers.
struct FilterOnCall {
  solver::Term runs;       ///< RET_ALLOW or RET_LOG
  solver::Term permitted;  ///< or USER_NOTIF or TRACE: somebody else may let it run
  solver::Term enosys;     ///< RET_ERRNO with ENOSYS
  solver::Term logged;     ///< RET_LOG: runs, and is reported
};

/// The graph for one number of one architecture (AUDIT_ARCH_*), or for any (unset): loads of `nr` and `arch` are
/// replaced first, so that only the part that number reaches, and only tests on arguments, become formulas.
FilterOnCall filter_terms(const model::FilterGraph& graph, solver::Terms& terms, const CallVariables& variables,
                          std::optional<std::uint32_t> number, std::optional<std::uint32_t> arch);

}  // namespace agp::verify
