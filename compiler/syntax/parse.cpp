// Text -> AST, the passes in order: characters, tokens, nesting, items, version. In: one file. Out: everything that
// could be understood, and one diagnostic for each mistake. A text without mistakes is parsed item by item; only when
// one does not parse, the whole text goes through recovery.
#include "compiler/syntax/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/syntax/build.hpp"
#include "compiler/syntax/characters.hpp"
#include "compiler/syntax/lex.hpp"
#include "compiler/syntax/recover.hpp"

namespace agp::syntax {

namespace kind = diagnostics::kind;
using detail::R;
using detail::Reports;
using detail::T;

std::string QualifiedName::text() const {
  std::string out;
  for (const Name& part : parts) {
    if (!out.empty()) out += '.';
    out += part.text;
  }
  return out;
}

namespace {

/// Deep nesting would cost the generated parser a stack frame a bracket: it must not begin.
bool check_nesting(const detail::Lexed& lexed, source::FileId id, const Limits& limits, Reports& reports) {
  std::size_t depth = 0;
  for (const detail::Token& token : lexed.tokens) {
    const T t = token.type;
    if ((t == T::RBRACE || t == T::RPAREN || t == T::RBRACKET) && depth > 0) --depth;
    if (t != T::LBRACE && t != T::LPAREN && t != T::LBRACKET) continue;
    if (++depth <= limits.nesting) continue;
    reports
        .emit(kind::nesting_too_deep, {id, token.begin, token.end},
              fmt::format("brackets are nested deeper than {}", limits.nesting))
        .labelled(fmt::format("the bracket at depth {}", depth))
        .helped("close the brackets before, or raise `nesting` under `[limits]` in agp.toml");
    return false;
  }
  return true;
}

/// Items of a text without mistakes; nothing when there is one.
std::optional<std::vector<Item>> read_items(std::string_view text, source::FileId id, const detail::Lexed& lexed,
                                            Reports& reports) {
  std::vector<Item> out;
  const std::size_t before = reports.all().size();
  detail::Parser parser(lexed.tokens);
  detail::Tree tree;
  const detail::Phrase phrase{text, id, lexed.tokens, lexed.comments, tree};
  detail::Builder builder(phrase, reports);
  const auto end = static_cast<std::uint32_t>(lexed.tokens.size() - 1);
  for (std::uint32_t at = 0; at < end;) {
    at = parser.parse(R::item, at, end, tree);
    if (at == detail::Parser::failed) {
      reports.back_to(before);  // recovery finds them again
      return std::nullopt;
    }
    out.push_back(builder.item(0));
  }
  return out;
}

/// `agp 1` stands first, and once. A first number is taken for a version whose word is missing, and is dropped.
bool check_start(source::FileId id, std::string_view text, detail::Lexed& lexed, Reports& reports) {
  const detail::Token first = lexed.tokens.front();
  if (first.damaged) return false;
  if (first.type != T::NUMBER || !lexed.tokens[1].first) return true;
  reports
      .emit(kind::missing_version, {id, first.begin, first.end},
            fmt::format("the file begins with `{}` instead of `agp 1`",
                        text.substr(first.begin, first.end - first.begin)))
      .labelled("expected `agp 1`")
      .helped("write `agp 1`")
      .edit({id, first.begin, first.end}, "agp 1");
  lexed.tokens.erase(lexed.tokens.begin());
  return false;
}

void check_version(const File& file, const detail::Lexed& lexed, Reports& reports) {
  const VersionItem* first = nullptr;
  for (std::size_t i = 0; i < file.items.size(); ++i) {
    const auto* version = std::get_if<VersionItem>(&file.items[i]);
    if (version == nullptr) continue;
    if (version->number.value != 1 || version->number.overflow)
      reports.emit(kind::unsupported_version, version->number.span, "this is not version 1 of the language")
          .labelled("agp knows version 1")
          .helped("write `agp 1`, or use a newer agp")
          .edit(version->number.span, "1");
    if (first != nullptr) {
      reports.emit(kind::misplaced_version, version->span, "the version of the language stands twice")
          .labelled("the second one")
          .relate(first->span, "the first one")
          .helped("remove it")
          .edit(version->span, "");
    } else if (i > 0) {
      reports.emit(kind::misplaced_version, version->span, "the version of the language is not the first item")
          .labelled("only comments may stand before it")
          .helped("move `agp 1` to the top of the file");
    }
    if (first == nullptr) first = version;
  }
  const detail::Token& begin = lexed.tokens.front();
  // A first line that is meant for it and is wrong has its diagnostic.
  const bool meant = begin.type == T::AGP || (lexed.tokens.size() > 1 && lexed.tokens[1].type == T::NUMBER);
  if (first != nullptr || meant) return;
  auto& d = reports.emit(kind::missing_version, {file.id, begin.begin, begin.end},
                         "the file does not begin with the version of the language");
  d.labelled("expected `agp 1` before this");
  d.helped("begin the file with `agp 1`");
  d.edit({file.id, 0, 0}, "agp 1\n\n");
}

/// Disjoint and in order.
void merge(std::vector<Span>& spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::vector<Span> out;
  for (const Span& s : spans) {
    if (out.empty() || s.begin >= out.back().end)
      out.push_back(s);
    else
      out.back().end = std::max(out.back().end, s.end);
  }
  spans = std::move(out);
}

void read_file(std::string_view text, File& out, detail::Lexed& lexed, Reports& reports) {
  const bool version = check_start(out.id, text, lexed, reports);
  for (const detail::Token& token : lexed.tokens)
    if (token.damaged) out.damaged.push_back({out.id, token.begin, token.end});
  if (auto items = read_items(text, out.id, lexed, reports)) {
    out.items = std::move(*items);
  } else {
    detail::recover(text, lexed, reports, out);
  }
  merge(out.damaged);
  if (version) check_version(out, lexed, reports);
}

}  // namespace

File parse(const source::Files& files, source::FileId id, diagnostics::Sink& sink, const Limits& limits) {
  File out;
  out.id = id;
  Reports reports;
  if (detail::check_characters(files, id, reports, limits)) {
    detail::Lexed lexed = detail::lex(files, id, reports);
    if (check_nesting(lexed, id, limits, reports)) read_file(files.get(id).text, out, lexed, reports);
  }
  reports.finish(sink);
  return out;
}

std::optional<ActionPattern> parse_action(const source::Files& files, source::FileId id, diagnostics::Sink& sink,
                                          const Limits& limits) {
  std::optional<ActionPattern> out;
  Reports reports;
  if (detail::check_characters(files, id, reports, limits)) {
    const detail::Lexed lexed = detail::lex(files, id, reports, true);
    if (check_nesting(lexed, id, limits, reports)) out = detail::read_action(files.get(id).text, id, lexed, reports);
  }
  if (!reports.empty()) out.reset();
  reports.finish(sink);
  return out;
}

}  // namespace agp::syntax
