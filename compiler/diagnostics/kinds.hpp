#pragma once
#include "compiler/diagnostics/diagnostic.hpp"

/// The kinds of `codes.def`, by name: `kind::unknown_name`. Apart from `diagnostic.hpp`, so that a new code concerns
/// the files that emit findings and no other.
namespace agp::diagnostics::kind {

#define AGP_DIAGNOSTIC(number, id, name, severity, title) \
  inline constexpr Kind id{number, name, Severity::severity, title};
#include "compiler/diagnostics/codes.def"
#undef AGP_DIAGNOSTIC

}  // namespace agp::diagnostics::kind
