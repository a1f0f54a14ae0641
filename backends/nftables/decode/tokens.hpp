#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agp::backends::nftables::reading {

/// A word, a quoted string, one of the signs `{ } ( ) , = ! & | / :`, or the end of a statement (`;` or a new line).
struct Token {
  enum class Kind { Word, Quoted, Sign, Stop, End };
  Kind kind = Kind::End;
  std::string_view text;  ///< of a string without its quotes
  std::uint32_t line = 0, column = 0;
};

/// The tokens of a script, with an `End` after the last. Refuses what `nft -f` reads and this subset does not:
/// variables, includes, control characters.
std::vector<Token> tokens_of(std::string_view script);

}  // namespace agp::backends::nftables::reading
