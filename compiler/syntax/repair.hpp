#pragma once
#include <optional>
#include <vector>

#include "compiler/syntax/explain.hpp"

namespace agp::syntax::detail {

/// One small change that makes a failed phrase whole.
struct Repair {
  std::vector<Token> tokens;  ///< the phrase as it was probably meant; empty when it has a second mistake
};

/// Finds the change of one token (a misspelt keyword, a doubled, missing or superfluous token) after which the phrase
/// parses, and writes it into the diagnostic: message, help, edit; for a misspelt keyword it is enough that the phrase
/// parses further. Nothing, and the diagnostic untouched, when no single change does.
std::optional<Repair> find_repair(const Failure& failure, diagnostics::Diagnostic& diagnostic);

}  // namespace agp::syntax::detail
