// One line a finding: `path:line:col: error[AGP1001]: message`, for editors and grep.
#include <fmt/format.h>

#include "compiler/diagnostics/formats.hpp"

namespace agp::diagnostics {

std::string render_concise(const source::Files& files, std::span<const Diagnostic> list) {
  Locator locator(files);
  std::string out;
  for (const Diagnostic& d : list) {
    if (d.primary.known()) {
      const source::Position at = locator.position(d.primary.file, d.primary.begin);
      out += fmt::format("{}:{}:{}: ", line_start(files.get(d.primary.file).path), at.line, at.column);
    }
    out += fmt::format("{}[{}]: {}\n", severity_word(d.severity), code_text(*d.kind), visible(d.message));
  }
  return out;
}

}  // namespace agp::diagnostics
