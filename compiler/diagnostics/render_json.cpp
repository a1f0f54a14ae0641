// `agp-diagnostics/1`: everything a finding has. The strings are escaped by JSON itself, and everything outside ASCII
// as \uXXXX, so that a terminal or a build log that prints the report obeys nothing in it.
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/source/version.hpp"

namespace agp::diagnostics {
namespace {

using Json = nlohmann::ordered_json;

Json point(Locator& locator, source::FileId file, std::uint32_t offset) {
  const source::Position at = locator.position(file, offset);
  return {{"offset", offset}, {"line", at.line}, {"column", at.column}};
}

Json location(const source::Files& files, Locator& locator, source::Span span) {
  if (!span.known()) return nullptr;
  const source::File& file = files.get(span.file);
  return {{"path", valid_utf8(file.path)},
          {"library", file.library},
          {"start", point(locator, span.file, span.begin)},
          {"end", point(locator, span.file, span.end)}};
}

Json finding(const source::Files& files, Locator& locator, const Diagnostic& d) {
  Json one = {{"code", code_text(*d.kind)},
              {"name", d.kind->name},
              {"severity", severity_word(d.severity)},
              {"message", valid_utf8(d.message)},
              {"location", location(files, locator, d.primary)},
              {"label", valid_utf8(d.label)},
              {"related", Json::array()},
              {"witness", d.witness.empty() ? Json(nullptr) : Json(valid_utf8(d.witness))},
              {"notes", Json::array()},
              {"help", d.help.empty() ? Json(nullptr) : Json(valid_utf8(d.help))},
              {"edits", Json::array()},
              {"policy", d.policy.empty() ? Json(nullptr) : Json(valid_utf8(d.policy))}};
  for (const Label& label : d.related)
    one["related"].push_back(
        {{"location", location(files, locator, label.span)}, {"message", valid_utf8(label.message)}});
  for (const std::string& note : d.notes) one["notes"].push_back(valid_utf8(note));
  for (const Edit& edit : d.edits)
    one["edits"].push_back(
        {{"location", location(files, locator, edit.span)}, {"replacement", valid_utf8(edit.replacement)}});
  return one;
}

}  // namespace

std::string json_text(const nlohmann::ordered_json& value) {
  std::string text = value.dump(2, ' ', true, Json::error_handler_t::replace);
  // A build server that looks for `##[` or `##vso[` anywhere in a line must not find it in a string.
  for (std::size_t at = text.find("##"); at != std::string::npos; at = text.find("##", at))
    text.replace(at + 1, 1, "\\u0023");
  return text + '\n';
}

Json json_report(const source::Files& files, std::span<const Diagnostic> list) {
  Locator locator(files);
  Json report = {{"schema", "agp-diagnostics/1"},
                 {"tool", {{"name", "agp"}, {"version", version}}},
                 {"diagnostics", Json::array()},
                 {"summary", {{"errors", 0}, {"warnings", 0}, {"notes", 0}}}};
  for (const Diagnostic& d : list) {
    report["diagnostics"].push_back(finding(files, locator, d));
    Json& count = report["summary"][std::string(severity_word(d.severity)) + 's'];
    count = count.get<int>() + 1;
  }
  return report;
}

Json json_location(const source::Files& files, source::Span span) {
  Locator locator(files);
  return location(files, locator, span);
}

std::string render_json(const source::Files& files, std::span<const Diagnostic> list) {
  return json_text(json_report(files, list));
}

}  // namespace agp::diagnostics
