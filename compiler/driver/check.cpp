#include <fmt/format.h>

#include <algorithm>

#include "compiler/analysis/invariants.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/emission.hpp"
#include "compiler/driver/findings.hpp"
#include "compiler/driver/progress.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"

namespace agp::driver {
namespace {

void vacuous(Session& session, const std::vector<model::Invariant>& invariants,
             const std::vector<const model::Policy*>& policies) {
  std::vector<const model::Invariant*> all;
  for (const model::Invariant& invariant : invariants) all.push_back(&invariant);
  analysis::find_vacuous(all, policies, session.sink);
}

/// One mistake, one finding: what the plan or a backend says about the very place of a conflict across blocks follows
/// from it. Only an error stands for another one.
void absorb(diagnostics::Sink& sink) {
  namespace kind = diagnostics::kind;
  using diagnostics::Diagnostic;
  std::vector<source::Span> places;
  for (const Diagnostic& d : sink.all())
    if (d.severity == diagnostics::Severity::Error &&
        (d.kind == &kind::write_on_readonly || d.kind == &kind::unreached_mount || d.kind == &kind::loader_denied))
      places.push_back(d.primary);
  if (places.empty()) return;
  std::erase_if(sink.all(), [&](const Diagnostic& d) {
    if (d.kind != &kind::gap_narrower && d.kind != &kind::artifact_impossible) return false;
    return std::any_of(places.begin(), places.end(), [&](const source::Span& s) {
      return s.file == d.primary.file && s.begin < d.primary.end && d.primary.begin < s.end;
    });
  });
  sink.drop_repeated();
}

}  // namespace

CheckReport check(Session& session, std::span<const std::string> paths) {
  CheckReport report;
  if (!open(session, paths)) return report;
  std::vector<model::Invariant> given;
  if (!read_invariants(session, given)) return report;
  const auto files = session.project->collect(paths, session.sink);
  report.files = files.size();
  Progress::begin(session.progress, "checking", files.size());
  for (const source::FileId file : files) {
    Progress::advance(session.progress);
    sema::Unit unit = load(session, file);
    if (unit.failed) continue;  // what was left out would make the plan a lie
    std::vector<const model::Policy*> here;
    for (const auto& policy : unit.policies) here.push_back(&policy);
    vacuous(session, unit.invariants, here);
    for (auto& policy : unit.policies) {
      if (session.options.policy && policy.name != *session.options.policy) continue;
      const model::Target target = plan::target_for(policy, *session.target);
      judge(session, policy, target, unit.invariants, given);
      plan::Plan plan = plan::make_plan(policy, target, session.sink);
      // What a backend can't make is found here, not only when the policy is built.
      emit_all(policy, target, session.sink);
      absorb(session.sink);
      report.policies.push_back({std::move(policy), std::move(plan)});
    }
  }
  std::vector<const model::Policy*> all;
  for (const auto& one : report.policies) all.push_back(&one.policy);
  vacuous(session, given, all);
  session.sink.drop_repeated();
  if (files.empty() && session.sink.errors() == 0)
    session.sink.emit(diagnostics::kind::nothing_to_do, {}, "no `.agp` file was found")
        .helped("name a file or a directory that has one");
  if (session.options.policy && report.policies.empty() && session.sink.errors() == 0)
    session.sink.emit(diagnostics::kind::policy_not_named, {},
                      fmt::format("no policy is called `{}`", *session.options.policy));
  return report;
}

}  // namespace agp::driver
