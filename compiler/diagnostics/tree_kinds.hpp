#pragma once
#include "compiler/diagnostics/diagnostic.hpp"

/// The kinds of `tree.def`, by name.
namespace agp::diagnostics::kind {

#define AGP_DIAGNOSTIC(number, id, name, severity, title) \
  inline constexpr Kind id{number, name, Severity::severity, title};
#include "compiler/diagnostics/tree.def"
#undef AGP_DIAGNOSTIC

}  // namespace agp::diagnostics::kind
