// Text -> AST. In: one file. Out: its items, and a diagnostic for each mistake.
#include "compiler/syntax/parse.hpp"

#include <fmt/format.h>

#include "compiler/syntax/build.hpp"
#include "compiler/syntax/lex.hpp"

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

File parse(const source::Files& files, source::FileId id, diagnostics::Sink& sink, const Limits&) {
  File out;
  out.id = id;
  const std::string_view text = files.get(id).text;
  const detail::Lexed lexed = detail::lex(files, id, sink);
  detail::Parser parser(lexed.tokens);
  detail::Tree tree;
  const detail::Phrase phrase{text, id, lexed, tree};
  detail::Builder builder(phrase, sink);
  const auto end = static_cast<std::uint32_t>(lexed.tokens.size() - 1);
  for (std::uint32_t at = 0; at < end;) {
    const std::uint32_t behind = parser.parse(R::item, at, end, tree);
    if (behind == detail::Parser::failed) {
      sink.emit(kind::syntax_error, {id, lexed.tokens[at].begin, lexed.tokens[at].end}, "no item");
      break;
    }
    out.items.push_back(builder.item(0));
    at = behind;
  }
  return out;
}

std::optional<ActionPattern> parse_action(const source::Files& files, source::FileId id, diagnostics::Sink& sink,
                                          const Limits&) {
  const std::size_t before = sink.errors();
  const std::string_view text = files.get(id).text;
  const detail::Lexed lexed = detail::lex(files, id, sink, true);
  detail::Parser parser(lexed.tokens);
  detail::Tree tree;
  const detail::Phrase phrase{text, id, lexed, tree};
  const auto end = static_cast<std::uint32_t>(lexed.tokens.size() - 1);
  if (parser.parse(R::action, 0, end, tree) == detail::Parser::failed) {
    sink.emit(kind::syntax_error, {id, 0, 0}, "no action");
    return std::nullopt;
  }
  ActionPattern out = detail::Builder(phrase, sink).action_pattern(1);
  if (sink.errors() != before) return std::nullopt;
  return out;
}

}  // namespace agp::syntax
