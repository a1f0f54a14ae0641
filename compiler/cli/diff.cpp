// `agp diff OLD NEW`: what became permitted and what stopped, as regions. The answer goes to standard output in every
// format; what keeps an input from resolving is a finding.
#include "compiler/driver/diff.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using analysis::Region;
using diagnostics::visible;
using Json = nlohmann::ordered_json;

struct Sides {
  const source::Files& before;
  const source::Files& after;
  const source::Files& of(const analysis::Responsible& r) const { return r.of_new ? after : before; }

  std::string place(const analysis::Responsible& r) const {
    if (!r.span.known()) return "";
    const source::Files& files = of(r);
    return fmt::format("{}:{}", files.get(r.span.file).path, files.position(r.span.file, r.span.begin).line);
  }
};

std::string size_text(const Region& region) {
  if (!region.size) return "";
  return fmt::format("{} actions", region.size->text());
}

std::string region_text(const Sides& sides, const Region& region, char sign) {
  std::string out = fmt::format("{} {}\n", sign, visible(region.text));
  out += fmt::format("    {} -> {}{}{}\n", region.before, region.after, region.size ? ", " : "", size_text(region));
  out += fmt::format("    witness: {}\n", visible(region.witness));
  for (const auto& r : region.rules)
    out += fmt::format("    {} {}: {}\n", r.of_new ? "new" : "old", visible(sides.place(r)), visible(r.text));
  return out;
}

std::string changed_counts(const analysis::Difference& d) {
  std::string out;
  const auto before = d.before.rows(), after = d.after.rows();
  const auto find = [](const auto& rows, const std::string& name) {
    for (const auto& [n, count] : rows)
      if (n == name) return count;
    return model::Count();
  };
  std::vector<std::string> names;
  for (const auto& [name, count] : before) names.push_back(name);
  for (const auto& [name, count] : after)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (const std::string& name : names) {
    const auto was = find(before, name), is = find(after, name);
    if (was != is) out += fmt::format("  {}: {}, before {}\n", name, is.text(), was.text());
  }
  return out;
}

std::string title(const driver::PolicyDiff& p) {
  return fmt::format("policy {}{}", visible(p.name), p.added ? " (new)" : p.removed ? " (removed)" : "");
}

std::string diff_text(const Sides& sides, const driver::DiffReport& report) {
  std::string out;
  for (const driver::PolicyDiff& p : report.policies) {
    const auto& d = p.difference;
    if (d.same()) {
      out += fmt::format("{}: both permit the same, decided over {}\n", title(p), counted(d.cells, "cell", "cells"));
      continue;
    }
    out += title(p) + '\n';
    for (const Region& r : d.wider) out += region_text(sides, r, '+');
    for (const Region& r : d.narrower) out += region_text(sides, r, '-');
    for (const auto& o : d.others) out += fmt::format("{} {}\n", o.wider ? '+' : '-', visible(o.text));
    for (const auto& [sort, why] : d.undecided)
      out += fmt::format("? {} rules are not decided: {}\n", analysis::to_string(sort), why);
    out += changed_counts(d);
  }
  return out;
}

/// As code in a cell of a table: as many backticks around it as none inside can end, and no `|` of its own.
std::string markdown_cell(std::string_view raw) {
  const std::string shown = visible(raw);
  std::string ticks = "`";
  while (shown.find(ticks) != std::string::npos) ticks += '`';
  std::string out = ticks;
  if (ticks.size() > 1) out += ' ';
  for (const char c : shown) out += c == '|' ? "\\|" : std::string(1, c);
  return out + (ticks.size() > 1 ? " " : "") + ticks;
}

std::string markdown(const Sides& sides, const driver::DiffReport& report) {
  std::string out = "## What the policies permit\n";
  for (const driver::PolicyDiff& p : report.policies) {
    const auto& d = p.difference;
    out += fmt::format("\n### {}{}\n\n", markdown_cell(p.name), p.added ? " (new)" : p.removed ? " (removed)" : "");
    if (d.same()) {
      out += fmt::format("No change: both versions permit the same, decided over {}.\n",
                         counted(d.cells, "cell", "cells"));
      continue;
    }
    out += "| | actions | decision | for example | by |\n|---|---|---|---|---|\n";
    const auto row = [&](const Region& r, const char* sign) {
      std::string by;
      for (const auto& rule : r.rules)
        by += fmt::format("{}{} {}", by.empty() ? "" : "<br>", rule.of_new ? "new" : "old",
                          markdown_cell(sides.place(rule)));
      out += fmt::format("| {} | {}{} | {} → {} | {} | {} |\n", sign, markdown_cell(r.text),
                         r.size ? ", " + r.size->text() : "", r.before, r.after, markdown_cell(r.witness), by);
    };
    for (const Region& r : d.wider) row(r, "**+**");
    for (const Region& r : d.narrower) row(r, "−");
    for (const auto& o : d.others)
      out += fmt::format("| {} | {} | | | |\n", o.wider ? "**+**" : "−", markdown_cell(o.text));
    for (const auto& [sort, why] : d.undecided)
      out +=
          fmt::format("| ? | the {} rules are not decided | | | {} |\n", analysis::to_string(sort), markdown_cell(why));
  }
  return out;
}

Json region_json(const Sides& sides, const Region& region) {
  const auto utf8 = [](std::string_view raw) { return diagnostics::valid_utf8(raw); };
  Json rules = Json::array();
  for (const auto& r : region.rules)
    rules.push_back({{"side", r.of_new ? "new" : "old"},
                     {"text", utf8(r.text)},
                     {"location", diagnostics::json_location(sides.of(r), r.span)}});
  return {{"region", utf8(region.text)},
          {"before", region.before},
          {"after", region.after},
          {"witness", utf8(region.witness)},
          {"size", region.size ? Json(region.size->decimal()) : Json(nullptr)},
          {"rules", rules}};
}

Json diff_json(const Sides& sides, const driver::DiffReport& report) {
  Json policies = Json::array();
  for (const driver::PolicyDiff& p : report.policies) {
    const auto& d = p.difference;
    Json wider = Json::array(), narrower = Json::array(), others = Json::array(), undecided = Json::array();
    for (const Region& r : d.wider) wider.push_back(region_json(sides, r));
    for (const Region& r : d.narrower) narrower.push_back(region_json(sides, r));
    for (const auto& o : d.others) others.push_back({{"wider", o.wider}, {"text", diagnostics::valid_utf8(o.text)}});
    for (const auto& [sort, why] : d.undecided)
      undecided.push_back({{"sort", analysis::to_string(sort)}, {"reason", why}});
    Json counts = {{"before", Json::object()}, {"after", Json::object()}};
    for (const auto& [name, count] : d.before.rows()) counts["before"][name] = count.decimal();
    for (const auto& [name, count] : d.after.rows()) counts["after"][name] = count.decimal();
    policies.push_back({{"policy", diagnostics::valid_utf8(p.name)},
                        {"status", p.added     ? "new"
                                   : p.removed ? "removed"
                                   : d.same()  ? "same"
                                               : "changed"},
                        {"permitted", wider},
                        {"no_longer_permitted", narrower},
                        {"others", others},
                        {"undecided", undecided},
                        {"counts", counts}});
  }
  return {{"schema", "agp-diff/1"}, {"policies", policies}};
}

}  // namespace

int run_diff(Context& context) {
  using diagnostics::Format;
  const Settings& settings = context.settings;
  if (settings.arguments.size() != 2)
    return context.usage({"diff takes two policy files or two directories", "the command is `agp diff OLD NEW`"});
  if (settings.format == Format::Sarif || settings.format == Format::Github || settings.format == Format::Junit)
    return context.usage({fmt::format("a difference has no form `{}`", diagnostics::to_string(settings.format)),
                          "the formats of diff are text, concise, markdown and json"});
  driver::Session before(settings.driver), after(settings.driver);
  const driver::DiffReport report = driver::diff(before, settings.arguments[0], after, settings.arguments[1]);
  say_what_was_read(context, before);
  say_what_was_read(context, after);
  if (!before.sink.all().empty()) context.findings(before.files, before.sink, report.resolved ? stderr : stdout);
  if (!after.sink.all().empty()) context.findings(after.files, after.sink, report.resolved ? stderr : stdout);
  settle(context, before);
  if (!report.resolved) {
    context.closing("an input does not resolve");
    return settle(context, after);
  }
  const Sides sides{before.files, after.files};
  std::size_t wider = 0, narrower = 0;
  for (const auto& p : report.policies) {
    for (const auto& o : p.difference.others) ++(o.wider ? wider : narrower);
    wider += p.difference.wider.size();
    narrower += p.difference.narrower.size();
  }
  if (settings.format == Format::Json)
    context.out(diagnostics::json_text(diff_json(sides, report)));
  else if (settings.format == Format::Markdown)
    context.out(markdown(sides, report));
  else if (settings.format == Format::Concise)
    context.out(fmt::format("{}\n", wider > 0 && narrower > 0 ? "changed"
                                    : wider > 0               ? "wider"
                                    : narrower > 0            ? "narrower"
                                                              : "same"));
  else
    context.out(diff_text(sides, report));
  if (report.wider() && !settings.allow_widening) context.outcome.finding();
  context.err(fmt::format("agp diff: {} newly permitted, {} no longer permitted\n", counted(wider, "region", "regions"),
                          counted(narrower, "region", "regions")));
  return settle(context, after);
}

}  // namespace agp::cli
