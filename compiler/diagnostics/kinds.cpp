#include <fmt/format.h>

#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::diagnostics {

const std::vector<const Kind*>& all_kinds() {
  static const std::vector<const Kind*> kinds = {
#define AGP_DIAGNOSTIC(number, id, name, severity, title) &kind::id,
#include "compiler/diagnostics/codes.def"
#undef AGP_DIAGNOSTIC
  };
  return kinds;
}

std::string code_text(const Kind& kind) { return fmt::format("AGP{:04}", kind.number); }

const Kind* find_kind(std::string_view code_or_name) {
  for (const Kind* kind : all_kinds())
    if (kind->name == code_or_name || code_text(*kind) == code_or_name) return kind;
  return nullptr;
}

}  // namespace agp::diagnostics
