#pragma once
#include <cstdint>
#include <string_view>

#include "grammar_names.hpp"

namespace agp::syntax::detail {

/// The token that begins at `begin` (which must be inside the text), where its own bytes decide it: white space, words,
/// dotted names, plain numbers, closed strings, line comments and signs that begin no longer one. Sets `end` behind it.
/// T::END where only the grammar's automaton can say. It never differs from AgpLexer.g4, and most of a policy is such
/// tokens: the automaton's tables, which grow with every new word a process meets, are rarely needed.
T plain_token(std::string_view text, std::uint32_t begin, std::uint32_t& end);

}  // namespace agp::syntax::detail
