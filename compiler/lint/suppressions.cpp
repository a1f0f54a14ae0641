// Comments -> suppressions. A comment counts only as a whole: with names of lints, a last day and a reason. What is
// wrong with one is reported and allows nothing.
#include "compiler/lint/suppressions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"
#include "compiler/lint/edits.hpp"
#include "compiler/sema/sema.hpp"
#include "compiler/syntax/comments.hpp"

namespace agp::lint {

namespace kind = diagnostics::kind;

namespace {

constexpr std::string_view word = "agp-allow";
constexpr std::string_view form = "`// agp-allow NAME until YYYY-MM-DD: reason`";

std::string_view trim(std::string_view s) {
  const std::size_t from = s.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return s.substr(from, s.find_last_not_of(" \t\r\n") - from + 1);
}

/// `agp-allowed` in a comment is prose.
bool part_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// 2027-03-01, strictly.
std::optional<model::Day> date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  int parts[3] = {0, 0, 0};
  const std::size_t from[] = {0, 5, 8}, length[] = {4, 2, 2};
  for (int p = 0; p < 3; ++p)
    for (std::size_t i = 0; i < length[p]; ++i) {
      const char c = text[from[p] + i];
      if (c < '0' || c > '9') return std::nullopt;
      parts[p] = parts[p] * 10 + (c - '0');
    }
  return sema::to_day(parts[0], parts[1], parts[2]);
}

std::string meant(std::string_view name) {
  std::vector<std::string_view> names;
  for (const diagnostics::Kind* k : diagnostics::all_kinds())
    if (diagnostics::is_lint(*k)) names.push_back(k->name);
  return diagnostics::did_you_mean(name, names);
}

}  // namespace

Suppressions::Entry Suppressions::read(source::Span span, std::string_view text) const {
  Entry out;
  out.span = span;
  const std::string_view rest = trim(text.substr(word.size()));
  const auto fail = [&](std::string why, std::string help = {}) {
    out.fault = std::move(why);
    out.help = help.empty() ? fmt::format("write {}", form) : std::move(help);
    return out;
  };
  // `: ` ends the names and the date: a reason may hold anything
  const std::size_t colon = rest.find(':');
  const std::string_view head = trim(rest.substr(0, colon));
  const std::size_t until = head.rfind(" until ");
  if (until == std::string_view::npos) return fail("it has no last day");
  const std::string_view day = trim(head.substr(until + 7));
  const auto end = date(day);
  if (!end) return fail(fmt::format("`{}` is no day", day));
  if (colon == std::string_view::npos || trim(rest.substr(colon + 1)).empty()) return fail("it has no reason");
  std::string_view names = head.substr(0, until);
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    const std::string_view name = trim(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
    const diagnostics::Kind* found = diagnostics::find_kind(name);
    if (!found) return fail(fmt::format("no lint is called `{}`", name), meant(name));
    if (!diagnostics::is_lint(*found))
      return fail(fmt::format("`{}` is no lint: only AGP3010 to AGP3999 can be allowed", name), "mend what it found");
    out.kinds.emplace_back(found, false);
  }
  if (out.kinds.empty()) return fail("it names no lint");
  out.reason = rest.substr(until + 1);
  out.until = *end;
  out.expired = *end < options_.today;
  return out;
}

const std::vector<Suppressions::Entry>& Suppressions::of(source::FileId file) {
  const auto known = by_file_.find(file);
  if (known != by_file_.end()) return known->second;
  std::vector<Entry>& out = by_file_[file];
  const source::File& text = files_.get(file);
  if (text.library || text.text.find(word) == std::string::npos) return out;
  const syntax::Comments read_file = syntax::comments(files_, file);
  std::set<std::uint32_t> code;  // lines with a token
  for (const std::uint32_t at : read_file.tokens) code.insert(files_.position(file, at).line);
  for (const source::Span comment : read_file.comments) {
    const std::string_view whole = trim(files_.text(comment));
    if (!whole.starts_with("//") || whole.starts_with("///")) continue;
    const std::string_view words = trim(whole.substr(2));
    if (!words.starts_with(word) || (words.size() > word.size() && part_of_word(words[word.size()]))) continue;
    Entry entry = read({file, comment.begin, comment.begin + static_cast<std::uint32_t>(whole.size())}, words);
    const std::uint32_t own = files_.position(file, comment.begin).line;
    const auto next = code.lower_bound(own);
    entry.line = next == code.end() ? 0 : *next;
    entry.behind = entry.line == own;
    out.push_back(std::move(entry));
  }
  return out;
}

bool Suppressions::covers(const diagnostics::Kind& k, source::Span span, source::Span statement) {
  if (!span.known()) return false;
  of(span.file);
  bool found = false;
  for (Entry& entry : by_file_[span.file]) {
    if (!entry.fault.empty() || entry.expired || entry.line == 0) continue;
    const bool here = entry.line == files_.position(span.file, span.begin).line ||
                      (!entry.behind && statement.file == span.file &&
                       entry.line == files_.position(span.file, statement.begin).line);
    if (!here) continue;
    for (auto& [allowed, used] : entry.kinds)
      if (allowed == &k) found = used = true;
  }
  return found;
}

void Suppressions::judge(source::FileId file, const std::vector<source::Span>& looked_at, diagnostics::Sink& sink) {
  for (const Entry& entry : of(file)) {
    if (!entry.fault.empty()) {
      sink.emit(kind::invalid_suppression, entry.span, fmt::format("this `agp-allow` allows nothing: {}", entry.fault))
          .helped(entry.help);
      continue;
    }
    if (entry.expired) {
      sink.emit(kind::expired_suppression, entry.span,
                fmt::format("this `agp-allow` allows nothing since {}", model::day_text(entry.until + 1)))
          .helped("mend what it allowed, or give it a later day");
      continue;
    }
    const bool seen = std::any_of(looked_at.begin(), looked_at.end(), [&](source::Span s) {
      return s.file == file && entry.line != 0 && files_.position(file, s.begin).line <= entry.line &&
             entry.line <= files_.position(file, s.end).line;
    });
    std::string left;
    for (const auto& [allowed, used] : entry.kinds)
      if (used) left += (left.empty() ? "" : ", ") + std::string(allowed->name);
    for (const auto& [allowed, used] : entry.kinds) {
      const auto level = options_.levels.find(allowed->number);
      const bool off = level != options_.levels.end() && !level->second;
      if (used || off || !seen) continue;
      auto& d = sink.emit(kind::unused_suppression, entry.span,
                          fmt::format("`{}` finds nothing here: there is nothing to allow", allowed->name));
      d.helped("delete it");
      if (left.empty())
        d.edit(whole_comment(files_, entry.span), "");
      else
        d.edit(entry.span, fmt::format("// {} {} {}", word, left, entry.reason));
    }
  }
}

}  // namespace agp::lint
