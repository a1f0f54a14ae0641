#include <fmt/format.h>

#include "compiler/driver/emission.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"

namespace agp::driver {

CheckReport check(Session& session, std::span<const std::string> paths) {
  CheckReport report;
  if (!open(session, paths)) return report;
  const auto files = session.project->collect(paths, session.sink);
  report.files = files.size();
  for (const source::FileId file : files) {
    sema::Unit unit = load(session, file);
    if (unit.failed) continue;  // what was left out would make the plan a lie
    for (auto& policy : unit.policies) {
      if (session.options.policy && policy.name != *session.options.policy) continue;
      const model::Target target = plan::target_for(policy, *session.target);
      plan::Plan plan = plan::make_plan(policy, target, session.sink);
      // What a backend can't make is found here, not only when the policy is built.
      emit_all(policy, target, session.sink);
      report.policies.push_back({std::move(policy), std::move(plan)});
    }
  }
  if (files.empty() && session.sink.errors() == 0)
    session.sink.emit(diagnostics::kind::nothing_to_do, {}, "no `.agp` file was found")
        .helped("name a file or a directory that has one");
  return report;
}

}  // namespace agp::driver
