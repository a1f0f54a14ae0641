#include "compiler/driver/emission.hpp"

#include <fmt/format.h>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/plan/plan.hpp"

namespace agp::driver {

namespace kind = diagnostics::kind;

namespace {

void report_problems(const backends::Backend& backend, std::span<const backends::Problem> problems,
                     const model::Policy& policy, diagnostics::Sink& sink) {
  for (const auto& problem : problems)
    sink.emit(kind::artifact_impossible, problem.rule ? policy.rules[*problem.rule].span : policy.name_span,
              fmt::format("the backend `{}` can't make its artifact: {}", backend.name(), problem.message))
        .about(policy.name)
        .helped(problem.help);
}

}  // namespace

Emission emit_all(const model::Policy& policy, const model::Target& target, diagnostics::Sink& sink) {
  Emission out;
  for (const backends::Backend* backend : backends::all()) {
    if (!plan::writes_for(*backend, target.stack)) continue;
    backends::Emitted emitted = backend->emit(policy, target, out.artifacts);
    report_problems(*backend, emitted.problems, policy, sink);
    for (auto& a : emitted.artifacts) out.artifacts.push_back(std::move(a));
    for (auto& m : emitted.map) out.map.push_back(std::move(m));
  }
  return out;
}

void find_impossible(const model::Policy& policy, const model::Target& target, diagnostics::Sink& sink) {
  for (const backends::Backend* backend : backends::all())
    if (plan::writes_for(*backend, target.stack))
      report_problems(*backend, backend->problems(policy, target), policy, sink);
}

}  // namespace agp::driver
