#pragma once
#include "backends/backend.hpp"

namespace agp::backends::seccomp {

/// The raw filter and its listing alone.
Emitted emit_filter(const model::Policy& policy, const model::Target& target);

/// The three artifacts of this backend, or the problems that stand against them.
Emitted emit(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::seccomp
