#pragma once
#include "backends/backend.hpp"

namespace agp::backends::podman {

/// A policy -> podman/run.args.
Emitted emit(const model::Policy& policy, const model::Target& target);

}  // namespace agp::backends::podman
