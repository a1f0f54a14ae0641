#pragma once
#include <vector>

#include "compiler/syntax/build.hpp"

namespace agp::syntax::detail {

/// Reads a text that did not parse as a whole: piece by piece, one diagnostic at most for each. Into `out`: the items
/// of what could be understood, and where it was damaged. `lexed` gets its braces mended.
void recover(std::string_view text, Lexed& lexed, Reports& reports, File& out);

/// Reads one action; nothing, with a diagnostic, when it is none.
std::optional<ActionPattern> read_action(std::string_view text, source::FileId file, const Lexed& lexed,
                                         Reports& reports);

}  // namespace agp::syntax::detail
