#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/syntax/lex.hpp"
#include "compiler/syntax/viable.hpp"

namespace agp::syntax::detail {

/// Some tokens that are no phrase of `rule`, and where they stop being one.
struct Failure {
  std::string_view text;
  source::FileId file = source::no_file;
  const std::vector<Token>& tokens;
  std::uint32_t begin = 0, end = 0;  ///< the tokens concerned
  R rule{};
  Viability viability;  ///< of these tokens; `at` counts from `begin`

  /// Can the token stand at that place as itself, not as a name?
  bool itself(T type) const;
  bool at_end() const { return begin + viability.at == end; }
  const Token& found() const { return tokens[begin + viability.at]; }
  std::string_view raw(const Token& token) const { return text.substr(token.begin, token.end - token.begin); }
  Span span(const Token& token) const { return {file, token.begin, token.end}; }
};

/// The diagnostic for a failure, without a proposal how to mend it: "expected a path in quotes, found `deny`".
diagnostics::Diagnostic explain(const Failure& failure);

/// "expected …" in the words of the language.
std::string expectation(const Failure& failure);

}  // namespace agp::syntax::detail
