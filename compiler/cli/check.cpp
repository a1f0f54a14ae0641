#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "compiler/bundle/replace.hpp"
#include "compiler/cli/commands.hpp"
#include "compiler/cli/depfile.hpp"
#include "compiler/cli/plan_text.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/cli/unified_diff.hpp"
#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/driver/budget.hpp"
#include "compiler/driver/fix.hpp"
#include "compiler/driver/tree.hpp"
#include "compiler/driver/workers.hpp"
#include "compiler/source/disk.hpp"

namespace agp::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Does this run print JSON somewhere?
bool prints_json(const Settings& settings) {
  using diagnostics::Format;
  return settings.format == Format::Json ||
         std::any_of(settings.reports.begin(), settings.reports.end(),
                     [](const auto& report) { return report.first == Format::Json; });
}

/// Both forms of a plan where it will be kept, else the one that this run prints.
driver::Described describe(const Settings& settings, const driver::PolicyReport& one, const model::Target& target) {
  using diagnostics::Format;
  driver::Described out;
  if (settings.cache || prints_json(settings)) out.json = plan_json(one.policy, one.plan, target).dump();
  if (settings.cache || settings.format == Format::Text) out.text = plan_text(one.policy, one.plan, target);
  return out;
}

Json plans(const driver::TreeReport& report) {
  Json list = Json::array();
  for (const driver::CheckedPolicy& one : report.policies) {
    if (one.json.empty()) continue;
    Json plan = Json::parse(one.json);
    for (const auto& [name, count] : one.counts) plan["permits"][name] = count.decimal();
    list.push_back(std::move(plan));
  }
  return list;
}

/// A minimal set of places behind a finding about rules: from it none can be left out, and with it alone the finding
/// stays. What a finding relates is the smallest set already; of several grants that a deny or an invariant meets, one
/// suffices. Empty: no few rules are behind it.
std::vector<source::Span> core(const diagnostics::Diagnostic& d) {
  namespace kind = diagnostics::kind;
  std::vector<source::Span> out;
  if (d.kind != &kind::invariant_violated) out.push_back(d.primary);
  const bool whole = d.kind == &kind::denied_grant || d.kind == &kind::hidden_ask || d.kind == &kind::redundant_rule;
  const bool one = d.kind == &kind::partly_denied || d.kind == &kind::idle_except ||
                   (d.kind == &kind::invariant_violated && d.witness.find(" with ") == std::string::npos);
  if ((!whole && !one) || d.related.empty()) return {};
  for (const diagnostics::Label& label : d.related) {
    out.push_back(label.span);
    if (one) break;
  }
  return out;
}

/// `--why`: which rules, by place and text.
void explain(const source::Files& files, diagnostics::Sink& sink) {
  for (diagnostics::Diagnostic& d : sink.all()) {
    const auto spans = core(d);
    for (std::size_t i = 0; i < spans.size(); ++i) {
      if (!spans[i].known()) continue;
      const source::Position at = files.position(spans[i].file, spans[i].begin);
      const source::File& file = files.get(spans[i].file);
      d.note(fmt::format("{} {} at {}:{}:{}", i == 0 ? "because of" : "and of",
                         file.text.substr(spans[i].begin, spans[i].end - spans[i].begin), file.path, at.line,
                         at.column));
    }
    if (spans.size() > 1) d.note("and of no fewer");
  }
}

std::string counts_text(const driver::CheckedPolicy& policy) {
  std::string out = fmt::format("`{}` permits\n", diagnostics::visible(policy.name));
  for (const auto& [name, count] : policy.counts)
    if (!count.zero()) out += fmt::format("  {:<28} {}\n", name, count.text());
  return out;
}

}  // namespace

/// `--fix`: the edits to disk, or with `--dry-run` as a diff to standard output and as the texts that are then checked.
void fix(Context& context, driver::Options& options, std::string& diff) {
  const Settings& settings = context.settings;
  driver::Session session(settings.driver);
  const driver::FixReport report = driver::fix(session, settings.arguments);
  for (const driver::FixedFile& file : report.files) {
    if (settings.dry_run) {
      diff += unified_diff(diagnostics::line_start(file.path), file.before, file.after);
      options.project.instead[file.disk] = file.after;
    } else if (const std::string fault = bundle::replace_file(file.disk, file.before, file.after); !fault.empty()) {
      context.usage({fmt::format("`{}` can't be written: {}", file.path, fault), {}});
    }
  }
  std::string kept;
  if (report.refused > 0)
    kept = fmt::format("; {} not made, since something else would be found or a test would fail",
                       counted(report.refused, "edit", "edits"));
  context.err(fmt::format("agp check: {} in {} {}{}\n", counted(report.made, "finding", "findings"),
                          counted(report.files.size(), "file", "files"), settings.dry_run ? "to mend" : "mended",
                          kept));
}

/// Nothing is written over what an earlier run had found when this one did not find all.
void write_baseline(Context& context, const driver::Session& session, const std::string& text) {
  const std::string& path = *context.settings.write_baseline;
  const source::Resolved real = source::resolve(path);
  const auto is_read = [&] {
    for (source::FileId id = 0; real.path && session.project && id < session.files.size(); ++id)
      if (session.project->disk_path(id) == *real.path) return true;
    return false;
  };
  if (session.unusable || text.empty())
    context.err(fmt::format("agp check: `{}` is not written, since not everything could be checked\n",
                            diagnostics::visible(path)));
  else if (is_read())
    context.usage({fmt::format("`{}` is one of the files that are checked", path), {}});
  else if (!write_whole(path, text))
    context.usage({fmt::format("`{}` can't be written", path), {}});
}

/// A path that leads through a symbolic link, and where to; else nothing. What is changed is the file that was named.
std::optional<UsageError> through_link(const std::string& path) {
  std::error_code error;
  const std::string named = std::filesystem::absolute(path, error).lexically_normal().string();
  const source::Resolved real = source::resolve(path);
  if (error || !real.path || *real.path == named || *real.path + "/" == named) return std::nullopt;
  return UsageError{fmt::format("`{}` leads through a symbolic link, and `--fix` changes no file behind one", path),
                    fmt::format("name `{}`", *real.path)};
}

int run_check(Context& context) {
  const Settings& settings = context.settings;
  if (settings.dry_run && !settings.fix) return context.usage({"`--dry-run` goes with `--fix`", {}});
  const auto& words = settings.arguments;
  if (settings.fix && std::find(words.begin(), words.end(), "-") != words.end())
    return context.usage({"`--fix` changes files, and standard input is none", {}});
  if (settings.fix)
    for (const std::string& word : words)
      if (const auto wrong = through_link(word)) return context.usage(*wrong);
  driver::Options from = settings.driver;
  std::string diff;
  if (settings.fix) fix(context, from, diff);
  driver::Session session(std::move(from));
  session.progress = &context.ticker.progress;
  driver::TreeOptions options;
  options.jobs = settings.jobs == 0 ? driver::processors() : settings.jobs;
  options.cache = settings.cache;
  options.take_baseline = settings.write_baseline.has_value();
  options.describe = [&](const auto& policy, const auto& target) { return describe(settings, policy, target); };
  const driver::TreeReport report = driver::check_tree(session, settings.arguments, options);
  say_what_was_read(context, session);
  if (settings.why) explain(session.files, session.sink);
  const bool diff_alone = settings.dry_run && context.text_format();
  context.out(diff_alone ? diff : "");
  context.findings(session.files, session.sink, diff_alone ? stderr : stdout,
                   {{"plans", prints_json(settings) ? plans(report) : Json::array()}});
  if (context.text_format() && !settings.quiet && !diff_alone)
    for (const driver::CheckedPolicy& one : report.policies)
      context.out(one.text + (settings.verbose ? counts_text(one) : "") + '\n');
  if (settings.write_budget && !write_whole(*settings.write_budget, driver::budget_text(report.policies)))
    context.usage({fmt::format("`{}` can't be written", *settings.write_budget), {}});
  if (settings.write_baseline) write_baseline(context, session, report.baseline);
  write_depfile(context, session);
  if (settings.verbose && settings.cache)
    context.err(
        fmt::format("agp check: {} of {} taken from the cache\n", report.kept, counted(report.files, "file", "files")));
  context.closing(fmt::format("{}, {}", counted(report.files, "file", "files"),
                              counted(report.policies.size(), "policy", "policies")));
  return settle(context, session);
}

}  // namespace agp::cli
