#pragma once
#include "compiler/model/invariant.hpp"
#include "compiler/sema/rules.hpp"

namespace agp::sema {

/// An invariant of a module with everything in it resolved. A line with a mistake is reported and left out.
model::Invariant resolve_invariant(Patterns& patterns, const Module& module, const syntax::Invariant& written);

}  // namespace agp::sema
