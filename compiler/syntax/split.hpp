#pragma once
#include <string_view>
#include <vector>

#include "compiler/syntax/lex.hpp"

namespace agp::syntax::detail {

/// A row of tokens, [begin, end).
struct Slice {
  std::uint32_t begin = 0, end = 0;
};

/// What a stretch of a text is made of.
enum class Pieces {
  Items,       ///< of a file
  Statements,  ///< of a policy or a fragment
  Rules,       ///< of a block whose rules begin with `allow`, `ask` and `deny`; also of a test
  NetEntries,
  EnvEntries,
  LimitEntries,
  RunEntries,
  OnDenyEntries,
  InvariantLines,
};

/// Cuts tokens [begin, end) where a piece probably begins: at words that begin one, and at words that stand first on
/// their line no deeper than the piece before. Braces must match; what is inside of them is never cut. Every token is
/// in one slice. Used only for texts that did not parse.
std::vector<Slice> split(Pieces pieces, std::string_view text, const std::vector<Token>& tokens, std::uint32_t begin,
                         std::uint32_t end);

}  // namespace agp::syntax::detail
