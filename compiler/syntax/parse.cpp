// Text -> AST, the passes in order: characters, tokens, nesting, items, version. In: one file. Out: everything that
// could be understood, and one diagnostic for each mistake. A text without mistakes is parsed item by item; only when
// one does not parse, the whole text goes through recovery.
#include "compiler/syntax/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/syntax/build.hpp"
#include "compiler/syntax/characters.hpp"
#include "compiler/syntax/lex.hpp"
#include "compiler/syntax/recover.hpp"

namespace agp::syntax {

namespace kind = diagnostics::kind;
using detail::R;
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
bool check_nesting(const detail::Lexed& lexed, source::FileId id, const Limits& limits, diagnostics::Sink& sink) {
  std::size_t depth = 0;
  for (const detail::Token& token : lexed.tokens) {
    const T t = token.type;
    if ((t == T::RBRACE || t == T::RPAREN || t == T::RBRACKET) && depth > 0) --depth;
    if (t != T::LBRACE && t != T::LPAREN && t != T::LBRACKET) continue;
    if (++depth <= limits.nesting) continue;
    sink.emit(kind::nesting_too_deep, {id, token.begin, token.end},
              fmt::format("brackets are nested deeper than {}", limits.nesting))
        .labelled(fmt::format("the bracket at depth {}", depth))
        .helped("close the brackets before, or raise `nesting` under `[limits]` in agp.toml");
    return false;
  }
  return true;
}

/// Items of a text without mistakes; nothing when there is one.
std::optional<std::vector<Item>> read_items(std::string_view text, source::FileId id, const detail::Lexed& lexed,
                                            diagnostics::Sink& sink) {
  std::vector<Item> out;
  diagnostics::Sink found;  // dropped with the items when the text turns out to have a mistake
  detail::Parser parser(lexed.tokens);
  detail::Tree tree;
  const detail::Phrase phrase{text, id, lexed.tokens, lexed.comments, tree};
  detail::Builder builder(phrase, found);
  const auto end = static_cast<std::uint32_t>(lexed.tokens.size() - 1);
  for (std::uint32_t at = 0; at < end;) {
    at = parser.parse(R::item, at, end, tree);
    if (at == detail::Parser::failed) return std::nullopt;
    out.push_back(builder.item(0));
  }
  for (diagnostics::Diagnostic& d : found.all()) sink.emit(std::move(d));
  return out;
}

/// `agp 1` stands first, and once. A first number is taken for a version whose word is missing, and is dropped.
bool check_start(source::FileId id, std::string_view text, detail::Lexed& lexed, diagnostics::Sink& sink) {
  const detail::Token first = lexed.tokens.front();
  if (first.damaged) return false;
  if (first.type != T::NUMBER || !lexed.tokens[1].first) return true;
  sink.emit(kind::missing_version, {id, first.begin, first.end},
            fmt::format("the file begins with `{}` instead of `agp 1`", text.substr(first.begin, first.end - first.begin)))
      .labelled("expected `agp 1`")
      .helped("write `agp 1`")
      .edit({id, first.begin, first.end}, "agp 1");
  lexed.tokens.erase(lexed.tokens.begin());
  return false;
}

void check_version(const File& file, const detail::Lexed& lexed, diagnostics::Sink& sink) {
  const VersionItem* first = nullptr;
  for (std::size_t i = 0; i < file.items.size(); ++i) {
    const auto* version = std::get_if<VersionItem>(&file.items[i]);
    if (version == nullptr) continue;
    if (version->number.value != 1 || version->number.overflow)
      sink.emit(kind::unsupported_version, version->number.span, "this is not version 1 of the language")
          .labelled("agp knows version 1")
          .helped("write `agp 1`, or use a newer agp")
          .edit(version->number.span, "1");
    if (first != nullptr) {
      sink.emit(kind::misplaced_version, version->span, "the version of the language stands twice")
          .labelled("the second one")
          .relate(first->span, "the first one")
          .helped("remove it")
          .edit(version->span, "");
    } else if (i > 0) {
      sink.emit(kind::misplaced_version, version->span, "the version of the language is not the first item")
          .labelled("only comments may stand before it")
          .helped("move `agp 1` to the top of the file");
    }
    if (first == nullptr) first = version;
  }
  const detail::Token& begin = lexed.tokens.front();
  // A first line that is meant for it and is wrong has its diagnostic.
  const bool meant = begin.type == T::AGP || (lexed.tokens.size() > 1 && lexed.tokens[1].type == T::NUMBER);
  if (first != nullptr || meant) return;
  auto& d = sink.emit(kind::missing_version, {file.id, begin.begin, begin.end},
                      "the file does not begin with the version of the language");
  d.labelled("expected `agp 1` before this");
  d.helped("begin the file with `agp 1`");
  d.edit({file.id, 0, 0}, "agp 1\n\n");
}

}  // namespace

File parse(const source::Files& files, source::FileId id, diagnostics::Sink& sink, const Limits& limits) {
  File out;
  out.id = id;
  if (!detail::check_characters(files, id, sink, limits)) return out;
  const std::string_view text = files.get(id).text;
  detail::Lexed lexed = detail::lex(files, id, sink);
  if (!check_nesting(lexed, id, limits, sink)) return out;
  const bool version = check_start(id, text, lexed, sink);
  if (auto items = read_items(text, id, lexed, sink)) {
    out.items = std::move(*items);
  } else {
    out.items = detail::recover(text, id, lexed, sink);
  }
  if (version) check_version(out, lexed, sink);
  return out;
}

std::optional<ActionPattern> parse_action(const source::Files& files, source::FileId id, diagnostics::Sink& sink,
                                          const Limits& limits) {
  const std::size_t before = sink.errors();
  if (!detail::check_characters(files, id, sink, limits)) return std::nullopt;
  const detail::Lexed lexed = detail::lex(files, id, sink, true);
  if (!check_nesting(lexed, id, limits, sink)) return std::nullopt;
  std::optional<ActionPattern> out = detail::read_action(files.get(id).text, id, lexed, sink);
  if (sink.errors() != before) return std::nullopt;
  return out;
}

}  // namespace agp::syntax
