#pragma once
#include <vector>

#include "compiler/source/files.hpp"
#include "compiler/syntax/antlr_adapter.hpp"
#include "compiler/syntax/reports.hpp"

namespace agp::syntax::detail {

using source::Span;

/// A text cut into tokens. `tokens` holds what the parser sees and ends with an END token at the end of the text;
/// `comments` holds the comments of all three kinds. Both ascend.
struct Lexed {
  std::vector<Token> tokens;
  std::vector<Token> comments;
};

/// Text -> tokens. `action` takes a bare word that starts with `/` as a STRING without quotes. What is no part of the
/// language is reported to `reports` and then either dropped or taken for what it resembles (marked `damaged`), so that
/// it costs one diagnostic.
Lexed lex(const source::Files& files, source::FileId id, Reports& reports, bool action = false);

}  // namespace agp::syntax::detail
