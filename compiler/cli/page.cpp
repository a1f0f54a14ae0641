#include "compiler/cli/page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/markdown.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::cli {
namespace {

using diagnostics::line_start;
using diagnostics::markdown_code;
using diagnostics::markdown_prose;
using diagnostics::visible;

constexpr unsigned line_width = 100;

std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

/// A line of Markdown that is prose whatever it begins with: no list, no rule, no code block.
std::string markdown_line(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  if (text.empty() || std::string_view("-+=0123456789").find(text.front()) == std::string_view::npos)
    return markdown_prose(text);
  return fmt::format("&#{};{}", static_cast<int>(text.front()), markdown_prose(text.substr(1)));
}

std::string wrapped(std::string_view text, unsigned indent, unsigned hanging = 0) {
  std::string out;
  unsigned at = indent;
  for (const std::string& words : diagnostics::wrap(visible(text), line_width - indent - hanging)) {
    out += fmt::format("{:{}}{}\n", "", at, line_start(words));
    at = indent + hanging;
  }
  return out;
}

}  // namespace

void Page::gap(Last next) {
  const bool together = next == last_ && (next == Last::Item || next == Last::Fact);
  if (last_ != Last::Nothing && !together && (markdown_ || last_ != Last::Heading)) out_ += '\n';
  last_ = next;
}

void Page::title(std::string_view text) {
  gap(Last::Heading);
  out_ += markdown_ ? fmt::format("# {}\n", markdown_line(one_line(text))) : wrapped(text, 0);
}

void Page::heading(std::string_view text) {
  gap(Last::Heading);
  out_ += markdown_ ? fmt::format("## {}\n", markdown_line(one_line(text))) : wrapped(text, 0);
}

void Page::prose(std::string_view text) {
  gap(Last::Prose);
  out_ += markdown_ ? markdown_line(one_line(text)) + '\n' : wrapped(one_line(text), 2);
}

void Page::item(std::string_view code, const std::vector<std::string>& notes) {
  gap(Last::Item);
  out_ += markdown_ ? fmt::format("- {}\n", markdown_code(visible(code))) : wrapped(code, 2, 2);
  for (const std::string& note : notes)
    out_ += markdown_ ? fmt::format("  - {}\n", markdown_line(one_line(note))) : wrapped(one_line(note), 6);
}

void Page::fact(std::string_view name, std::string_view value) {
  gap(Last::Fact);
  out_ += markdown_ ? fmt::format("- {}: {}\n", markdown_prose(name), markdown_prose(one_line(value)))
                    : fmt::format("  {:<12}{}\n", visible(name), visible(value));
}

}  // namespace agp::cli
