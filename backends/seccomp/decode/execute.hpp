#pragma once
#include <optional>

#include "backends/seccomp/decode/program.hpp"
#include "compiler/model/filter_graph.hpp"

namespace agp::backends::seccomp {

/// Symbolic execution: the decision of the program as a graph over the words of seccomp_data; equal for every input to
/// what the kernel computes. Nothing when the program has more than `state_limit` distinct states of its registers.
std::optional<model::FilterGraph> execute(const CheckedProgram& program, std::size_t state_limit = 100'000);

}  // namespace agp::backends::seccomp
