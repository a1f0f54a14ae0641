#pragma once
#include <optional>
#include <string>

#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::syntax {

/// Text -> the same text in canonical layout: idempotent, comments kept, linear time. Nothing when the text has a
/// syntax error (reported to `sink`). The result parses to the same AST, spans apart.
std::optional<std::string> format(const source::Files& files, source::FileId id, diagnostics::Sink& sink);

}  // namespace agp::syntax
