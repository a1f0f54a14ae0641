// A report for pull requests and job summaries. Text of a policy stands in code spans or fences, or with everything
// that Markdown, HTML or a forge would act on (tags, links, mentions, issue numbers) as character references.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/formats.hpp"
#include "compiler/diagnostics/markdown.hpp"

namespace agp::diagnostics {
namespace {

std::string plain(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool www = c == '.' && i >= 3 && (text.substr(i - 3, 3) == "www" || text.substr(i - 3, 3) == "WWW");
    if (c == '@' || c == '#')
      out += fmt::format("&#{};&#8203;", static_cast<int>(c));  // no mention, no issue number
    else if (www || std::string_view("\\`*_{}[]<>&!|~:$^").find(c) != std::string_view::npos)
      out += fmt::format("&#{};", static_cast<int>(c));
    else
      out += c;
  }
  return out;
}

std::size_t longest_run(std::string_view text, char c) {
  std::size_t longest = 0, run = 0;
  for (const char x : text) longest = std::max(longest, run = x == c ? run + 1 : 0);
  return longest;
}

std::string code(std::string_view text) { return markdown_code(text); }
std::string prose(std::string_view raw) { return markdown_prose(raw); }

std::string fence(std::string_view body) {
  const std::string ticks(std::max<std::size_t>(3, longest_run(body, '`') + 1), '`');
  return fmt::format("{0}text\n{1}{0}\n", ticks, body);
}

}  // namespace

std::string markdown_code(std::string_view text) {
  const std::string ticks(longest_run(text, '`') + 1, '`');
  const bool pad =
      text.empty() || text.front() == '`' || text.back() == '`' || text.front() == ' ' || text.back() == ' ';
  return fmt::format("{0}{1}{2}{1}{0}", ticks, pad ? " " : "", text);
}

std::string markdown_prose(std::string_view raw) {
  const std::string text = visible(raw);
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find('`', at);
    const std::size_t close = open == std::string::npos ? open : text.find('`', open + 1);
    if (close == std::string::npos) break;
    out += plain(std::string_view(text).substr(at, open - at));
    out += close > open + 1 ? code(std::string_view(text).substr(open + 1, close - open - 1)) : "&#96;&#96;";
    at = close + 1;
  }
  return out + plain(std::string_view(text).substr(at));
}

std::string render_markdown(const source::Files& files, std::span<const Diagnostic> list) {
  if (list.empty()) return "agp: no findings\n";
  std::string out = fmt::format("### agp: {}\n", summary(list));
  for (const Diagnostic* d : by_severity(list)) {
    out += fmt::format("\n**{}** {}: {}\n", severity_word(d->severity), code(code_text(*d->kind)), prose(d->message));
    const std::string lines = plain_snippet(files, *d);
    if (!lines.empty()) out += '\n' + fence(lines);
    std::string items;
    if (!d->witness.empty()) items += fmt::format("- witness: {}\n", code(visible(d->witness)));
    for (const std::string& note : d->notes) items += fmt::format("- note: {}\n", prose(note));
    if (!d->help.empty()) items += fmt::format("- help: {}\n", prose(d->help));
    if (!items.empty()) out += '\n' + items;
  }
  return out;
}

}  // namespace agp::diagnostics
