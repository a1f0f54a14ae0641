#include "compiler/driver/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/findings.hpp"
#include "compiler/driver/session.hpp"

namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;

/// Every policy beneath a path, by name. Nothing: the input does not resolve.
std::optional<std::map<std::string, model::Policy>> policies(Session& session, const std::string& path) {
  const std::string paths[] = {path};
  if (!open(session, paths)) return std::nullopt;
  std::map<std::string, model::Policy> out;
  bool good = true;
  for (const source::FileId file : session.project->collect(paths, session.sink)) {
    sema::Unit unit = load(session, file);
    good = good && !unit.failed;
    for (auto& policy : unit.policies) {
      if (session.options.policy && policy.name != *session.options.policy) continue;
      const std::string name = policy.name;
      const source::Span span = policy.name_span;
      const auto [at, fresh] = out.emplace(name, std::move(policy));
      if (fresh) continue;
      session.sink
          .emit(kind::policy_not_named, span,
                fmt::format("two policies are called `{}`: policies are paired by name", name))
          .relate(at->second.name_span, "the other one");
      session.unusable = true;
      good = false;
    }
  }
  if (!good || session.sink.errors() > 0) return std::nullopt;
  return out;
}

model::Policy nothing(const std::string& name) {
  model::Policy out;
  out.name = name;
  return out;
}

}  // namespace

bool DiffReport::wider() const {
  return std::any_of(policies.begin(), policies.end(), [](const PolicyDiff& p) {
    return !p.difference.wider.empty() ||
           std::any_of(p.difference.others.begin(), p.difference.others.end(), [](const auto& o) { return o.wider; });
  });
}

DiffReport diff(Session& before, const std::string& old_path, Session& after, const std::string& new_path) {
  DiffReport report;
  auto old_policies = policies(before, old_path);
  auto new_policies = policies(after, new_path);
  if (!old_policies || !new_policies) return report;
  report.resolved = true;
  std::map<std::string, std::pair<const model::Policy*, const model::Policy*>> pairs;
  for (const auto& [name, policy] : *old_policies) pairs[name].first = &policy;
  for (const auto& [name, policy] : *new_policies) pairs[name].second = &policy;
  if (pairs.empty()) {
    after.sink.emit(kind::nothing_to_do, {}, "there is no policy to compare");
    after.unusable = true;
  }
  for (const auto& [name, pair] : pairs) {
    const model::Policy none = nothing(name);
    PolicyDiff one;
    one.name = name;
    one.added = !pair.first;
    one.removed = !pair.second;
    one.difference =
        analysis::difference(pair.first ? *pair.first : none, pair.second ? *pair.second : none, space_limits(after));
    // what a policy as a whole is said to be is no change when the policy itself came or went
    if (one.added || one.removed) one.difference.others.clear();
    if (!one.difference.undecided.empty()) after.undecided = true;
    report.policies.push_back(std::move(one));
  }
  return report;
}

}  // namespace agp::driver
