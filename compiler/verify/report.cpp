#include <fmt/format.h>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/verify/verify.hpp"

// Obligations that are not proved -> diagnostics.
namespace agp::verify {
namespace {

namespace kind = diagnostics::kind;

const model::Rule* deciding_rule(const model::Policy& policy, const Witness& w) {
  return w.rules.empty() ? nullptr : &policy.rules[w.rules.front()];
}

std::string decision_text(const Witness& w) {
  switch (w.decision) {
    case model::Decision::Allow:
      return "allowed";
    case model::Decision::Ask:
      return "to be asked about";
    default:
      return "denied";
  }
}

const diagnostics::Kind& kind_of(Direction d) {
  switch (d) {
    case Direction::Excess:
      return kind::artifact_wider;
    case Direction::Loss:
      return kind::artifact_narrower;
    case Direction::Permits:
      return kind::audit_refuses;
    case Direction::Reports:
      return kind::audit_unreported;
    case Direction::Quiet:
      return kind::audit_overreports;
    default:
      return kind::artifact_errno;
  }
}

void refuted(const model::Policy& policy, const Obligation& o, const Witness& w, diagnostics::Sink& sink) {
  const model::Rule* rule = deciding_rule(policy, w);
  const source::Span span = rule ? rule->span : policy.name_span;
  std::string message;
  switch (o.direction) {
    case Direction::Excess:
      message = fmt::format("`{}` permits a {} that the policy does not allow", o.artifact, o.thing);
      break;
    case Direction::Loss:
      message = fmt::format("`{}` refuses a {} that {}", o.artifact, o.thing,
                            rule ? "the policy allows" : "what the policy allows needs");
      break;
    case Direction::Permits:
      message = fmt::format("`{}` refuses a {}, and the block is audited", o.artifact, o.thing);
      break;
    case Direction::Reports:
      message = fmt::format("`{}` lets a {} pass unreported that the policy would refuse", o.artifact, o.thing);
      break;
    case Direction::Quiet:
      message = fmt::format("`{}` reports a {} that {}", o.artifact, o.thing,
                            rule ? "the policy allows" : "what the policy allows needs");
      break;
    default:
      message = fmt::format("`{}` answers a refused `clone3` with {} instead of ENOSYS", o.artifact, w.observed);
  }
  if (o.layer == "alerts")
    message = fmt::format("`{}` {}", o.artifact,
                          o.direction == Direction::Excess ? "reports what the policy does not ask for"
                                                           : "lacks a report that the policy asks for");
  auto& d = sink.emit(kind_of(o.direction), span, std::move(message));
  d.about(policy.name).witnessed(w.action);
  d.labelled(o.layer == "alerts"               ? "its `on deny` says which reports there are"
             : rule                            ? fmt::format("this rule says that it is {}", decision_text(w))
             : o.direction == Direction::Loss  ? "no rule is about it, and yet it has to pass"
             : o.direction == Direction::Quiet ? "no rule is about it, and yet it has to pass without a report"
                                               : "no rule of this policy allows it");
  if (rule)
    for (const source::Span& via : rule->included_by) d.relate(via, "included here");
  d.note(fmt::format("in the artifact it is {}, at {}", w.observed, w.place));
  if (o.direction == Direction::Errno)
    d.note("the C library calls `clone3` first and falls back to `clone` only after ENOSYS");
  d.helped("build the artifact again with `agp build`, or change the policy if the artifact is what was meant");
}

}  // namespace

void report(const model::Policy& policy, std::span<const Obligation> obligations, diagnostics::Sink& sink) {
  for (const Obligation& o : obligations) {
    if (!o.open.empty())
      sink.emit(kind::second_solver_unknown, policy.name_span,
                fmt::format("what is proved of `{}` was not all decided again: the second solver: {}", o.artifact,
                            o.open))
          .about(policy.name)
          .labelled(fmt::format("decided once: {}", o.statement));
    o.verdict.match([](const solver::Proved&) {}, [&](const Witness& w) { refuted(policy, o, w, sink); },
                    [&](const solver::Unknown& u) {
                      if (o.disputed) {
                        sink.emit(kind::solvers_disagree, policy.name_span,
                                  fmt::format("two solvers disagree about `{}`: {}", o.artifact, u.reason))
                            .about(policy.name)
                            .labelled(fmt::format("not known: {}", o.statement))
                            .note("one of them has a bug: no verdict about this artifact can be relied on")
                            .helped("please report it with the policy");
                        return;
                      }
                      sink.emit(kind::artifact_unknown, policy.name_span,
                                fmt::format("`{}` could not be decided: {}", o.artifact, u.reason))
                          .about(policy.name)
                          .labelled(fmt::format("not known: {}", o.statement))
                          .helped(o.thing == "system call" ? "give the solver more time with `--solver-timeout 60s`"
                                                           : "build the artifact again with `agp build`");
                    });
  }
}

void report_refused(const model::Policy& policy, std::string_view layer, const backends::Decoded& decoded,
                    diagnostics::Sink& sink) {
  for (const backends::Problem& p : decoded.problems) {
    auto& d = sink.emit(kind::artifact_refused, policy.name_span, p.message);
    d.about(policy.name).labelled(fmt::format("nothing is proved about the layer `{}`", layer));
    d.helped(p.help.empty() ? "build the artifact again with `agp build`" : p.help);
  }
}

}  // namespace agp::verify
