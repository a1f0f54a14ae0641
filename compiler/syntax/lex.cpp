// Text -> tokens. In: UTF-8. Out: the tokens the parser sees, and the comments.
#include "compiler/syntax/lex.hpp"

#include <fmt/format.h>

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

Lexed lex(const source::Files& files, source::FileId id, diagnostics::Sink& sink, bool action) {
  const std::string_view text = files.get(id).text;
  Lexed out;
  Scanner scanner(text);
  const auto size = static_cast<std::uint32_t>(text.size());
  bool first = true;
  for (std::uint32_t at = 0; at < size;) {
    std::uint32_t end = 0;
    T type = T::STRING;
    if (action && text[at] == '/') {
      end = static_cast<std::uint32_t>(std::min(text.find_first_of(" \t\r\n", at), text.size()));
    } else {
      type = scanner.next(at, end);
    }
    const std::uint32_t begin = at;
    at = end;
    if (type == T::WS || type == T::BLOCK_COMMENT)
      first = first || text.substr(begin, end - begin).find('\n') != std::string_view::npos;
    if (type == T::WS) continue;
    if (type == T::DOC_COMMENT || type == T::LINE_COMMENT || type == T::BLOCK_COMMENT) {
      out.comments.push_back({begin, end, type, first, false});
      continue;
    }
    if (type == T::UNCLOSED_STRING || type == T::UNCLOSED_COMMENT || type == T::BAD_WORD || type == T::BAD_CHAR) {
      sink.emit(kind::syntax_error, {id, begin, end}, fmt::format("unexpected `{}`", text.substr(begin, end - begin)));
      continue;
    }
    out.tokens.push_back({begin, end, type, first, false});
    first = false;
  }
  out.tokens.push_back({size, size, T::END, true, false});
  return out;
}

}  // namespace agp::syntax::detail
