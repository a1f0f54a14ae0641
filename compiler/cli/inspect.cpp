#include "compiler/driver/inspect.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using diagnostics::visible;
using driver::InspectReport;

std::string listing(const InspectReport& report) {
  std::string out;
  for (std::size_t i = 0; i < report.listing.size(); ++i) {
    std::string line = fmt::format("{:4}  {:<32}", i, report.listing[i]);
    if (!report.behind.empty() && !report.behind[i].empty()) {
      line += "  ;";
      for (const std::size_t rule : report.behind[i]) line += ' ' + visible(report.rules[rule].id);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

/// The calls that run the filter each time they are made; of many the first.
std::string uncached(const driver::InspectedArch& arch) {
  constexpr std::size_t shown = 32;
  std::string words;
  std::size_t count = 0;
  for (const auto& call : arch.calls) {
    if (!call.may_run || call.cacheable || ++count > shown) continue;
    words += fmt::format("{}{}:{}", words.empty() ? "" : ", ", call.name, call.shortest);
    if (call.shortest != call.longest) words += fmt::format("-{}", call.longest);
  }
  if (count > shown) words += fmt::format(" and {} others", count - shown);
  std::string out;
  for (const std::string& line : diagnostics::wrap(words, 116)) out += fmt::format("    {}\n", line);
  return words.empty() ? "" : out;
}

std::string inspection_text(const InspectReport& report) {
  std::string out = listing(report);
  out += fmt::format("\n{}: {}, longest path {}\n", visible(report.file),
                     counted(report.listing.size(), "instruction", "instructions"), report.longest);
  for (const auto& arch : report.archs) {
    out += fmt::format(
        "\n{}: {} of {} calls may run, {} of them from the kernel's cache\n"
        "  mean path: {:.2f} over the calls that may run, {:.2f} as often as they are made, {:.3f} with the cache\n",
        linux::to_string(arch.arch), arch.may_run, arch.calls.size(), arch.cacheable, arch.uniform, arch.weighted,
        arch.weighted_cached);
    if (const std::string list = uncached(arch); !list.empty())
      out += "  never from the cache, with their paths:\n" + list;
  }
  if (!report.rules.empty()) out += "\ninstructions  executed a call  rule\n";
  for (const auto& rule : report.rules)
    out += fmt::format("{:12}  {:15.3f}  {}  {}\n", rule.instructions, rule.weighted, visible(rule.id),
                       visible(rule.text));
  return out;
}

nlohmann::ordered_json inspection_json(const InspectReport& report) {
  using Json = nlohmann::ordered_json;
  const auto utf8 = [](std::string_view raw) { return diagnostics::valid_utf8(raw); };
  Json archs = Json::array();
  for (const auto& arch : report.archs) {
    Json calls = Json::array();
    for (const auto& c : arch.calls)
      calls.push_back({{"name", c.name},
                       {"number", c.number},
                       {"shortest", c.shortest},
                       {"longest", c.longest},
                       {"may_run", c.may_run},
                       {"cacheable", c.cacheable}});
    archs.push_back({{"arch", linux::to_string(arch.arch)},
                     {"uniform", arch.uniform},
                     {"weighted", arch.weighted},
                     {"weighted_cached", arch.weighted_cached},
                     {"calls", calls}});
  }
  Json rules = Json::array();
  for (const auto& rule : report.rules)
    rules.push_back({{"id", utf8(rule.id)},
                     {"text", utf8(rule.text)},
                     {"instructions", rule.instructions},
                     {"weighted", rule.weighted}});
  return {{"schema", "agp-inspect/1"},
          {"file", utf8(report.file)},
          {"instructions", report.listing},
          {"longest", report.longest},
          {"archs", archs},
          {"rules", rules}};
}

}  // namespace

int run_inspect(Context& context) {
  using diagnostics::Format;
  const Settings& settings = context.settings;
  if (settings.arguments.size() != 1)
    return context.usage({settings.arguments.empty() ? "no filter is named" : "more than one filter is named",
                          "the command is `agp inspect FILE.bpf`"});
  if (settings.format != Format::Text && settings.format != Format::Json)
    return context.usage({fmt::format("what a filter costs has no form `{}`", diagnostics::to_string(settings.format)),
                          "the formats of inspect are text and json"});
  driver::Session session(settings.driver);
  const auto report = driver::inspect(session, settings.arguments[0]);
  if (!report)
    context.findings(session.files, session.sink, stdout);
  else if (settings.format == Format::Json)
    context.out(diagnostics::json_text(inspection_json(*report)));
  else
    context.out(inspection_text(*report));
  return settle(context, session);
}

}  // namespace agp::cli
