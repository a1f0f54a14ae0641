#pragma once
#include <span>
#include <string>
#include <vector>

#include "compiler/diagnostics/canvas.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::diagnostics {

/// One span to mark in a snippet; all marks of a snippet are in one file.
struct Mark {
  source::Span span;
  std::string label;  ///< visible text; may be empty
  bool primary = false;
  Style style = Style::Frame;
};

struct SnippetOptions {
  bool color = false;
  unsigned width = 0;   ///< columns of the terminal; 0: as wide as needed, up to a bound for absurdly long lines
  unsigned margin = 1;  ///< digits of the widest line number of the diagnostic
};

/// The source lines that the marks touch, with carets, connectors and labels under them. Every line starts with the
/// margin and `|`, or is `...` where lines are left out. Time and output are bounded by the marks, not by the file.
std::string snippet(const source::Files& files, std::span<const Mark> marks, const SnippetOptions& options);

/// The lines that the edits change: each as it was with `-`, as it will be with `+`. Edits must be in one file and not
/// overlap.
std::string edit_lines(const source::Files& files, std::vector<std::pair<source::Span, std::string>> edits,
                       const SnippetOptions& options);

}  // namespace agp::diagnostics
