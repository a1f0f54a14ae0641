// The lints of one file. In: its policies. Out: findings with the severities of the configuration. Steps: each lint in
// turn; what a wider finding at the same place says already goes; suppressions that are wrong, past or idle.
#include "compiler/lint/lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/lint/finding.hpp"
#include "compiler/lint/reach.hpp"
#include "compiler/lint/secrets.hpp"
#include "compiler/lint/suppressions.hpp"

namespace agp::lint {

namespace kind = diagnostics::kind;
using diagnostics::Diagnostic;
using diagnostics::Kind;

Context::Context(const source::Files& all_files, const model::Policy& looked_at, const Options& settings,
                 Suppressions& suppressions, Layout& where)
    : files(all_files), policy(looked_at), options(settings), layout(where), suppressions_(suppressions) {}
Context::~Context() = default;

Reach& Context::file_reach() {
  if (!file_reach_) file_reach_ = std::make_unique<Reach>(*this, analysis::Sort::File);
  return *file_reach_;
}

Context::Place Context::place(const model::Rule& rule, source::Span pattern, const std::string& text) const {
  if (rule.module.empty()) {
    const std::string_view effect = rule.effect == model::Effect::Ask ? "ask " : "allow ";
    return {pattern.known() ? pattern : rule.span, rule.span, std::string(effect) + text, false};
  }
  for (auto at = rule.included_by.rbegin(); at != rule.included_by.rend(); ++at)
    if (!files.get(at->file).library) return {*at, *at, "include " + rule.module, true};
  return {policy.name_span, policy.name_span, rule.text, true};
}

bool Context::suppressed(const Kind& k, source::Span span, source::Span statement) {
  return suppressions_.covers(k, span, statement);
}

Diagnostic& Context::report(const Kind& k, source::Span span, source::Span statement, std::string message) {
  findings.push_back({Diagnostic(k, span, std::move(message)), statement, 0});
  findings.back().diagnostic.about(policy.name);
  return findings.back().diagnostic;
}

namespace {

/// What a wide grant is told once for: narrower findings at its place say nothing new. Their severity and names stay.
struct Wide {
  const Kind* kind;
  int first, last;  ///< the numbers that it stands for
};
constexpr Wide wide_kinds[] = {{&kind::broad_write, 3010, 3026},          {&kind::broad_write, 3039, 3039},
                               {&kind::broad_write, 3231, 3231},          {&kind::broad_read, 3030, 3037},
                               {&kind::unrestricted_network, 3090, 3116}, {&kind::inherited_environment, 3291, 3293}};

bool same_place(const Finding& a, const Finding& b) { return a.diagnostic.primary == b.diagnostic.primary; }

void absorb(std::vector<Finding>& findings) {
  std::vector<bool> gone(findings.size(), false);
  for (std::size_t w = 0; w < findings.size(); ++w) {
    Diagnostic& whole = findings[w].diagnostic;
    std::set<std::string_view> names;
    for (const Wide& row : wide_kinds) {
      if (row.kind != whole.kind) continue;
      for (std::size_t f = 0; f < findings.size(); ++f) {
        const Diagnostic& d = findings[f].diagnostic;
        // what is told of several places at once says something of the others as well
        if (f == w || gone[f] || !d.elsewhere.empty() || d.kind == whole.kind || d.kind->number < row.first ||
            d.kind->number > row.last || !same_place(findings[f], findings[w]))
          continue;
        gone[f] = true;
        names.insert(d.kind->name);
        whole.stands_for.push_back(d.kind);
        whole.severity = std::max(whole.severity, d.severity);
      }
    }
    if (!names.empty()) whole.note(fmt::format("this stands for {} as well", fmt::join(names, ", ")));
  }
  // What is part of the system and has a lint of its own: whichever says more.
  for (std::size_t s = 0; s < findings.size(); ++s) {
    if (gone[s] || findings[s].diagnostic.kind != &kind::system_writable) continue;
    for (std::size_t f = 0; f < findings.size(); ++f) {
      const Kind* k = findings[f].diagnostic.kind;
      if (gone[f] || !same_place(findings[f], findings[s])) continue;
      if (k == &kind::path_directory_writable || k == &kind::interpreter_path_writable ||
          k == &kind::autostart_writable || k == &kind::loader_config_writable)
        gone[findings[f].extent >= findings[s].extent ? s : f] = true;
    }
  }
  std::size_t at = 0;
  std::erase_if(findings, [&](const Finding&) { return gone[at++]; });
}

void set_levels(std::vector<Finding>& findings, const Levels& levels) {
  std::erase_if(findings, [&](Finding& f) {
    const auto at = levels.find(f.diagnostic.kind->number);
    if (at == levels.end()) return false;
    if (at->second) f.diagnostic.severity = *at->second;
    return !at->second;
  });
}

/// Where lints had a chance to find something: the policies of the file, and the rules that they take from its
/// fragments.
void look_at(const model::Policy& policy, std::vector<source::Span>& out) {
  out.push_back(policy.span);
  for (const model::Rule& rule : policy.rules) {
    out.push_back(rule.span);
    out.insert(out.end(), rule.included_by.begin(), rule.included_by.end());
  }
}

}  // namespace

bool check(const source::Files& files, source::FileId file, std::span<const model::Policy* const> policies,
           const Options& options, diagnostics::Sink& sink) {
  Suppressions suppressions(files, options);
  Layout layout(files);
  std::vector<source::Span> looked_at;
  bool decided = true;
  for (const model::Policy* policy : policies) {
    Context context(files, *policy, options, suppressions, layout);
    find_reaches(context);
    find_broad_files(context);
    find_network_shapes(context);
    find_run_shapes(context);
    find_rule_shapes(context);
    find_chains(context);
    set_levels(context.findings, options.levels);
    std::erase_if(context.findings, [&](const Finding& f) {
      return suppressions.covers(*f.diagnostic.kind, f.diagnostic.primary, f.statement);
    });
    absorb(context.findings);
    for (Finding& f : context.findings) sink.emit(std::move(f.diagnostic));
    if (!context.decided)
      sink.emit(kind::undecided_check, policy->name_span,
                fmt::format("what `{}` grants is not looked at in full: {}", policy->name, context.undecided))
          .about(policy->name);
    decided = decided && context.decided;
    look_at(*policy, looked_at);
  }
  std::vector<Finding> secrets = find_secrets(files, file);
  set_levels(secrets, options.levels);
  for (Finding& f : secrets)
    if (!suppressions.covers(*f.diagnostic.kind, f.diagnostic.primary, f.statement)) sink.emit(std::move(f.diagnostic));
  if (!policies.empty()) suppressions.judge(file, looked_at, sink);
  return decided;
}

}  // namespace agp::lint
