#include "compiler/driver/doc.hpp"

#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"

namespace agp::driver {

std::optional<DocReport> doc(Session& session, const std::string& file) {
  const std::string paths[] = {file};
  if (!open(session, paths)) return std::nullopt;
  const auto id = session.project->read(file, session.sink);
  if (!id) {
    session.unusable = true;
    return std::nullopt;
  }
  sema::Unit unit = load(session, *id);
  const auto chosen = choose_policy(session, *id, unit);
  if (!chosen) return std::nullopt;
  DocReport out;
  out.file = session.files.get(*id).path;
  out.policy.policy = std::move(unit.policies[*chosen]);
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
