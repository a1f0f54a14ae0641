#include "compiler/diagnostics/kinds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "compiler/diagnostics/lint_kinds.hpp"
#include "compiler/diagnostics/tree_kinds.hpp"

namespace agp::diagnostics {

const std::vector<const Kind*>& all_kinds() {
  static const std::vector<const Kind*> kinds = {
#define AGP_DIAGNOSTIC(number, id, name, severity, title) &kind::id,
#include "compiler/diagnostics/codes.def"
#include "compiler/diagnostics/lints.def"
#include "compiler/diagnostics/tree.def"
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

void Sink::drop_repeated() {
  std::set<std::tuple<int, source::FileId, std::uint32_t, std::uint32_t, std::string>> seen;
  std::erase_if(list_, [&](const Diagnostic& d) {
    if (!d.primary.known()) return false;
    return !seen.emplace(d.kind->number, d.primary.file, d.primary.begin, d.primary.end, d.message).second;
  });
  errors_ = static_cast<std::size_t>(
      std::count_if(list_.begin(), list_.end(), [](const Diagnostic& d) { return d.severity == Severity::Error; }));
}

}  // namespace agp::diagnostics
