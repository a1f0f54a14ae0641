#pragma once
#include <string_view>
#include <vector>

#include "compiler/syntax/lex.hpp"

namespace agp::syntax::detail {

/// What the printer has to know about one token, by its place in the grammar.
struct Mark {
  bool starts = false;       ///< an item, statement, rule, entry or line begins here
  bool glued = false;        ///< no space before it
  bool breakable = false;    ///< a long line may be broken before it; a break that is there stays
  bool keeps_break = false;  ///< a break before it stays where there is one
  bool closes = false;       ///< a bracket; first on its line it stands as deep as the statement
  bool outer = false;        ///< `{` of an item that holds statements: never on one line
  bool braced = false;       ///< starts an item with braces
  bool version = false;      ///< starts `agp 1`
};

/// Marks for every token; the tokens must parse.
std::vector<Mark> layout(const std::vector<Token>& tokens);

}  // namespace agp::syntax::detail
