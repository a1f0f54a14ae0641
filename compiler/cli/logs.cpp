#include "compiler/driver/logs.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/cli/unified_diff.hpp"
#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using diagnostics::visible;

std::string patch(const driver::LogsReport& report) {
  return unified_diff(diagnostics::line_start(report.path), report.before, report.after);
}

std::string logs_text(const source::Files& files, const driver::LogsReport& report, bool all) {
  std::string out;
  for (const driver::LogEntry& one : report.entries) {
    out += fmt::format("{:<9}  {}  ({})\n", driver::to_string(one.answer), visible(one.attempt),
                       counted(one.count, "line", "lines"));
    if (!all) continue;
    if (!one.reason.empty()) out += fmt::format("    {}\n", visible(one.reason));
    for (const std::size_t rule : one.rules) {
      const model::Rule& by = report.policy.rules[rule];
      out += fmt::format("    {}", visible(by.text));
      if (!by.label.empty()) out += fmt::format("  as \"{}\"", visible(by.label));
      if (by.implied) out += "  (implied)";
      if (const std::string at = place(files, by.span); !at.empty()) out += "  at " + at;
      out += '\n';
    }
  }
  if (const std::string diff = all ? patch(report) : ""; !diff.empty()) out += '\n' + diff;
  return out;
}

nlohmann::ordered_json logs_json(const source::Files& files, const driver::LogsReport& report) {
  using Json = nlohmann::ordered_json;
  const auto utf8 = [](std::string_view raw) { return diagnostics::valid_utf8(raw); };
  const auto maybe = [&](const std::string& raw) { return raw.empty() ? Json(nullptr) : Json(utf8(raw)); };
  Json entries = Json::array();
  for (const driver::LogEntry& one : report.entries) {
    Json rules = Json::array();
    for (const std::size_t rule : one.rules)
      rules.push_back({{"id", utf8(report.policy.rules[rule].id)},
                       {"text", utf8(report.policy.rules[rule].text)},
                       {"location", diagnostics::json_location(files, report.policy.rules[rule].span)}});
    entries.push_back({{"attempt", utf8(one.attempt)},
                       {"answer", driver::to_string(one.answer)},
                       {"lines", one.count},
                       {"grant", maybe(one.grant)},
                       {"reason", maybe(one.reason)},
                       {"rules", rules}});
  }
  const driver::LogCounts& c = report.counts;
  return {{"schema", "agp-logs/1"},
          {"policy", utf8(report.policy.name)},
          {"lines",
           {{"read", c.lines},
            {"about_the_policy", c.about},
            {"about_others", c.others},
            {"of_the_kernel", c.kernels_own},
            {"unknown_rule", c.unknown_rule},
            {"too_long", c.too_long},
            {"left_out", c.dropped}}},
          {"attempts", entries},
          {"patch", maybe(patch(report))}};
}

/// What was read and not said: so that an empty answer is not taken for a quiet agent.
std::string summary(const driver::LogsReport& report) {
  const driver::LogCounts& c = report.counts;
  std::string out =
      fmt::format("{} read, {} about `{}`", counted(c.lines, "line", "lines"), c.about, visible(report.policy.name));
  if (c.others > 0) out += fmt::format(", {} about others", c.others);
  if (c.kernels_own > 0) out += fmt::format(", {} of the kernel's own packets", c.kernels_own);
  if (c.too_long > 0) out += fmt::format(", {} too long", c.too_long);
  return out;
}

struct Close {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

}  // namespace

int run_logs(Context& context) {
  using diagnostics::Format;
  const Settings& settings = context.settings;
  const auto& arguments = settings.arguments;
  if (arguments.size() != 2)
    return context.usage(
        {"logs takes a policy file and a log", "the command is `agp logs FILE LOG`; `-` is standard input"});
  if (arguments[0] == "-" && arguments[1] == "-")
    return context.usage({"standard input can't be both the policy and the log", {}});
  if (settings.format == Format::Sarif || settings.format == Format::Github || settings.format == Format::Markdown)
    return context.usage({fmt::format("an answer has no form `{}`", diagnostics::to_string(settings.format)),
                          "the formats of logs are text, concise and json"});
  const std::unique_ptr<std::FILE, Close> log(arguments[1] == "-" ? stdin : std::fopen(arguments[1].c_str(), "rbe"));
  if (!log) return context.usage({fmt::format("`{}` can't be read", arguments[1]), {}});
  driver::Session session(settings.driver);
  session.progress = &context.ticker.progress;
  const auto report = driver::logs(session, arguments[0], log.get());
  say_what_was_read(context, session);
  // The answer is what the command is for; findings are about its input.
  if (!report || !session.sink.all().empty()) context.findings(session.files, session.sink, report ? stderr : stdout);
  if (!report) {
    context.closing("");
    return settle(context, session);
  }
  if (settings.logs_patch)
    context.out(patch(*report));
  else if (settings.format == Format::Json)
    context.out(diagnostics::json_text(logs_json(session.files, *report)));
  else
    context.out(logs_text(session.files, *report, settings.format == Format::Text));
  context.closing(summary(*report));
  return settle(context, session);
}

}  // namespace agp::cli
