#include "compiler/syntax/comments.hpp"

#include "compiler/syntax/lex.hpp"

namespace agp::syntax {

Comments comments(const source::Files& files, source::FileId id) {
  detail::Reports reports;
  const detail::Lexed lexed = detail::lex(files, id, reports);
  Comments out;
  for (const auto& c : lexed.comments) out.comments.push_back({id, c.begin, c.end});
  for (const auto& t : lexed.tokens)
    if (t.begin < t.end) out.tokens.push_back(t.begin);
  return out;
}

}  // namespace agp::syntax
