#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/syntax/lex.hpp"

namespace agp::syntax::detail {

/// Makes the braces of a text that did not parse match: puts in the missing ones and leaves the superfluous ones out,
/// each with a diagnostic. Returns the bytes where it did so, ascending; empty when the braces were in order. Tokens
/// put in have no width and are `damaged`. Nothing when there are so many that mending makes no sense.
std::optional<std::vector<std::uint32_t>> mend_braces(std::string_view text, source::FileId file, Lexed& lexed,
                                                      Reports& reports);

/// The column of a token that is the first of its line, counting from 0, tabs to the next multiple of 8.
std::uint32_t indentation(std::string_view text, const Token& token);

}  // namespace agp::syntax::detail
