#pragma once
#include <vector>

#include "backends/backend.hpp"
#include "compiler/diagnostics/diagnostic.hpp"

namespace agp::driver {

struct Emission {
  std::vector<backends::Artifact> artifacts;
  std::vector<backends::MapEntry> map;
};

/// Every backend in its order. What one can't make is an AGP4006 in `sink`, and nothing may be written then.
Emission emit_all(const model::Policy& policy, const model::Target& target, diagnostics::Sink& sink);
/// Only the AGP4006.
void find_impossible(const model::Policy& policy, const model::Target& target, diagnostics::Sink& sink);

}  // namespace agp::driver
