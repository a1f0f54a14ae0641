#pragma once
#include "backends/backend.hpp"

namespace agp::backends::seccomp {

const Backend& backend();

}  // namespace agp::backends::seccomp
