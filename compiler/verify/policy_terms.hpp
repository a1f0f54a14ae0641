#pragma once
#include <array>
#include <map>
#include <string_view>
#include <vector>

#include "compiler/linux/syscalls.hpp"
#include "compiler/model/policy.hpp"
#include "compiler/plan/plan.hpp"
#include "compiler/solver/terms.hpp"
#include "compiler/verify/facts.hpp"
#include "compiler/verify/gaps.hpp"

/// The policy's side of the comparison: what LANGUAGE.md says about one system call, as formulas over its six
/// registers. Written from model::holds and model::decide, not from what any backend emits.
namespace agp::verify {

/// The free variables: what a filter sees of a call.
struct CallVariables {
  std::array<solver::Term, 6> arguments;  ///< 64 bits
  solver::Term instruction_pointer;       ///< 64 bits
  solver::Term number, arch;              ///< 32 bits
};
CallVariables call_variables(solver::Terms& terms);

/// When rules of each sort are about the call with these arguments.
struct PolicyOnCall {
  solver::Term allow, ask, deny;
  solver::Term named_denial;  ///< a deny rule that says which errno, or trap or kill
  solver::Term may_exceed;    ///< accepted as wider: outside the obligation
  solver::Term may_lack;      ///< accepted as narrower
};

class PolicyTerms {
 public:
  /// The references must outlive this object.
  PolicyTerms(const model::Policy& policy, const plan::Plan& plan, solver::Terms& terms,
              const CallVariables& variables);
  /// With facts: formulas that are right for every call that agrees with them, and as small as they permit.
  PolicyOnCall on(const linux::Syscall& call, const Facts* facts = nullptr);
  /// When the conditions of one pattern hold.
  solver::Term on(const model::SyscallPattern& one, const linux::Syscall& call, bool refuses) {
    return pattern(one, call, refuses, nullptr);
  }

 private:
  using Patterns = std::vector<const model::SyscallPattern*>;
  /// What one rule says about one call.
  struct Mention {
    const model::Rule* rule;
    Patterns patterns, except;
  };

  solver::Term test(const model::ArgTest& test, const linux::Syscall& call, bool refuses, const Facts* facts);
  solver::Term under(const model::ArgTest& test, std::uint64_t mask, const Facts* facts);
  solver::Term pattern(const model::SyscallPattern& pattern, const linux::Syscall& call, bool refuses,
                       const Facts* facts);
  solver::Term any(const Patterns& patterns, const linux::Syscall& call, bool refuses, const Facts* facts);
  void index();

  const model::Policy& policy_;
  solver::Terms& terms_;
  const CallVariables& variables_;
  std::map<std::string_view, std::vector<Mention>> mentions_;
  const std::vector<CallGap> gaps_;
};

}  // namespace agp::verify
