#pragma once
#include <vector>

#include "compiler/syntax/build.hpp"

namespace agp::syntax::detail {

/// Reads a text that did not parse as a whole: piece by piece, one diagnostic at most for each. Out: the items of what
/// could be understood. `lexed` gets its braces mended.
std::vector<Item> recover(std::string_view text, source::FileId file, Lexed& lexed, Reports& reports);

/// Reads one action; nothing, with a diagnostic, when it is none.
std::optional<ActionPattern> read_action(std::string_view text, source::FileId file, const Lexed& lexed,
                                         Reports& reports);

}  // namespace agp::syntax::detail
