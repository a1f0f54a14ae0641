#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/cli/commands.hpp"
#include "compiler/cli/plan_text.hpp"
#include "compiler/cli/session.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/diagnostics/snippet.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using diagnostics::visible;

std::string rule_text(const source::Files& files, const model::Rule& rule) {
  std::string out = fmt::format("    {}", visible(rule.text));
  if (!rule.label.empty()) out += fmt::format("  as \"{}\"", visible(rule.label));
  if (!rule.because.empty()) out += fmt::format("  because \"{}\"", visible(rule.because));
  if (rule.implied) out += "  (implied)";
  out += '\n';
  if (const std::string at = place(files, rule.span); !at.empty()) out += fmt::format("      at {}\n", at);
  for (const source::Span& include : rule.included_by)
    out += fmt::format("      included at {}\n", place(files, include));
  return out;
}

/// The rule in its source.
std::string rule_snippet(Context& context, const source::Files& files, const model::Rule& rule) {
  std::string out = rule_text(files, rule);
  if (rule.span.known()) {
    const diagnostics::RenderOptions render = context.render_options(stdout);
    diagnostics::SnippetOptions options{
        render.color, render.width,
        static_cast<unsigned>(std::to_string(files.position(rule.span.file, rule.span.end).line).size())};
    const diagnostics::Mark mark{rule.span, {}, true, diagnostics::Style::Note};
    out += diagnostics::snippet(files, {&mark, 1}, options);
  }
  return out;
}

std::string layer_text(const driver::LayerAnswer& layer) {
  return fmt::format("    {:<10} {}: {}{}\n", layer.layer, visible(layer.artifact), visible(layer.observed),
                     layer.place.empty() ? "" : ", at " + visible(layer.place));
}

std::string query_text(Context& context, const source::Files& files, const driver::QueryReport& report) {
  std::string out =
      fmt::format("{}  {}\n", model::to_string(report.by_artifacts.value_or(report.decision)), visible(report.action));
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    if (report.parts.size() > 1) out += fmt::format("  {}\n", visible(model::to_string(report.parts[i].action)));
    if (report.layers[i].empty()) out += "    no layer of the artifacts decides it\n";
    for (const driver::LayerAnswer& layer : report.layers[i]) out += layer_text(layer);
  }
  if (!report.layers.empty()) out += fmt::format("{}  by the policy\n", model::to_string(report.decision));
  for (const driver::Decided& part : report.parts) {
    // `write` is several actions: each is decided by itself, and the strictest decides.
    if (report.parts.size() > 1)
      out += fmt::format("  {}  {}\n", model::to_string(part.verdict.decision), visible(model::to_string(part.action)));
    if (part.verdict.rules.empty()) out += "    no rule matches\n";
    for (const std::size_t rule : part.verdict.rules) out += rule_text(files, report.policy.rules[rule]);
    if (!part.verdict.note.empty()) out += fmt::format("    note: {}\n", visible(part.verdict.note));
  }
  if (!context.settings.why) return out;
  if (report.why.empty())
    out += "because no rule permits it\n";
  else
    out += report.why.size() == 1 ? "because of\n" : "because of, and of no fewer\n";
  for (const std::size_t rule : report.why) out += rule_snippet(context, files, report.policy.rules[rule]);
  return out + derived_text(report.derived);
}

nlohmann::ordered_json query_json(const source::Files& files, const driver::QueryReport& report) {
  using Json = nlohmann::ordered_json;
  const auto utf8 = [](std::string_view raw) { return diagnostics::valid_utf8(raw); };
  Json parts = Json::array(), layers = Json::array();
  for (std::size_t i = 0; i < report.layers.size(); ++i)
    for (const driver::LayerAnswer& one : report.layers[i])
      layers.push_back({{"action", utf8(model::to_string(report.parts[i].action))},
                        {"layer", one.layer},
                        {"artifact", utf8(one.artifact)},
                        {"decision", one.permits ? "allow"
                                     : one.asks  ? "ask"
                                                 : "deny"},
                        {"observed", utf8(one.observed)},
                        {"place", one.place.empty() ? Json(nullptr) : Json(utf8(one.place))}});
  for (const driver::Decided& part : report.parts) {
    Json rules = Json::array();
    for (const std::size_t index : part.verdict.rules) {
      const model::Rule& rule = report.policy.rules[index];
      rules.push_back({{"id", utf8(rule.id)},
                       {"effect", model::to_string(rule.effect)},
                       {"text", utf8(rule.text)},
                       {"because", rule.because.empty() ? Json(nullptr) : Json(utf8(rule.because))},
                       {"location", diagnostics::json_location(files, rule.span)}});
    }
    parts.push_back({{"action", utf8(model::to_string(part.action))},
                     {"decision", model::to_string(part.verdict.decision)},
                     {"rules", rules},
                     {"note", part.verdict.note.empty() ? Json(nullptr) : Json(utf8(part.verdict.note))}});
  }
  Json why = Json::array();
  for (const std::size_t rule : report.why) why.push_back(utf8(report.policy.rules[rule].id));
  Json out = {{"schema", "agp-query/1"},
              {"policy", utf8(report.policy.name)},
              {"action", utf8(report.action)},
              {"decision", model::to_string(report.decision)},
              {"parts", parts},
              {"why", why},
              {"derived", derived_json(report.derived)}};
  if (!report.layers.empty()) {
    out["by_artifacts"] = report.by_artifacts ? Json(model::to_string(*report.by_artifacts)) : Json(nullptr);
    out["layers"] = layers;
  }
  return out;
}

}  // namespace

int run_query(Context& context) {
  using diagnostics::Format;
  const Settings& settings = context.settings;
  if (settings.arguments.size() != 2)
    return context.usage({"query takes a policy file and an action", "the command is `agp query FILE 'ACTION'`"});
  if (settings.format != Format::Text && settings.format != Format::Concise && settings.format != Format::Json)
    return context.usage({fmt::format("an answer has no form `{}`", diagnostics::to_string(settings.format)),
                          "the formats of query are text, concise and json"});
  driver::Session session(settings.driver);
  session.progress = &context.ticker.progress;
  const auto report = driver::query(session, settings.arguments[0], settings.arguments[1], settings.artifacts);
  say_what_was_read(context, session);
  // The answer is what the command is for; findings are about its input.
  const bool shown = session.sink.errors() > 0 || (settings.artifacts && !session.sink.all().empty());
  if (!report || shown) context.findings(session.files, session.sink, report ? stderr : stdout);
  if (!report) {
    context.closing("");
    return settle(context, session);
  }
  const model::Decision decision = report->by_artifacts.value_or(report->decision);
  if (settings.format == Format::Json)
    context.out(diagnostics::json_text(query_json(session.files, *report)));
  else if (settings.format == Format::Concise)
    context.out(fmt::format("{}\n", model::to_string(decision)));
  else
    context.out(query_text(context, session.files, *report));
  if (settings.expect && *settings.expect != decision) {
    context.err(fmt::format("agp query: expected {}, and it is {}\n", model::to_string(*settings.expect),
                            model::to_string(decision)));
    context.outcome.finding();
  }
  return settle(context, session);
}

}  // namespace agp::cli
