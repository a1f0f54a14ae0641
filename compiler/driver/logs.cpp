#include "compiler/driver/logs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/analysis/invariants.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/driver/findings.hpp"
#include "compiler/driver/log_attempts.hpp"
#include "compiler/driver/session.hpp"
#include "compiler/plan/stack.hpp"

// policy -> log -> attempts -> grants -> patch. Comes in: a policy and a log. Goes out: what the policy says of each
// attempt, and its text with the smallest grants for those that no rule is about.
//
// Holds afterwards: with the patch, the policy allows every attempt that is called missing (asked of the model again),
// and breaks no invariant that it did not break before. A policy is a union of rules, so the model's side of the patch
// is the policy's rules and those of the added blocks.
namespace agp::driver {
namespace {

namespace kind = diagnostics::kind;

using Attempts = std::vector<LogAttempt*>;

/// Where the patch puts rules: behind a rule of its block that stands alone on its line, else as a block at the end.
struct Insertion {
  std::size_t at = 0;
  std::string indent;
  bool block = false;  ///< a block of its own
};

class Patcher {
 public:
  Patcher(Session& session, source::FileId file, const model::Policy& policy,
          std::vector<const model::Invariant*> invariants)
      : session_(session),
        policy_(policy),
        text_(session.files.get(file).text),
        file_(file),
        invariants_(std::move(invariants)) {}

  /// Sorts out what an invariant forbids; the rest is `granted`.
  void settle(Attempts missing) {
    broken_before_ = broken(policy_);
    if (fits(missing)) {
      granted_ = std::move(missing);
      return;
    }
    for (LogAttempt* one : missing) {
      granted_.push_back(one);
      if (fits(granted_)) continue;
      granted_.pop_back();
      one->entry.answer = LogAnswer::Forbidden;
      one->entry.reason = reason_;
    }
  }

  std::string patched() const {
    std::string out = text_;
    std::vector<std::pair<Insertion, std::string>> added;
    for (const char* block : {"file", "net", "syscall"}) {
      const std::string rules = rules_of(granted_, block);
      if (rules.empty()) continue;
      const Insertion where = place(block);
      std::string lines = where.block ? "\n" + where.indent + block + " {\n" : "";
      for (std::size_t at = 0; at < rules.size();) {
        const std::size_t end = rules.find('\n', at);
        lines += where.indent + (where.block ? "  " : "") + rules.substr(at, end - at) + '\n';
        at = end + 1;
      }
      if (where.block) lines += where.indent + "}\n";
      added.emplace_back(where, std::move(lines));
    }
    std::stable_sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.first.at < b.first.at; });
    for (auto one = added.rbegin(); one != added.rend(); ++one) out.insert(one->first.at, one->second);
    return out;
  }

 private:
  /// The grants of one block, a line each. A policy without a `syscall` block has one that is not written
  /// (LANGUAGE.md, System calls): with the first that is, it has to be.
  std::string rules_of(const Attempts& list, std::string_view block) const {
    std::string out;
    for (const LogAttempt* one : list)
      if (one->block == block) out += one->entry.grant + '\n';
    if (block != "syscall" || out.empty()) return out;
    std::string implied;
    const bool ip = reaches_ip(list);
    for (const model::Rule& rule : policy_.rules)
      if (rule.implied && !(ip && no_ip(rule))) {
        const std::string line = rule.text.find("@default") != std::string::npos || rule.effect == model::Effect::Allow
                                     ? "allow @default\n"
                                     : "deny socket(domain in [AF_INET, AF_INET6])\n";
        if (implied.find(line) == std::string::npos) implied += line;
      }
    return implied + out;
  }

  /// A rule that refuses sockets of IP, which a policy without a rule on such addresses has by itself.
  static bool no_ip(const model::Rule& rule) {
    return rule.effect == model::Effect::Deny && rule.text.find("@default") == std::string::npos;
  }
  static bool reaches_ip(const Attempts& list) {
    return std::any_of(list.begin(), list.end(), [](const LogAttempt* one) {
      return one->block == std::string_view("net") && one->entry.grant.find(" unix ") == std::string::npos;
    });
  }

  /// The policy with these grants, as the model sees it; nothing: the grants are no rules of the language.
  std::optional<model::Policy> with(const Attempts& list) {
    std::string text = "agp 1\npolicy p {\n";
    bool syscalls = false;
    for (const char* block : {"file", "net", "syscall"}) {
      const std::string rules = rules_of(list, block);
      if (rules.empty()) continue;
      text += fmt::format("{} {{\n{}}}\n", block, rules);
      syscalls = syscalls || block == std::string_view("syscall");
    }
    source::Files files;
    diagnostics::Sink sink;
    const source::FileId id = files.add("<grants>", text + "}\n");
    sema::Unit unit = sema::analyse(files, id, *session_.project, sema_options(session_), sink);
    if (unit.failed || sink.errors() > 0 || unit.policies.size() != 1) return std::nullopt;
    model::Policy out = policy_;
    std::erase_if(out.rules, [&](const model::Rule& r) { return r.implied && (syscalls || (reaches_ip(list) && no_ip(r))); });
    for (model::Rule& rule : unit.policies[0].rules)
      if (!rule.implied) out.rules.push_back(std::move(rule));
    return out;
  }

  /// How many lines of invariants the policy breaks; nothing: it could not be decided.
  std::optional<std::size_t> broken(const model::Policy& policy) {
    if (invariants_.empty()) return 0;
    diagnostics::Sink sink;
    if (!analysis::check_invariants(policy, invariants_, sink, space_limits(session_))) return std::nullopt;
    for (const auto& d : sink.all())
      if (d.kind == &kind::invariant_violated) reason_ = d.message;
    return sink.errors();
  }

  bool fits(const Attempts& list) {
    if (list.empty()) return true;
    const auto policy = with(list);
    if (!policy) {
      reason_ = "the rule that would permit it is none of the language";
      return false;
    }
    for (const LogAttempt* one : list)
      for (const model::Action& action : one->actions)
        if (model::decide(*policy, action).decision != model::Decision::Allow) {
          reason_ = "the rule that would permit it does not";
          return false;
        }
    const auto now = broken(*policy);
    return now && broken_before_ && *now <= *broken_before_;
  }

  /// Whitespace before a rule that begins its line and ends it.
  std::optional<Insertion> behind(const model::Rule& rule) const {
    const std::size_t start = text_.rfind('\n', rule.span.begin == 0 ? 0 : rule.span.begin - 1);
    if (start == std::string::npos) return std::nullopt;
    const std::string indent = text_.substr(start + 1, rule.span.begin - start - 1);
    const std::size_t end = text_.find('\n', rule.span.end);
    if (end == std::string::npos || indent.find_first_not_of(" \t") != std::string::npos) return std::nullopt;
    std::string_view rest = std::string_view(text_).substr(rule.span.end, end - rule.span.end);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r"), rest.size()));
    if (!rest.empty() && !rest.starts_with("//")) return std::nullopt;
    return Insertion{end + 1, indent, false};
  }

  Insertion place(std::string_view block) const {
    std::optional<Insertion> last;
    for (const model::Rule& rule : policy_.rules)
      if (!rule.implied && rule.included_by.empty() && rule.span.file == file_ &&
          policy_.span.begin <= rule.span.begin && rule.span.end <= policy_.span.end &&
          model::fact_block(rule.body) == block)
        if (const auto at = behind(rule); at && (!last || at->at > last->at)) last = at;
    if (last) return *last;
    std::size_t brace = text_.rfind('}', policy_.span.end == 0 ? 0 : policy_.span.end - 1);
    // the closing brace's own line, where it has one
    std::size_t line = brace;
    while (line > 0 && (text_[line - 1] == ' ' || text_[line - 1] == '\t')) --line;
    const bool alone = line == 0 || text_[line - 1] == '\n';
    return {alone ? line : brace, "  ", true};
  }

  Session& session_;
  const model::Policy& policy_;
  const std::string& text_;
  source::FileId file_;
  std::vector<const model::Invariant*> invariants_;
  std::optional<std::size_t> broken_before_;
  std::string reason_;
  Attempts granted_;
};

void report(Session& session, const model::Policy& policy, const LogReader& read) {
  if (read.counts.unknown_rule > 0)
    session.sink
        .emit(kind::foreign_log_line, policy.name_span,
              fmt::format("{} of the log name a rule that this policy does not have",
                          read.counts.unknown_rule == 1 ? "1 line" : fmt::format("{} lines", read.counts.unknown_rule)))
        .about(policy.name)
        .helped("the log is of another version of the policy, or somebody else wrote into it: nothing is made of them");
  if (read.counts.dropped > 0) {
    session.undecided = true;
    session.sink
        .emit(kind::log_too_diverse, policy.name_span,
              fmt::format("the log shows more than {} different attempts; {} lines are left out", most_attempts,
                          read.counts.dropped))
        .about(policy.name)
        .helped("read a shorter part of it, or permit what is known and read it again");
  }
  for (const auto& [text, attempt] : read.attempts)
    if (attempt.entry.answer == LogAnswer::Forbidden)
      session.sink
          .emit(kind::forbidden_grant, policy.name_span,
                fmt::format("`{}` is not granted: {}", attempt.entry.grant, attempt.entry.reason))
          .about(policy.name)
          .helped("change the invariant if the attempt is right; else the agent");
}

}  // namespace

std::string_view to_string(LogAnswer a) {
  switch (a) {
    case LogAnswer::Missing:
      return "missing";
    case LogAnswer::Forbidden:
      return "forbidden";
    case LogAnswer::Denied:
      return "denied";
    case LogAnswer::Allowed:
      return "allowed";
    default:
      return "undecided";
  }
}

std::optional<LogsReport> logs(Session& session, const std::string& file, std::FILE* log) {
  const std::string paths[] = {file};
  if (!open(session, paths)) return std::nullopt;
  const auto id = session.project->read(file, session.sink);
  if (!id) {
    session.unusable = true;
    return std::nullopt;
  }
  const sema::Unit unit = load(session, *id);
  const auto chosen = choose_policy(session, *id, unit);
  if (!chosen) return std::nullopt;
  std::vector<model::Invariant> given;
  if (!read_invariants(session, given)) return std::nullopt;
  LogsReport out;
  out.policy = unit.policies[*chosen];
  const model::Target target = plan::target_for(out.policy, *session.target);

  LogReader reader(out.policy, target);
  if (!reader.read(log)) {
    session.sink.emit(kind::unreadable_file, {}, "the log could not be read to its end");
    session.unusable = true;
    return std::nullopt;
  }
  std::vector<const model::Invariant*> invariants;
  for (const auto* list : {&unit.invariants, &static_cast<const std::vector<model::Invariant>&>(given)})
    for (const model::Invariant& one : *list) invariants.push_back(&one);
  Patcher patcher(session, *id, out.policy, std::move(invariants));
  Attempts missing;
  for (auto& [text, attempt] : reader.attempts)
    if (attempt.entry.answer == LogAnswer::Missing) missing.push_back(&attempt);
  patcher.settle(std::move(missing));
  report(session, out.policy, reader);

  out.counts = reader.counts;
  for (auto& [text, attempt] : reader.attempts) out.entries.push_back(attempt.entry);
  std::stable_sort(out.entries.begin(), out.entries.end(),
                   [](const LogEntry& a, const LogEntry& b) { return a.answer < b.answer; });
  out.path = session.files.get(*id).path;
  out.before = session.files.get(*id).text;
  out.after = patcher.patched();
  return out;
}

}  // namespace agp::driver
