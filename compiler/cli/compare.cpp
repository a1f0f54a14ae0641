// `agp compare A B`: two artifacts of one kind, no policy. The statements go to standard output, and with them what
// differs.
#include "compiler/driver/compare.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using verify::Comparison;
using verify::Difference;
using Json = nlohmann::ordered_json;

std::string_view name(verify::Relation relation) {
  constexpr std::string_view names[] = {"first within second", "second within first", "same answers"};
  return names[static_cast<std::size_t>(relation)];
}

std::string comparison_text(const Comparison& c) {
  return fmt::format("{:<12}  {}{}: {}\n", c.verdict.word(), c.layer, c.arch.empty() ? "" : " (" + c.arch + ")",
                     name(c.relation));
}

Json comparison_json(const Comparison& c) {
  const auto utf8 = [](const std::string& raw) { return Json(diagnostics::valid_utf8(raw)); };
  Json out = {{"layer", c.layer},
              {"arch", c.arch},
              {"relation", name(c.relation)},
              {"statement", c.statement},
              {"verdict", c.verdict.word()},
              {"witness", nullptr},
              {"reason", nullptr}};
  c.verdict.match([](const solver::Proved&) {},
                  [&](const Difference& d) {
                    out["witness"] = {{"action", utf8(d.action)},
                                      {"first", {{"observed", utf8(d.first)}, {"place", utf8(d.first_place)}}},
                                      {"second", {{"observed", utf8(d.second)}, {"place", utf8(d.second_place)}}}};
                  },
                  [&](const solver::Unknown& u) { out["reason"] = utf8(u.reason); });
  return out;
}

}  // namespace

int run_compare(Context& context) {
  const Settings& settings = context.settings;
  if (settings.arguments.size() != 2)
    return context.usage({"compare takes two artifacts", "the command is `agp compare A B`"});
  driver::Session session(settings.driver);
  const auto report = driver::compare(session, settings.arguments[0], settings.arguments[1], settings.subset);
  Json list = Json::array();
  std::string lines;
  std::size_t proved = 0;
  for (const Comparison& c : report.comparisons) {
    list.push_back(comparison_json(c));
    lines += comparison_text(c);
    proved += c.verdict.proved() ? 1 : 0;
  }
  if (context.text_format()) context.out(lines);
  context.findings(session.files, session.sink, stdout, {{"comparisons", list}});
  // A verdict is three-valued: only "proved" lets the run succeed, whatever the driver made of it.
  for (const Comparison& c : report.comparisons)
    c.verdict.match([](const solver::Proved&) {}, [&](const Difference&) { context.outcome.finding(); },
                    [&](const solver::Unknown&) { context.outcome.undecided(); });
  const bool all = !report.comparisons.empty() && proved == report.comparisons.size();
  context.closing(
      all ? (settings.subset ? "the first permits nothing that the second does not" : "both are equal")
          : fmt::format("{} of {} proved", proved, counted(report.comparisons.size(), "statement", "statements")));
  return settle(context, session);
}

}  // namespace agp::cli
