#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/emission.hpp"
#include "compiler/driver/progress.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"
#include "compiler/verify/stack.hpp"

// check -> emit -> decode -> compare -> put in place.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;
using backends::Artifact;
using Clock = std::chrono::steady_clock;

std::uint64_t since(Clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count());
}

/// Reads every artifact back and compares. Anything that is not proved is a finding; what can't be read back is named.
void prove(Session& session, BuiltPolicy& built, const model::Target& target, std::span<const Artifact> artifacts) {
  const auto readings = verify::read_back(artifacts, target);
  for (const auto& r : readings) verify::report_refused(built.policy, r.layer, r.decoded, session.sink);
  built.not_verified = verify::not_verified(readings);
  built.obligations = verify::verify_stack(built.policy, target, built.plan, readings, verify_options(session));
  verify::report(built.policy, built.obligations, session.sink);
  for (const auto& o : built.obligations)
    if (o.verdict.word() == "unknown") session.undecided = true;
}

bundle::ProofRow proof_row(const verify::Obligation& o) {
  bundle::ProofRow row{o.artifact, std::string(verify::to_string(o.direction)), o.verdict.word(), "", "", 0};
  o.verdict.match([](const solver::Proved&) {}, [&](const verify::Witness& w) { row.witness = w.action; },
                  [&](const solver::Unknown& u) { row.reason = u.reason; });
  return row;
}

bool selected(const Artifact& artifact, const std::vector<std::string>& backends) {
  if (backends.empty()) return true;
  const std::string folder = artifact.path.substr(0, artifact.path.find_first_of("/."));
  return std::find(backends.begin(), backends.end(), folder) != backends.end();
}

bool known_backends(Session& session, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const auto all = backends::all();
    if (std::any_of(all.begin(), all.end(), [&](const backends::Backend* b) { return b->name() == name; })) continue;
    std::vector<std::string_view> known;
    for (const auto* b : all) known.push_back(b->name());
    session.sink.emit(kind::nothing_to_do, {}, fmt::format("no backend is called `{}`", name))
        .helped(fmt::format("backends are {}", fmt::join(known, ", ")));
    session.unusable = true;
    return false;
  }
  return true;
}

bundle::Content content(const Session& session, const BuiltPolicy& built, const model::Target& target,
                        Emission emission, const BuildOptions& options) {
  bundle::Content out;
  out.files = &session.files;
  out.policy = &built.policy;
  out.target = &target;
  out.plan = &built.plan;
  out.commands = plan::stack_commands(built.policy, target);
  std::erase_if(emission.artifacts, [&](const Artifact& a) { return !selected(a, options.emit); });
  out.artifacts = std::move(emission.artifacts);
  out.map = std::move(emission.map);
  out.not_verified = built.not_verified;
  out.proofs_skipped = built.proofs_skipped;
  out.parameters = session.options.set;
  out.date = session.options.today;
  if (!built.obligations.empty()) out.solver = solver::Session(solver::Terms{}).version();
  for (const auto& o : built.obligations) out.proofs.push_back(proof_row(o));
  return out;
}

/// The policies that a build means: all of them with `--all`, else the one of the one file.
std::vector<PolicyReport> to_build(Session& session, std::span<const std::string> paths, const BuildOptions& options) {
  CheckReport checked = check(session, paths);
  if (session.unusable || session.sink.errors() > 0) return {};
  std::vector<std::string> names;
  for (const auto& p : checked.policies) names.push_back(p.policy.name);
  if (options.all) {
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end() && !names.empty()) return std::move(checked.policies);
    session.sink.emit(kind::policy_not_named, {},
                      names.empty()
                          ? "there is no policy to build"
                          : fmt::format("two policies are called `{}`: their directories would be one", *twice));
  } else if (names.size() == 1) {
    return std::move(checked.policies);
  } else {
    session.sink
        .emit(kind::policy_not_named, {},
              names.empty() ? "there is no policy to build" : fmt::format("there are {} policies", names.size()))
        .helped(names.empty() ? ""
                              : fmt::format("choose one with `--policy`, or build them all with `--all`: {}",
                                            fmt::join(names, ", ")));
  }
  session.unusable = true;
  return {};
}

/// Anything but exit status 0 leaves no new artifact behind.
bool fails(const diagnostics::Sink& sink, std::optional<diagnostics::Severity> fail_on) {
  const auto& all = sink.all();
  return fail_on && std::any_of(all.begin(), all.end(), [&](const auto& d) { return d.severity >= *fail_on; });
}

}  // namespace

BuildReport build(Session& session, std::span<const std::string> paths, const BuildOptions& options) {
  BuildReport report;
  if (!known_backends(session, options.emit) || !bundle::may_replace(options.directory, session.sink)) {
    session.unusable = true;
    return report;
  }
  std::vector<Artifact> tree;
  auto policies = to_build(session, paths, options);
  Progress::begin(session.progress, "proving", policies.size());
  for (PolicyReport& checked : policies) {
    Progress::advance(session.progress);
    const auto start = Clock::now();
    BuiltPolicy built{std::move(checked.policy), std::move(checked.plan), {}, {}, {}, !options.verify};
    const model::Target target = plan::target_for(built.policy, *session.target);
    Emission emission = emit_all(built.policy, target, session.sink);
    if (session.sink.errors() > 0) return report;
    if (options.verify) prove(session, built, target, emission.artifacts);
    bundle::Content directory = content(session, built, target, std::move(emission), options);
    directory.milliseconds = since(start);
    for (auto& file : bundle::files(directory)) {
      built.artifacts.push_back(file.path);
      if (options.all) file.path = built.policy.name + "/" + file.path;
      tree.push_back(std::move(file));
    }
    report.policies.push_back(std::move(built));
  }
  if (session.sink.errors() > 0 || session.unusable || session.undecided || tree.empty()) return report;
  if (fails(session.sink, options.fail_on)) return report;
  report.written = bundle::write(options.directory, tree, session.sink);
  session.unusable = !report.written;
  return report;
}

}  // namespace agp::driver
