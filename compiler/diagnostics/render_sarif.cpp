// SARIF 2.1.0 (OASIS): one run, most severe first. A result is recognised over time by `agp/v1`, a digest of code,
// policy, text of the rule and its occurrence, so that moving a rule does not make it new.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/json.hpp"
#include "compiler/source/digest.hpp"
#include "compiler/source/version.hpp"

namespace agp::diagnostics {
namespace {

using Json = nlohmann::ordered_json;

/// RFC 3986: everything but unreserved characters and `/` is percent-encoded.
std::string uri(const source::File& file) {
  std::string out = file.library ? "agp-library:" : "";
  for (const char c : file.path) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                            c == '.' || c == '_' || c == '~' || c == '/';
    if (unreserved)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string level(Severity severity) {
  return std::string(severity == Severity::Note ? "note" : severity_word(severity));
}

class Run {
 public:
  explicit Run(const source::Files& files) : files_(files), locator_(files) {}

  Json result(const Diagnostic& d, const std::map<const Kind*, std::size_t>& rules) {
    std::string text = visible(d.message);
    if (!d.witness.empty()) text += "\nwitness: " + visible(d.witness);
    for (const std::string& note : d.notes) text += "\nnote: " + visible(note);
    if (!d.help.empty()) text += "\nhelp: " + visible(d.help);
    Json one = {{"ruleId", code_text(*d.kind)}, {"ruleIndex", rules.at(d.kind)},
                {"level", level(d.severity)},   {"message", {{"text", text}}},
                {"locations", Json::array()},   {"partialFingerprints", {{"agp/v1", fingerprint(d)}}}};
    if (d.primary.known()) one["locations"].push_back(location(d.primary, d.label));
    for (const Label& label : d.related) {
      if (!label.span.known()) continue;
      Json related = location(label.span, label.message);
      related["id"] = one.contains("relatedLocations") ? one["relatedLocations"].size() : 0;
      one["relatedLocations"].push_back(std::move(related));
    }
    if (const Json fix = fixes(d); !fix.empty()) one["fixes"] = fix;
    if (!d.policy.empty()) one["properties"] = {{"policy", visible(d.policy)}};
    return one;
  }

 private:
  Json artifact(source::FileId file) const {
    Json location = {{"uri", uri(files_.get(file))}};
    if (!files_.get(file).library) location["uriBaseId"] = "%SRCROOT%";
    return location;
  }

  Json region(source::Span span) {
    const source::Position from = locator_.position(span.file, span.begin);
    const source::Position to = locator_.position(span.file, span.end);
    return {{"startLine", from.line}, {"startColumn", from.column}, {"endLine", to.line},
            {"endColumn", to.column}, {"byteOffset", span.begin},   {"byteLength", span.end - span.begin}};
  }

  Json location(source::Span span, std::string_view label) {
    Json one = {{"physicalLocation", {{"artifactLocation", artifact(span.file)}, {"region", region(span)}}}};
    if (!label.empty()) one["message"] = {{"text", visible(label)}};
    return one;
  }

  Json fixes(const Diagnostic& d) {
    Json changes = Json::array();
    std::map<source::FileId, std::size_t> place;
    for (const Edit& edit : d.edits) {
      if (!edit.span.known() || files_.get(edit.span.file).library) continue;
      const auto [at, fresh] = place.emplace(edit.span.file, changes.size());
      if (fresh) changes.push_back({{"artifactLocation", artifact(edit.span.file)}, {"replacements", Json::array()}});
      changes[at->second]["replacements"].push_back(
          {{"deletedRegion", region(edit.span)}, {"insertedContent", {{"text", valid_utf8(edit.replacement)}}}});
    }
    if (changes.empty()) return Json::array();
    const std::string text = d.help.empty() ? "apply the suggested edit" : visible(d.help);
    return Json::array({{{"description", {{"text", text}}}, {"artifactChanges", changes}}});
  }

  std::string fingerprint(const Diagnostic& d) {
    std::string key = code_text(*d.kind) + '\0' + d.policy + '\0' + line_text(files_, d.primary);
    // Without a place only the message tells findings apart.
    if (!d.primary.known()) key += '\0' + d.message;
    const int occurrence = occurrences_[key]++;
    return source::sha256(key + '\0' + std::to_string(occurrence)).substr(0, 32);
  }

  const source::Files& files_;
  Locator locator_;
  std::map<std::string, int> occurrences_;
};

}  // namespace

std::string render_sarif(const source::Files& files, std::span<const Diagnostic> list) {
  std::map<const Kind*, std::size_t> index;
  Json rules = Json::array();
  for (const Kind* kind : all_kinds()) {
    if (std::none_of(list.begin(), list.end(), [&](const Diagnostic& d) { return d.kind == kind; })) continue;
    index[kind] = rules.size();
    rules.push_back({{"id", code_text(*kind)},
                     {"name", kind->name},
                     {"shortDescription", {{"text", kind->title}}},
                     {"help", {{"text", fmt::format("`agp explain {}` says more.", code_text(*kind))}}},
                     {"defaultConfiguration", {{"level", level(kind->severity)}}}});
  }
  Run run(files);
  // Occurrences are counted in the order of places; the order of severity comes after.
  std::map<const Diagnostic*, Json> made;
  for (const Diagnostic& d : list) made.emplace(&d, run.result(d, index));
  Json results = Json::array();
  for (const Diagnostic* d : by_severity(list)) results.push_back(std::move(made.at(d)));
  const Json report = {
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs",
       {{{"tool", {{"driver", {{"name", "agp"}, {"semanticVersion", version}, {"rules", rules}}}}},
         {"columnKind", "unicodeCodePoints"},
         {"originalUriBaseIds", {{"%SRCROOT%", {{"description", {{"text", "the root of the project"}}}}}}},
         {"results", results}}}}};
  return json_text(report);
}

}  // namespace agp::diagnostics
