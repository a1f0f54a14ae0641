// Workflow commands for GitHub Actions. A step shows at most ten annotations of a level, so the most severe come first,
// ten of each, and one line says how many there are. Format of commands: actions/toolkit, packages/core, command.ts.
#include <fmt/format.h>

#include <map>

#include "compiler/diagnostics/formats.hpp"

namespace agp::diagnostics {
namespace {

constexpr int shown_per_level = 10;

std::string escape(std::string_view text, std::string_view also) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || also.find(c) != std::string_view::npos)
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out;
}

std::string property(std::string_view text) { return escape(visible(text), ":,"); }

std::string message(const Diagnostic& d) {
  std::string out = escape(visible(d.message), "");
  const auto line = [&](std::string_view word, std::string_view text) {
    if (!text.empty()) out += fmt::format("%0A{}: {}", word, escape(visible(text), ""));
  };
  line("witness", d.witness);
  for (const std::string& note : d.notes) line("note", note);
  line("help", d.help);
  return out;
}

}  // namespace

std::string render_github(const source::Files& files, std::span<const Diagnostic> list) {
  Locator locator(files);
  std::string out;
  std::map<Severity, int> shown;
  int left_out = 0;
  for (const Diagnostic* d : by_severity(list)) {
    if (++shown[d->severity] > shown_per_level) {
      ++left_out;
      continue;
    }
    out += fmt::format("::{} ", d->severity == Severity::Note ? "notice" : severity_word(d->severity));
    if (d->primary.known() && !files.get(d->primary.file).library) {
      const source::Position from = locator.position(d->primary.file, d->primary.begin);
      const source::Position to = locator.position(d->primary.file, d->primary.end);
      out += fmt::format("file={},line={},endLine={},", property(files.get(d->primary.file).path), from.line, to.line);
      // Columns are shown only within one line; GitHub's end column is inclusive.
      if (from.line == to.line)
        out += fmt::format("col={},endColumn={},", from.column, std::max(from.column, to.column - 1));
    }
    out += fmt::format("title={} {}::{}\n", code_text(*d->kind), property(d->kind->name), message(*d));
  }
  if (list.empty()) return out;
  out += fmt::format("agp: {}", summary(list));
  if (left_out > 0) out += fmt::format(" ({} of them not shown: {} of a level at most)", left_out, shown_per_level);
  return out + '\n';
}

}  // namespace agp::diagnostics
