// The pipeline of `check`, pass by pass.
#include "compiler/driver/check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/analysis/invariants.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/baseline.hpp"
#include "compiler/driver/emission.hpp"
#include "compiler/driver/findings.hpp"
#include "compiler/driver/progress.hpp"
#include "compiler/lint/deletions.hpp"
#include "compiler/lint/lint.hpp"
#include "compiler/plan/stack.hpp"
#include "compiler/project/config.hpp"

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

std::optional<CheckInput> check_input(Session& session, std::span<const std::string> paths) {
  CheckInput input;
  if (!open(session, paths) || !read_invariants(session, input.given)) return std::nullopt;
  input.files = session.project->collect(paths, session.sink);
  return input;
}

CheckedFile check_file(Session& session, source::FileId file, const std::vector<model::Invariant>& given) {
  CheckedFile out{load(session, file), {}};
  sema::Unit& unit = out.unit;
  if (unit.failed) return out;  // what was left out would make the plan a lie
  std::vector<const model::Policy*> here;
  for (const auto& policy : unit.policies) here.push_back(&policy);
  vacuous(session, unit.invariants, here);
  if (session.options.policy)
    std::erase_if(here, [&](const model::Policy* p) { return p->name != *session.options.policy; });
  const auto levels = project::lint_levels(session.files, session.project->config().path);
  lint::check(session.files, file, here, {levels, session.options.today, space_limits(session)}, session.sink);
  for (auto& policy : unit.policies) {
    if (session.options.policy && policy.name != *session.options.policy) continue;
    const model::Target target = plan::target_for(policy, *session.target);
    PolicyReport report;
    const std::size_t found = session.sink.all().size();
    report.counts = judge(session, policy, target, unit.invariants, given);
    report.plan = plan::make_plan(policy, target, session.sink);
    // What a backend can't make is found here, not only when the policy is built.
    find_impossible(policy, target, session.sink);
    lint::offer_deletions(session.files, policy, session.sink, found);
    absorb(session.sink);
    report.policy = std::move(policy);
    out.policies.push_back(std::move(report));
  }
  session.sink.drop_repeated();
  return out;
}

void check_whole(Session& session, const CheckInput& input, std::span<const std::string> policies) {
  std::vector<model::Policy> named(policies.size());  // an invariant concerns a policy by its name
  std::vector<const model::Policy*> all;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    named[i].name = policies[i];
    all.push_back(&named[i]);
  }
  vacuous(session, input.given, all);
  session.sink.drop_repeated();
  if (input.files.empty() && session.sink.errors() == 0)
    session.sink.emit(diagnostics::kind::nothing_to_do, {}, "no `.agp` file was found")
        .helped("name a file or a directory that has one");
  if (session.options.policy && policies.empty() && session.sink.errors() == 0)
    session.sink.emit(diagnostics::kind::policy_not_named, {},
                      fmt::format("no policy is called `{}`", *session.options.policy));
}

CheckReport check(Session& session, std::span<const std::string> paths) {
  CheckReport report;
  const auto input = check_input(session, paths);
  if (!input) return report;
  report.files = input->files.size();
  Progress::begin(session.progress, "checking", report.files);
  std::vector<std::string> names;
  for (const source::FileId file : input->files) {
    Progress::advance(session.progress);
    session.project->begin();
    for (PolicyReport& one : check_file(session, file, input->given).policies) {
      names.push_back(one.policy.name);
      report.policies.push_back(std::move(one));
    }
  }
  check_whole(session, *input, names);
  apply_baseline(session, {names.begin(), names.end()});
  return report;
}

}  // namespace agp::driver
