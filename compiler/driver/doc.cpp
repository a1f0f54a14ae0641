#include "compiler/driver/doc.hpp"

#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"

namespace agp::driver {

std::optional<DocReport> doc(Session& session, const std::string& file) {
  auto chosen = one_of_unit(session, file);
  if (!chosen) return std::nullopt;
  auto& [unit, index] = *chosen;
  DocReport out;
  out.policy.policy = std::move(unit.policies[index]);
  out.file = session.files.get(out.policy.policy.name_span.file).path;
  const model::Policy& policy = out.policy.policy;
  out.target = plan::target_for(policy, *session.target);
  diagnostics::Sink quiet;  // what the plan finds is check's business, and stands in the plan
  out.policy.plan = plan::make_plan(policy, out.target, quiet);
  for (model::Invariant& invariant : unit.invariants)
    if (invariant.concerns(policy)) out.invariants.push_back(std::move(invariant));
  for (const sema::Test& test : unit.tests)
    if (test.policy.name == policy.name) out.expectations += test.lines.size();
  return out;
}

}  // namespace agp::driver
