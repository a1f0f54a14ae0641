// The report for people: a headline, the source lines with what was found drawn under them, then what follows from it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/snippet.hpp"

namespace agp::diagnostics {
namespace {

Style style_of(Severity severity) {
  switch (severity) {
    case Severity::Error:
      return Style::Error;
    case Severity::Warning:
      return Style::Warning;
    case Severity::Note:
      return Style::Note;
  }
  return Style::Error;
}

class Report {
 public:
  Report(const source::Files& files, const RenderOptions& options)
      : files_(files), locator_(files), options_(options) {}

  std::string one(const Diagnostic& d) {
    std::string out = headline(d);
    snippet_.color = options_.color;
    snippet_.width = options_.width;
    snippet_.margin = margin(d);
    out += snippets(d);
    out += footer(d);
    return out;
  }

  std::string snippets(const Diagnostic& d) {
    // One block a file: the primary span's first, then the others in the order in which they were related.
    std::vector<std::pair<source::FileId, std::vector<Mark>>> blocks;
    const auto add = [&](source::Span span, const std::string& label, bool primary) {
      if (!span.known()) return;
      auto block = std::find_if(blocks.begin(), blocks.end(), [&](const auto& b) { return b.first == span.file; });
      if (block == blocks.end()) block = blocks.insert(blocks.end(), {span.file, {}});
      block->second.push_back({span, visible(label), primary, primary ? style_of(d.severity) : Style::Frame});
    };
    add(d.primary, d.label, true);
    for (const Label& label : d.related) add(label.span, label.message, false);
    std::string out;
    for (const auto& [file, marks] : blocks) {
      const source::Position at = locator_.position(file, marks.front().span.begin);
      Row row;
      row.put(snippet_.margin, "--> ", Style::Frame);
      row.append(fmt::format("{}:{}:{}", visible(files_.get(file).path), at.line, at.column));
      out += row.text(options_.color) + snippet(files_, marks, snippet_);
    }
    return out;
  }

  unsigned margin(const Diagnostic& d) {
    std::uint32_t last = 1;
    const auto see = [&](source::Span span) {
      if (span.known()) last = std::max(last, locator_.position(span.file, span.end).line);
    };
    see(d.primary);
    for (const Label& label : d.related) see(label.span);
    for (const Edit& edit : d.edits) see(edit.span);
    return static_cast<unsigned>(std::to_string(last).size());
  }

  SnippetOptions& snippet_options() { return snippet_; }

 private:
  std::string headline(const Diagnostic& d) const {
    const std::string head = fmt::format("{}[{}]", severity_word(d.severity), code_text(*d.kind));
    const auto first = static_cast<unsigned>(head.size() + 2);
    std::string out;
    for (const std::string& words : wrap(visible(d.message), options_.width, first)) {
      Row row;
      if (out.empty()) {
        row.append(head, style_of(d.severity));
        row.append(": ", Style::Bold);
      }
      row.append(words, Style::Bold);
      out += row.text(options_.color);
    }
    return out;
  }

  std::string footer(const Diagnostic& d) {
    std::string rows;
    if (!d.witness.empty()) rows += remark("witness", d.witness);
    for (const std::string& note : d.notes) rows += remark("note", note);
    if (!d.help.empty()) rows += remark("help", d.help);
    std::string out;
    if (!rows.empty() && (d.primary.known() || !d.related.empty())) {
      Row bar;
      bar.put(snippet_.margin + 1, "|", Style::Frame);
      out += bar.text(options_.color);
    }
    return out + rows + edits(d);
  }

  std::string remark(std::string_view word, std::string_view text) const {
    const std::size_t indent = snippet_.margin + 3 + word.size() + 2;
    const unsigned width = options_.width > indent + 20 ? options_.width - static_cast<unsigned>(indent) : 0;
    std::string out;
    for (const std::string& words : wrap(visible(text), width)) {
      Row row;
      if (out.empty()) {
        row.put(snippet_.margin + 1, "= ", Style::Frame);
        row.append(fmt::format("{}: ", word), Style::Bold);
      }
      row.put(indent, words, Style::Plain);
      out += row.text(options_.color);
    }
    return out;
  }

  std::string edits(const Diagnostic& d) const {
    std::vector<std::pair<source::FileId, std::vector<std::pair<source::Span, std::string>>>> groups;
    for (const Edit& edit : d.edits) {
      if (!edit.span.known()) continue;
      auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == edit.span.file; });
      if (group == groups.end()) group = groups.insert(groups.end(), {edit.span.file, {}});
      group->second.emplace_back(edit.span, edit.replacement);
    }
    std::string out;
    // what is put in far from the finding is what the help says, and many lines of nothing new
    std::erase_if(groups, [&](const auto& g) {
      return !d.help.empty() && std::any_of(g.second.begin(), g.second.end(), [&](const auto& e) {
        return d.primary.known() &&
               files_.position(g.first, e.first.begin).line != files_.position(d.primary.file, d.primary.begin).line;
      });
    });
    for (auto& [file, list] : groups) out += edit_lines(files_, list, snippet_);
    if (out.empty()) return out;
    Row bar;
    bar.put(snippet_.margin + 1, "|", Style::Frame);
    return bar.text(options_.color) + out;
  }

  const source::Files& files_;
  Locator locator_;
  RenderOptions options_;
  SnippetOptions snippet_;
};

}  // namespace

std::string render_text(const source::Files& files, std::span<const Diagnostic> list, const RenderOptions& options) {
  Report report(files, options);
  std::string out;
  std::set<std::string> codes;
  for (const Diagnostic& d : list) {
    out += report.one(d) + '\n';
    codes.insert(code_text(*d.kind));
  }
  if (codes.size() == 1)
    out += fmt::format("`agp explain {}` says more\n", *codes.begin());
  else if (!codes.empty())
    out += fmt::format("`agp explain CODE` says more, for one of {}\n", fmt::join(codes, ", "));
  return out;
}

std::string plain_snippet(const source::Files& files, const Diagnostic& diagnostic) {
  Report report(files, {});
  report.snippet_options().margin = report.margin(diagnostic);
  return report.snippets(diagnostic);
}

}  // namespace agp::diagnostics
