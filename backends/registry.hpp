#pragma once
#include "backends/backend.hpp"

namespace agp::backends {

/// A backend from outside the product joins those of registry.cpp, behind them, in every command of the program that it
/// is linked into. The one line of registration, at namespace scope of a source file of that program:
///
///     const agp::backends::Registration registration(mine::backend());
///
/// Before `main` only; `backend` has static lifetime.
struct Registration {
  explicit Registration(const Backend& backend);
};

}  // namespace agp::backends
