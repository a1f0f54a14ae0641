#include "compiler/driver/fix.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "compiler/analysis/difference.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/baseline.hpp"
#include "compiler/driver/check.hpp"
#include "compiler/driver/findings.hpp"

// An edit is trusted no more than any other text: the file with it is checked like one that somebody wrote, and
// compared with what it was. So a guard that meets a rule which allows what it denies, or a layer that can't hold it,
// is put back, and no edit is kept with which a policy permits more.
namespace agp::driver {
namespace {

using diagnostics::Diagnostic;
using diagnostics::Edit;
using source::FileId;

/// A text and what a check says of it.
struct State {
  FileId file = 0;
  std::vector<Diagnostic> findings;
  std::vector<model::Policy> policies;
  std::size_t failing = 0;  ///< lines of tests
  bool resolved = false;
};

/// No policy permits more than before. Where a limit leaves that open, the answer is no.
bool no_wider(const State& before, const State& after, const analysis::SpaceLimits& limits) {
  if (before.policies.size() != after.policies.size()) return false;
  for (std::size_t p = 0; p < before.policies.size(); ++p) {
    const auto difference = analysis::difference(before.policies[p], after.policies[p], limits);
    if (!difference.wider.empty() || !difference.undecided.empty() ||
        std::any_of(difference.others.begin(), difference.others.end(), [](const auto& o) { return o.wider; }))
      return false;
  }
  return true;
}

/// What a finding is recognised by before and after an edit elsewhere in the file. Not its message: a witness may be
/// another one then.
using Key = std::tuple<const diagnostics::Kind*, std::string, std::string, std::string>;

/// All edits in one text; the same edit of several findings is made once. Nothing where two overlap.
std::optional<std::string> edited(const std::string& text, std::vector<Edit> edits) {
  const auto order = [](const Edit& e) { return std::tuple(e.span.begin, e.span.end); };
  std::stable_sort(edits.begin(), edits.end(), [&](const Edit& a, const Edit& b) { return order(a) < order(b); });
  std::string out;
  std::size_t at = 0;
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::string>> made;
  for (const Edit& e : edits) {
    if (!made.emplace(e.span.begin, e.span.end, e.replacement).second) continue;
    if (e.span.begin < at || e.span.end > text.size()) return std::nullopt;
    out.append(text, at, e.span.begin - at).append(e.replacement);
    at = e.span.end;
  }
  return out.append(text, at);
}

class Fixer {
 public:
  Fixer(Session& session, const CheckInput& input) : session_(session), input_(input), known_(read_baseline(session)) {}

  void fix(FileId file, FixReport& report) {
    if (session_.project->disk_path(file).empty()) return;
    const std::string path = session_.files.get(file).path;
    State now = look_at(file);
    if (!now.resolved) return;
    // What was refused is tried again after whatever was made: until a whole pass makes nothing. Each edit that is made
    // takes a finding away and adds none, so that this ends.
    while (pass(now, report)) continue;
    report.refused += static_cast<std::size_t>(std::count_if(
        now.findings.begin(), now.findings.end(), [&](const Diagnostic& d) { return mendable(d, now.file); }));
    if (now.file != file)
      report.files.push_back(
          {path, session_.project->disk_path(file), session_.files.get(file).text, session_.files.get(now.file).text});
  }

 private:
  /// Every finding with an edit once, together where that goes and one by one where not. Whether anything was made.
  bool pass(State& now, FixReport& report) {
    bool made = false;
    std::multiset<Key> tried;
    for (;;) {
      auto left = tried;
      std::vector<const Diagnostic*> open;
      const std::vector<source::Span> changing = rules_to_change(now);
      for (const Diagnostic& d : now.findings) {
        if (!mendable(d, now.file) || rests_on(d, changing)) continue;
        if (const auto at = left.find(key(d)); at != left.end())
          left.erase(at);
        else
          open.push_back(&d);
      }
      if (open.empty()) return made;
      std::optional<State> next = attempt(now, open);
      for (std::size_t i = 0; !next && i < open.size() && open.size() > 1; ++i) {
        next = attempt(now, {open[i]});
        if (next)
          open = {open[i]};
        else
          tried.insert(key(*open[i]));
      }
      if (!next && open.size() == 1) tried.insert(key(*open[0]));
      if (!next) continue;
      made = true;
      report.made += open.size();
      now = std::move(*next);
    }
  }

  /// The rules into which an edit of something else than redundancy reaches.
  static std::vector<source::Span> rules_to_change(const State& now) {
    std::vector<source::Span> out;
    for (const Diagnostic& d : now.findings) {
      if (!mendable(d, now.file) || d.kind == &diagnostics::kind::redundant_rule) continue;
      for (const model::Policy& policy : now.policies)
        for (const model::Rule& rule : policy.rules)
          if (std::any_of(d.edits.begin(), d.edits.end(), [&](const Edit& e) { return meet(e.span, rule.span); }))
            out.push_back(rule.span);
    }
    return out;
  }
  /// A rule is deleted because of others. While one of them may still become narrower, what covers it is not sure to
  /// stay.
  static bool rests_on(const Diagnostic& d, const std::vector<source::Span>& changing) {
    return d.kind == &diagnostics::kind::redundant_rule &&
           std::any_of(d.related.begin(), d.related.end(), [&](const diagnostics::Label& by) {
             return std::any_of(changing.begin(), changing.end(),
                                [&](const source::Span& rule) { return meet(by.span, rule); });
           });
  }
  static bool meet(const source::Span& a, const source::Span& b) {
    return a.file == b.file && a.begin < b.end && b.begin < a.end;
  }

  static bool mendable(const Diagnostic& d, FileId file) {
    return !d.edits.empty() &&
           std::all_of(d.edits.begin(), d.edits.end(), [&](const Edit& e) { return e.span.file == file; });
  }

  Key key(const Diagnostic& d) const {
    const auto file = d.primary.known() ? session_.files.get(d.primary.file).path : std::string();
    return {d.kind, d.policy, file, std::string(d.primary.known() ? session_.files.text(d.primary) : "")};
  }

  std::map<Key, std::size_t> count(const std::vector<Diagnostic>& findings) const {
    std::map<Key, std::size_t> out;
    for (const Diagnostic& d : findings) ++out[key(d)];
    return out;
  }

  State look_at(FileId file) {
    diagnostics::Sink outer = std::exchange(session_.sink, {});
    session_.project->begin();
    CheckedFile checked = check_file(session_, file, input_.given);
    State out{file, std::move(session_.sink.all()), {}, 0, !checked.unit.failed};
    for (PolicyReport& one : checked.policies) out.policies.push_back(std::move(one.policy));
    session_.sink = std::move(outer);
    if (known_) {
      Baseline left = *known_;
      leave_out(session_.files, out.findings, left);
    }
    out.failing = failing_lines(checked.unit);
    return out;
  }

  std::optional<State> attempt(const State& now, const std::vector<const Diagnostic*>& mend) {
    std::vector<Edit> edits;
    for (const Diagnostic* d : mend) edits.insert(edits.end(), d->edits.begin(), d->edits.end());
    const source::File& old = session_.files.get(now.file);
    auto text = edited(old.text, std::move(edits));
    if (!text) return std::nullopt;
    State next = look_at(session_.files.add(old.path, std::move(*text)));
    if (!next.resolved || next.failing > now.failing || !no_wider(now, next, space_limits(session_)))
      return std::nullopt;
    auto before = count(now.findings), after = count(next.findings);
    for (const Diagnostic* d : mend) --before[key(*d)];
    for (const auto& [one, times] : after)
      if (times > before[one]) return std::nullopt;
    return next;
  }

  Session& session_;
  const CheckInput& input_;
  const std::optional<Baseline> known_;
};

}  // namespace

FixReport fix(Session& session, std::span<const std::string> paths) {
  FixReport report;
  const auto input = check_input(session, paths);
  if (!input || session.sink.errors() > 0) return report;
  Fixer fixer(session, *input);
  if (session.unusable) return report;  // of a baseline that can't be read nobody knows what it would leave out
  for (const FileId file : input->files) fixer.fix(file, report);
  return report;
}

}  // namespace agp::driver
