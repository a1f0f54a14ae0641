// In: a policy, its plan and its artifacts. Out: `manifest.json`, which says what each layer holds, what was assumed
// and accepted, how the stack is started and where each rule went; and `report.json`, which says how it was checked.
// The manifest is a function of its input: no time, no user, no path outside the project.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "compiler/bundle/bundle.hpp"
#include "compiler/diagnostics/text.hpp"
#include "compiler/plan/target_record.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/source/strict_json.hpp"
#include "compiler/source/version.hpp"

namespace agp::bundle {
namespace {

using Json = nlohmann::ordered_json;

std::string text(std::string_view raw) { return diagnostics::valid_utf8(raw); }

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& one : list) out.push_back(text(one));
  return out;
}

Json maybe(std::string_view raw) { return raw.empty() ? Json(nullptr) : Json(text(raw)); }

/// Does the day of the build matter? Only then it is part of the manifest: two builds of one source on two days are
/// equal.
bool dated(const model::Policy& policy) {
  const auto has_until = [](const auto& one) { return one.until.has_value(); };
  return std::any_of(policy.rules.begin(), policy.rules.end(), has_until) ||
         std::any_of(policy.accepts.begin(), policy.accepts.end(), has_until);
}

/// E exact, O permits more, U permits less, N not at all, - not this layer's business (BACKENDS.md).
std::string_view letter(backends::Holds holds) {
  switch (holds) {
    case backends::Holds::Exact:
      return "E";
    case backends::Holds::Wider:
      return "O";
    case backends::Holds::Narrower:
      return "U";
    case backends::Holds::Not:
      return "N";
    case backends::Holds::Elsewhere:
      return "-";
  }
  return "N";
}

std::string_view word(model::Isolation isolation) {
  switch (isolation) {
    case model::Isolation::Process:
      return "process";
    case model::Isolation::Container:
      return "container";
    case model::Isolation::MicroVm:
      return "microvm";
  }
  return "process";
}

std::string_view word(model::Accept::Kind kind) {
  switch (kind) {
    case model::Accept::Kind::Unenforced:
      return "unenforced";
    case model::Accept::Kind::Wider:
      return "wider";
    case model::Accept::Kind::Narrower:
      return "narrower";
  }
  return "unenforced";
}

/// Of the counts that --syscall-counts gave, in their normal form: a name and a count on each line, by name.
std::string counts_digest(const model::Target& target) {
  std::string counts;
  for (const auto& [name, count] : target.syscall_counts) counts += fmt::format("{} {}\n", name, count);
  return source::sha256(counts);
}

Json policy_record(const model::Policy& policy) {
  return {{"name", policy.name},
          {"doc", maybe(policy.doc)},
          {"mode", policy.mode == model::Mode::Audit ? "audit" : "enforce"},
          {"audit_for", texts(policy.audit_for)},
          {"ephemeral", policy.ephemeral}};
}

Json obligations_record(const model::Policy& policy) {
  return {
      {"owner", maybe(policy.owner)}, {"satisfies", texts(policy.satisfies)}, {"isolation", word(policy.isolation)}};
}

/// Argument arrays, never shell text. What stands in braces is the starter's to fill in.
Json commands_record(const plan::StackCommands& commands) {
  const auto list = [](const std::vector<std::vector<std::string>>& all) {
    Json out = Json::array();
    for (const auto& command : all) out.push_back(texts(command));
    return out;
  };
  return {{"prepare", list(commands.prepare)}, {"run", list(commands.run)}, {"finally", list(commands.finally)}};
}

Json stack_record(const Content& content) {
  Json variables = {{"{dir}", "this directory, as an absolute path"},
                    {"{run}", "a fresh directory of this run"},
                    {"{id}", "a name for the container that no other one has"}};
  if (content.target->stack == "oci+landlock" || content.target->stack == "launcher")
    variables["{launcher}"] = "the installed program landlock-launch";
  return {{"name", content.target->stack},
          {"commands", commands_record(content.commands)},
          {"variables", std::move(variables)}};
}

Json place(const source::Files& files, source::Span span) {
  if (!span.known()) return nullptr;
  const source::Position at = files.position(span.file, span.begin);
  return {{"path", text(files.get(span.file).path)}, {"line", at.line}, {"column", at.column}};
}

Json capability(const plan::Answer& answer) {
  return {{"layer", answer.layer},
          {"holds", letter(answer.capability.holds)},
          {"reason", maybe(answer.capability.reason)},
          {"slips", maybe(answer.capability.slips)}};
}

Json plan_rows(const Content& content) {
  Json rows = Json::array();
  for (const plan::Row& row : content.plan->rows) {
    const auto decided = std::find_if(row.answers.begin(), row.answers.end(), [&](const plan::Answer& answer) {
      return answer.layer == row.layer && answer.capability.holds == row.holds;
    });
    Json one = {{"fact", text(row.fact.text)},
                {"block", row.fact.block},
                {"layer", maybe(row.layer)},
                {"holds", letter(row.holds)},
                {"reason", decided == row.answers.end() ? Json(nullptr) : maybe(decided->capability.reason)},
                {"accepted", row.accept.has_value()},
                {"source", place(*content.files, row.fact.span)},
                {"answers", Json::array()}};
    if (row.fact.kind == model::Fact::Kind::Pattern) one["rule"] = text(content.policy->rules[row.fact.rule].id);
    for (const plan::Answer& answer : row.answers)
      if (answer.capability.holds != backends::Holds::Elsewhere) one["answers"].push_back(capability(answer));
    // Rows that say the same, the calls of a group, say, are one with a count.
    one["count"] = row.count;
    if (!rows.empty()) {
      Json& last = rows.back();
      one["count"] = last["count"];
      if (one == last) {
        last["count"] = last["count"].get<std::size_t>() + row.count;
        continue;
      }
      one["count"] = row.count;
    }
    rows.push_back(std::move(one));
  }
  return rows;
}

Json accepted(const Content& content) {
  Json list = Json::array();
  for (std::size_t i = 0; i < content.policy->accepts.size(); ++i) {
    const model::Accept& accept = content.policy->accepts[i];
    const auto covers = std::count_if(content.plan->rows.begin(), content.plan->rows.end(),
                                      [&](const plan::Row& row) { return row.accept == i; });
    list.push_back({{"gap", word(accept.kind)},
                    {"fact", text(accept.fact)},
                    {"because", text(accept.because)},
                    {"until", accept.until ? Json(model::day_text(*accept.until)) : Json(nullptr)},
                    {"expired", accept.expired},
                    {"covers", covers},
                    {"source", place(*content.files, accept.span)}});
  }
  return list;
}

Json rules(const Content& content) {
  static constexpr std::string_view effects[] = {"deny", "ask", "allow"};
  Json list = Json::array();
  for (const model::Rule& rule : content.policy->rules) {
    Json one = {{"id", text(rule.id)},
                {"effect", effects[static_cast<int>(rule.effect)]},
                {"text", text(rule.text)},
                {"because", maybe(rule.because)},
                {"until", rule.until ? Json(model::day_text(*rule.until)) : Json(nullptr)},
                {"expired", rule.expired},
                {"implied", rule.implied},
                {"module", maybe(rule.module)},
                {"source", place(*content.files, rule.span)},
                {"places", Json::array()}};
    for (const backends::MapEntry& entry : content.map)
      if (entry.rule == rule.id) one["places"].push_back({{"artifact", entry.artifact}, {"place", entry.place}});
    list.push_back(std::move(one));
  }
  return list;
}

Json artifacts(const Content& content) {
  std::vector<const backends::Artifact*> sorted;
  for (const backends::Artifact& artifact : content.artifacts) sorted.push_back(&artifact);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->path < b->path; });
  Json list = Json::array();
  for (const backends::Artifact* artifact : sorted)
    list.push_back(
        {{"path", artifact->path}, {"bytes", artifact->bytes.size()}, {"sha256", source::sha256(artifact->bytes)}});
  return list;
}

Json file_names(const Content& content) {
  std::set<std::string> names = {"manifest.json", "report.json"};
  for (const backends::Artifact& artifact : content.artifacts) names.insert(artifact.path);
  return names;
}

Json derived_grants(const plan::Plan& plan) {
  Json list = Json::array();
  for (const backends::DerivedGrant& grant : plan.derived)
    list.push_back({{"grant", text(grant.grant)}, {"layer", grant.layer}, {"reason", text(grant.reason)}});
  return list;
}

std::string dump(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + '\n'; }

}  // namespace

std::vector<std::string> changed_commands(std::string_view manifest, const plan::StackCommands& commands) {
  std::string why;
  const auto read = source::parse_strict_json(manifest, 64, why);
  const Json record = commands_record(commands);
  std::vector<std::string> out;
  for (const auto& [list, expected] : record.items()) {
    const nlohmann::json::json_pointer at("/stack/commands/" + list);
    if (!read || !read->contains(at) || (*read)[at].dump() != expected.dump()) out.push_back(list);
  }
  return out;
}

std::string manifest(const Content& content) {
  const model::Policy& policy = *content.policy;
  Json modules = Json::array();
  for (const model::ModuleRead& module : policy.modules)
    modules.push_back({{"name", text(module.name)}, {"sha256", module.sha256}});
  Json parameters = Json::object();
  for (const auto& [name, value] : content.parameters) parameters[text(name)] = text(value);
  Json options = {{"date", dated(policy) ? Json(model::day_text(content.date)) : Json(nullptr)},
                  {"parameters", parameters},
                  {"verify", !content.proofs_skipped}};
  if (!content.target->syscall_counts.empty()) options["syscall_counts"] = counts_digest(*content.target);
  const Json value = {{"schema", "agp-manifest/1"},
                      {"agp", {{"version", version}, {"language", language_version}, {"library", library_edition}}},
                      {"policy", policy_record(policy)},
                      {"obligations", obligations_record(policy)},
                      {"options", options},
                      {"target", plan::target_record(*content.target)},
                      {"stack", stack_record(content)},
                      {"modules", modules},
                      {"files", file_names(content)},
                      {"artifacts", artifacts(content)},
                      {"not_verified", texts(content.not_verified)},
                      {"advisory", texts(content.plan->advisory)},
                      {"plan", plan_rows(content)},
                      {"assumptions", texts(content.plan->assumptions)},
                      {"derived", derived_grants(*content.plan)},
                      {"accepted", accepted(content)},
                      {"rules", rules(content)}};
  return dump(value);
}

namespace {

std::string report(const Content& content) {
  Json proofs = Json::array();
  for (const ProofRow& row : content.proofs)
    proofs.push_back({{"artifact", row.artifact},
                      {"statement", text(row.statement)},
                      {"verdict", row.verdict},
                      {"witness", maybe(row.witness)},
                      {"reason", maybe(row.reason)},
                      {"milliseconds", row.milliseconds}});
  const Json value = {{"schema", "agp-report/1"},
                      {"agp", version},
                      {"policy", content.policy->name},
                      {"date", model::day_text(content.date)},
                      {"solver", maybe(content.solver)},
                      {"milliseconds", content.milliseconds},
                      {"proofs", proofs},
                      {"not_verified", texts(content.not_verified)}};
  return dump(value);
}

}  // namespace

std::vector<backends::Artifact> files(const Content& content) {
  std::vector<backends::Artifact> all = content.artifacts;
  all.push_back({"manifest.json", manifest(content)});
  all.push_back({"report.json", report(content)});
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return all;
}

}  // namespace agp::bundle
