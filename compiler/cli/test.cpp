#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {

int run_test(Context& context) {
  using diagnostics::visible;
  driver::Session session(context.settings.driver);
  session.progress = &context.ticker.progress;
  const driver::TestReport report = driver::test(session, context.settings.arguments, context.settings.artifacts);
  say_what_was_read(context, session);
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  std::vector<diagnostics::TestCase> cases;
  std::string lines;
  for (const driver::TestResult& one : report.results) {
    results.push_back({{"policy", diagnostics::valid_utf8(one.policy)},
                       {"action", diagnostics::valid_utf8(one.action)},
                       {"expected", model::to_string(one.expected)},
                       {"observed", model::to_string(one.observed)},
                       {"passed", one.passed()},
                       {"location", diagnostics::json_location(session.files, one.span)}});
    using Line = diagnostics::TestCase::Outcome;
    cases.push_back({one.span, fmt::format("{}: {} {}", one.policy, model::to_string(one.expected), one.action),
                     one.undecided  ? Line::Undecided
                     : one.passed() ? Line::Passed
                                    : Line::Failed});
    lines += fmt::format("{}  {}: {} {}\n",
                         one.passed()    ? "ok    "
                         : one.undecided ? "open  "
                                         : "FAILED",
                         visible(one.policy), model::to_string(one.expected), visible(one.action));
  }
  if (context.text_format()) context.out(lines + (lines.empty() ? "" : "\n"));
  context.findings(session.files, session.sink, stdout, {{"tests", results}}, cases);
  std::size_t passed = 0, failed = 0, open = 0;
  for (const driver::TestResult& one : report.results) ++(one.undecided ? open : one.passed() ? passed : failed);
  if (failed > 0) context.outcome.finding();
  if (open > 0) context.outcome.undecided();
  context.closing(fmt::format("{} passed, {} failed{}", passed, failed,
                              open > 0 ? fmt::format(", {} not decided", open) : std::string()));
  return settle(context, session);
}

}  // namespace agp::cli
