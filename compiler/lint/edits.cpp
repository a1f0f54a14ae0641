// In: a finding whose set is a guard of the library. Out: the edits that include the guard.
#include "compiler/lint/edits.hpp"

#include <algorithm>

#include "compiler/syntax/comments.hpp"
#include "compiler/syntax/parse.hpp"

namespace agp::lint {

namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/// Where the line of `at` ends, if nothing but blanks and comments stand behind `at`; else nothing.
std::optional<std::size_t> rest_of_line(std::string_view text, std::size_t at) {
  while (at < text.size() && blank(text[at])) ++at;
  if (at == text.size() || text[at] == '\n') return at;
  // A comment that documents what follows is not this line's.
  if (text.substr(at, 2) != "//" || text.substr(at, 3) == "///") return std::nullopt;
  return std::min(text.find('\n', at), text.size());
}

std::string indent_of(std::string_view text, std::size_t at) {
  const std::size_t line = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  std::size_t end = line;
  while (end < at && (text[end] == ' ' || text[end] == '\t')) ++end;
  return std::string(text.substr(line, end - line));
}

}  // namespace

std::string module_of(std::string_view guard) {
  return std::string(std::count(guard.begin(), guard.end(), '.') > 2 ? guard.substr(0, guard.rfind('.')) : guard);
}

const Layout::Parsed& Layout::of(source::FileId file) {
  const auto [at, fresh] = parsed_.try_emplace(file);
  Parsed& out = at->second;
  if (!fresh) return out;
  const std::string_view text = files_.get(file).text;
  diagnostics::Sink known;  // the policy resolved: nothing new can be wrong
  const syntax::File parsed = syntax::parse(files_, file, known);
  const auto tokens = syntax::comments(files_, file).tokens;
  for (const syntax::Item& item : parsed.items) {
    if (const auto* version = std::get_if<syntax::VersionItem>(&item)) {
      out.uses = {version->span.end, "", true};
    } else if (const auto* use = std::get_if<syntax::Use>(&item)) {
      out.uses = {use->span.end, "", false};
      if (use->module) out.names.emplace(use->module->text(), use->as ? use->as->text : use->module->text());
    } else if (const auto* policy = std::get_if<syntax::Policy>(&item)) {
      const auto brace = std::find_if(tokens.begin(), tokens.end(),
                                      [&](std::uint32_t t) { return t >= policy->name.span.end && text[t] == '{'; });
      if (brace == tokens.end()) continue;
      Place place{*brace + 1, indent_of(text, policy->span.begin) + "  ", false};
      bool includes = false;
      for (const syntax::Statement& statement : policy->body) {
        const auto* include = std::get_if<syntax::Include>(&statement);
        const auto* words = std::get_if<syntax::WordHeader>(&statement);
        const auto* texts = std::get_if<syntax::TextHeader>(&statement);
        if (include)
          place = {include->span.end, indent_of(text, include->span.begin), false};
        else if ((words || texts) && !includes)
          place = {words ? words->span.end : texts->span.end, place.indent, true};
        includes = includes || include;
      }
      out.includes.emplace(policy->name.span.begin, std::move(place));
    }
  }
  return out;
}

void Layout::put(source::FileId file, const Place& place, const std::string& line, diagnostics::Diagnostic& d) const {
  const std::string_view text = files_.get(file).text;
  const auto end = rest_of_line(text, place.after);
  const auto at = [&](std::size_t offset) {
    return source::Span{file, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset)};
  };
  const bool carriage = end && *end > 0 && text[*end - 1] == '\r';
  const std::string stop = carriage ? "\r\n" : "\n";
  if (!end)
    d.edit(at(place.after), place.indent.empty() ? "\n" + line + "\n" : " " + line);
  else if (*end == text.size())
    d.edit(at(*end), (place.apart ? stop + stop : stop) + place.indent + line);
  else
    d.edit(at(*end + 1), (place.apart ? stop : "") + place.indent + line + stop);
}

const std::vector<std::uint32_t>& Layout::tokens(source::FileId file) {
  const auto [at, fresh] = tokens_.try_emplace(file);
  if (fresh) at->second = syntax::comments(files_, file).tokens;
  return at->second;
}

std::vector<source::Span> Layout::words(source::Span span) {
  const auto part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const std::string_view text = files_.get(span.file).text;
  const auto& all = tokens(span.file);
  std::vector<source::Span> out;
  for (auto at = std::lower_bound(all.begin(), all.end(), span.begin); at != all.end() && *at < span.end; ++at) {
    std::uint32_t end = *at;
    while (end < span.end && part(text[end])) ++end;
    if (end > *at) out.push_back({span.file, *at, end});
  }
  return out;
}

void Layout::add_rule(source::Span behind, const std::string& rule, diagnostics::Diagnostic& d) {
  if (!behind.known() || files_.get(behind.file).library) return;
  put(behind.file, {behind.end, indent_of(files_.get(behind.file).text, behind.begin), false}, rule, d);
}

void Layout::include_guard(const model::Policy& policy, std::string_view guard, std::string_view argument,
                           diagnostics::Diagnostic& d) {
  const source::FileId file = policy.name_span.file;
  if (!policy.name_span.known() || files_.get(file).library) return;
  const Parsed& parsed = of(file);
  const auto place = parsed.includes.find(policy.name_span.begin);
  if (place == parsed.includes.end() || parsed.uses.after == 0) return;
  const std::string module = module_of(guard);
  const auto known = parsed.names.find(module);
  if (known == parsed.names.end()) put(file, parsed.uses, "use " + module, d);
  std::string line = "include " + (known == parsed.names.end() ? module : known->second);
  line += guard.substr(module.size());
  if (!argument.empty()) line += "(" + std::string(argument) + ")";
  put(file, place->second, line, d);
}

source::Span whole_comment(const source::Files& files, source::Span comment) {
  const std::string_view text = files.get(comment.file).text;
  std::size_t begin = comment.begin, end = comment.end;
  while (begin > 0 && blank(text[begin - 1])) --begin;
  const bool alone = begin == 0 || text[begin - 1] == '\n';
  if (alone) end = std::min(text.find('\n', end), text.size() - 1) + 1;
  return {comment.file, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

}  // namespace agp::lint
