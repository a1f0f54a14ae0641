#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/syntax/ast.hpp"

namespace agp::syntax {

/// Stated limits of the front end. Past one of them a file gets one diagnostic (AGP0003, AGP0004) and is not parsed.
struct Limits {
  std::size_t file_bytes = 8u << 20;
  std::size_t nesting = 64;
};

/// Text -> AST. In: a file of `files`. Out: everything that could be understood; what could not is reported to `sink`
/// with one diagnostic a mistake, and parsing goes on behind it. Never throws, never crashes, whatever the bytes.
/// Memory and time are linear in the text.
File parse(const source::Files& files, source::FileId id, diagnostics::Sink& sink, const Limits& limits = {});

/// Parses one action, as on the command line of `agp query`: `connect tcp 10.0.1.50:443`. A bare word that starts with
/// `/` may stand for a quoted path. Nothing when a diagnostic was emitted.
std::optional<ActionPattern> parse_action(const source::Files& files, source::FileId id, diagnostics::Sink& sink,
                                          const Limits& limits = {});

}  // namespace agp::syntax
