#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/analysis/probes.hpp"
#include "compiler/analysis/why.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/layers.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"
#include "compiler/source/disk.hpp"

// What answers from the model: query, test, probe; the first two from artifacts where they are given.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;

model::Decision strictest(model::Decision a, model::Decision b) { return std::min(a, b); }
static_assert(model::Decision::Deny < model::Decision::Ask && model::Decision::Ask < model::Decision::Allow);

/// The plan for its derived grants; its findings are `check`'s business.
plan::Plan quiet_plan(const model::Policy& policy, const model::Target& target) {
  diagnostics::Sink quiet;
  return plan::make_plan(policy, target, quiet);
}

/// A rule past its `until` counts for nothing; where it would have decided, the answer says so. A deny beats what has
/// ended, and an ask beats an allow that has.
void note_ended(const model::Policy& policy, const model::Action& action, model::Verdict& verdict) {
  const bool unmatched = verdict.rules.empty();
  for (model::Rule rule : policy.rules) {
    const bool asked = verdict.decision == model::Decision::Allow && rule.effect == model::Effect::Ask;
    if (!rule.expired || !(unmatched || asked)) continue;
    rule.expired = false;
    if (!model::matches(rule, action)) continue;
    if (!verdict.note.empty()) verdict.note += "; ";
    verdict.note += fmt::format("`{}` has ended", rule.text);
  }
}

/// The block that an action belongs to, where it can be audited. Sockets by path are held by mounts, names by the
/// resolver: neither can report and permit, and both stay enforced.
std::string_view audited_block(const model::Action& action) {
  if (std::holds_alternative<model::FileAction>(action)) return "file";
  if (std::holds_alternative<model::SyscallAction>(action)) return "syscall";
  if (std::holds_alternative<model::NetAction>(action) || std::holds_alternative<model::NameAction>(action))
    return "net";
  return "";
}

/// The decision is the policy's; what becomes of a refusal in audit is the stack's.
void note_audit(const model::Policy& policy, const plan::Plan& plan, const model::Action& action,
                model::Verdict& verdict) {
  const std::string_view block = audited_block(action);
  if (verdict.decision == model::Decision::Allow || block.empty() || !policy.audits(block)) return;
  const auto row = std::find_if(plan.rows.begin(), plan.rows.end(), [&](const plan::Row& r) {
    return r.fact.kind == model::Fact::Kind::Mode && r.fact.name == block;
  });
  if (row == plan.rows.end()) return;
  std::string note = fmt::format("`{}` is audited: this is reported, and permitted", block);
  if (row->holds != plan::Holds::Exact)
    for (const plan::Answer& a : row->answers)
      if (a.layer == row->layer) note = fmt::format("`{}` is audited, but {}", block, a.capability.reason);
  if (!verdict.note.empty()) verdict.note += "; ";
  verdict.note += note;
}

TestResult run_line(const sema::Test& test, const sema::TestLine& line) {
  TestResult out;
  out.span = line.span;
  out.policy = test.policy.name;
  out.action = line.text;
  out.expected = line.expected;
  for (const auto& action : line.actions) {
    const model::Verdict verdict = model::decide(test.policy, action);
    if (verdict.decision < out.observed || out.rules.empty())
      for (const std::size_t r : verdict.rules) out.rules.push_back(test.policy.rules[r].span);
    out.observed = strictest(out.observed, verdict.decision);
  }
  return out;
}

std::string_view decided(model::Decision d) {
  return d == model::Decision::Deny ? "denied" : d == model::Decision::Ask ? "put to a person" : "allowed";
}

void undecided_by_layers(Session& session, const model::Policy& policy, const model::Action& action) {
  session.sink
      .emit(kind::artifact_unknown, policy.name_span,
            fmt::format("no layer of the artifacts decides about `{}`", model::to_string(action)))
      .about(policy.name);
  session.undecided = true;
}

void disagree(Session& session, const model::Policy& policy, const std::string& action, model::Decision by_policy,
              model::Decision by_artifacts) {
  session.sink
      .emit(kind::artifacts_disagree, policy.name_span,
            fmt::format("`{}` is {} by the artifacts, and {} by the policy", action, decided(by_artifacts),
                        decided(by_policy)))
      .about(policy.name)
      .helped("`agp verify` says where the artifacts differ, and what they need beyond the policy");
}

/// What the layers of DIR, or of DIR/POLICY where `build --all` wrote it, do with the lines of tests.
class ArtifactTests {
 public:
  ArtifactTests(Session& session, std::string directory) : session_(session), directory_(std::move(directory)) {}

  void observe(const sema::Test& test, const sema::TestLine& line, TestResult& out) {
    const auto [at, fresh] = stacks_.try_emplace(test.policy.name);
    if (fresh) {
      const std::string own = directory_ + "/" + test.policy.name;
      const bool all = source::node_kind(own, true) == source::NodeKind::Directory;
      at->second = decode_stack(session_, test.policy, all ? own : directory_);
    }
    out.undecided = !at->second;
    if (!at->second) return;
    out.rules.clear();
    model::Decision by_policy = out.observed;
    out.observed = model::Decision::Allow;
    for (const auto& action : line.actions) {
      auto answers = layer_answers(*at->second, test.policy, action);
      const auto decision = decision_of(answers);
      if (decision)
        out.observed = strictest(out.observed, *decision);
      else
        undecided_by_layers(session_, test.policy, action);
      out.undecided = out.undecided || !decision;
      out.layers.insert(out.layers.end(), answers.begin(), answers.end());
    }
    if (!out.undecided && out.observed != by_policy)
      disagree(session_, test.policy, line.text, by_policy, out.observed);
  }

 private:
  Session& session_;
  const std::string directory_;
  std::map<std::string, std::optional<DecodedStack>> stacks_;
};

}  // namespace

std::optional<QueryReport> query(Session& session, const std::string& file, const std::string& action,
                                 const std::optional<std::string>& artifacts) {
  auto policy = one_policy(session, file);
  if (!policy) return std::nullopt;
  const source::FileId id = session.files.add("<action>", action);
  const sema::Options options = sema_options(session);
  const auto parsed = syntax::parse_action(session.files, id, session.sink, options.limits);
  if (!parsed) return std::nullopt;
  const auto resolved = sema::resolve_action(*parsed, options, session.sink);
  if (!resolved) return std::nullopt;
  QueryReport out;
  const plan::Plan plan = quiet_plan(*policy, plan::target_for(*policy, *session.target));
  out.action = resolved->text;
  out.decision = model::Decision::Allow;
  for (const auto& a : resolved->actions) {
    out.parts.push_back({a, model::decide(*policy, a)});
    note_ended(*policy, a, out.parts.back().verdict);
    note_audit(*policy, plan, a, out.parts.back().verdict);
    out.decision = strictest(out.decision, out.parts.back().verdict.decision);
  }
  out.why = analysis::why(*policy, resolved->actions);
  out.derived = plan.derived;
  if (artifacts) {
    const auto stack = decode_stack(session, *policy, *artifacts);
    if (!stack) return std::nullopt;
    out.by_artifacts = model::Decision::Allow;
    for (const auto& part : out.parts) {
      out.layers.push_back(layer_answers(*stack, *policy, part.action));
      const auto decision = decision_of(out.layers.back());
      if (!decision) undecided_by_layers(session, *policy, part.action);
      out.by_artifacts =
          decision && out.by_artifacts ? std::optional(strictest(*out.by_artifacts, *decision)) : std::nullopt;
    }
    if (out.by_artifacts && *out.by_artifacts != out.decision)
      disagree(session, *policy, out.action, out.decision, *out.by_artifacts);
  }
  out.policy = std::move(*policy);
  return out;
}

std::size_t failing_lines(const sema::Unit& unit) {
  std::size_t out = 0;
  for (const sema::Test& test : unit.tests)
    for (const sema::TestLine& line : test.lines) out += run_line(test, line).passed() ? 0 : 1;
  return out;
}

TestReport test(Session& session, std::span<const std::string> paths, const std::optional<std::string>& artifacts) {
  TestReport report;
  if (!open(session, paths)) return report;
  std::optional<ArtifactTests> layers;
  if (artifacts) layers.emplace(session, *artifacts);
  for (const source::FileId file : session.project->collect(paths, session.sink)) {
    const sema::Unit unit = load(session, file);
    if (session.sink.errors() > 0) continue;  // a test of a policy that does not resolve says nothing
    for (const auto& block : unit.tests) {
      if (session.options.policy && block.policy.name != *session.options.policy) continue;
      for (const auto& line : block.lines) {
        report.results.push_back(run_line(block, line));
        if (layers) layers->observe(block, line, report.results.back());
      }
    }
  }
  for (const TestResult& r : report.results) {
    if (r.passed() || r.undecided) continue;
    auto& d =
        session.sink.emit(kind::test_failed, r.span,
                          fmt::format("`{}` is {}, expected {}", r.action, decided(r.observed), to_string(r.expected)));
    d.about(r.policy);
    for (const auto& rule : r.rules) d.relate(rule, "decided by this rule");
    for (const LayerAnswer& l : r.layers)
      d.note(fmt::format("in `{}` it is {}{}", l.artifact, l.observed, l.place.empty() ? "" : ", at " + l.place));
    if (r.rules.empty() && r.layers.empty()) d.note("no rule matches it: what no rule allows is denied");
  }
  if (report.results.empty() && session.sink.errors() == 0) {
    session.sink.emit(kind::nothing_to_do, {}, "no `test` block was found");
    session.unusable = true;
  }
  return report;
}

std::optional<std::string> probe(Session& session, const std::string& file) {
  const auto policy = one_policy(session, file);
  if (!policy) return std::nullopt;
  std::vector<analysis::ProbeGrant> grants;
  for (const auto& d : quiet_plan(*policy, plan::target_for(*policy, *session.target)).derived)
    grants.push_back({d.grant, d.layer});
  const model::Target target = plan::target_for(*policy, *session.target);
  const auto suite = analysis::probes(*policy, target, grants);
  return analysis::to_json_lines(*policy, target, suite);
}

}  // namespace agp::driver
