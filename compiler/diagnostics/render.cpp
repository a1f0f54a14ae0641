#include "compiler/diagnostics/render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/kinds.hpp"

namespace agp::diagnostics {
namespace {

struct Named {
  Format format;
  std::string_view name;
};
constexpr Named formats[] = {{Format::Text, "text"},   {Format::Concise, "concise"}, {Format::Json, "json"},
                             {Format::Sarif, "sarif"}, {Format::Github, "github"},   {Format::Markdown, "markdown"},
                             {Format::Junit, "junit"}};

constexpr int first_of_meaning = 1050, first_of_conflicts = 2000;  ///< codes.def: sema's own begin here, and end

/// Everything that a reader could tell two findings apart by. The policy is left out: a mistake in a file that several
/// policies use is one mistake.
auto content(const Diagnostic& d) { return std::tie(d.message, d.label, d.witness, d.notes, d.help); }

bool same(const Diagnostic& a, const Diagnostic& b) {
  const auto same_label = [](const Label& x, const Label& y) { return x.span == y.span && x.message == y.message; };
  return a.kind == b.kind && a.severity == b.severity && a.primary == b.primary && content(a) == content(b) &&
         std::equal(a.related.begin(), a.related.end(), b.related.begin(), b.related.end(), same_label);
}

/// One mistake is one finding: where the text itself is wrong, what its meaning would be is not judged.
void drop_consequences(std::vector<Diagnostic>& list) {
  const auto about_text = [](const Diagnostic& d) {
    return d.kind == &kind::hidden_character ||
           (d.kind->number >= kind::syntax_error.number && d.kind->number < first_of_meaning);
  };
  std::map<source::FileId, std::vector<source::Span>> wrong;
  for (const Diagnostic& d : list)
    if (about_text(d) && d.primary.known()) wrong[d.primary.file].push_back(d.primary);
  if (wrong.empty()) return;
  for (auto& [file, spans] : wrong) std::sort(spans.begin(), spans.end(), [](auto a, auto b) { return a.end < b.end; });
  std::erase_if(list, [&](const Diagnostic& d) {
    if (about_text(d) || d.kind->number < first_of_meaning || d.kind->number >= first_of_conflicts) return false;
    const auto spans = wrong.find(d.primary.file);
    if (!d.primary.known() || spans == wrong.end()) return false;
    // Findings of syntax are small and do not overlap: the first that ends behind this one's beginning decides.
    const auto first = std::upper_bound(spans->second.begin(), spans->second.end(), d.primary.begin,
                                        [](std::uint32_t at, source::Span span) { return at < span.end; });
    return first != spans->second.end() && first->begin < d.primary.end;
  });
}

}  // namespace

std::optional<Format> find_format(std::string_view name) {
  for (const Named& format : formats)
    if (format.name == name) return format.format;
  return std::nullopt;
}

std::string_view to_string(Format format) { return formats[static_cast<std::size_t>(format)].name; }

std::string render(Format format, const source::Files& files, std::span<const Diagnostic> list,
                   const RenderOptions& options) {
  switch (format) {
    case Format::Text:
      return render_text(files, list, options);
    case Format::Concise:
      return render_concise(files, list);
    case Format::Json:
      return render_json(files, list);
    case Format::Sarif:
      return render_sarif(files, list);
    case Format::Github:
      return render_github(files, list);
    case Format::Markdown:
      return render_markdown(files, list);
    case Format::Junit:
      return render_junit(files, list, options);
  }
  return {};
}

void arrange(const source::Files& files, std::vector<Diagnostic>& list) {
  const auto place = [&](const Diagnostic& d) {
    // What has no place in a text (a missing file) comes first.
    const std::string_view path = d.primary.known() ? std::string_view(files.get(d.primary.file).path) : "";
    return std::tuple(path, d.primary.begin, -static_cast<int>(d.severity), d.kind->number, d.primary.end);
  };
  const auto before = [&](const Diagnostic& a, const Diagnostic& b) {
    const auto at = place(a), bt = place(b);
    return at != bt ? at < bt : content(a) < content(b);
  };
  std::stable_sort(list.begin(), list.end(), before);
  list.erase(std::unique(list.begin(), list.end(), same), list.end());
  drop_consequences(list);
}

std::string summary(std::span<const Diagnostic> list) {
  std::string text;
  for (const Severity severity : {Severity::Error, Severity::Warning, Severity::Note}) {
    const auto count =
        std::count_if(list.begin(), list.end(), [&](const Diagnostic& d) { return d.severity == severity; });
    if (count == 0) continue;
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", count, severity_word(severity), count == 1 ? "" : "s");
  }
  return text;
}

std::string_view severity_word(Severity severity) {
  switch (severity) {
    case Severity::Error:
      return "error";
    case Severity::Warning:
      return "warning";
    case Severity::Note:
      return "note";
  }
  return "error";
}

std::vector<const Diagnostic*> by_severity(std::span<const Diagnostic> list) {
  std::vector<const Diagnostic*> sorted;
  for (const Diagnostic& d : list) sorted.push_back(&d);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Diagnostic* a, const Diagnostic* b) { return a->severity > b->severity; });
  return sorted;
}

std::string line_start(std::string_view text) {
  // Build servers trim a line before they look for `::`.
  std::string out = visible(text);
  const std::size_t first = out.find_first_not_of(' ');
  if (first != std::string::npos && (out[first] == ':' || out[first] == '#')) out.insert(0, "./");
  return out;
}

}  // namespace agp::diagnostics
