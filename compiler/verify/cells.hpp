#pragma once
#include "compiler/analysis/space.hpp"
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/solver/second.hpp"

/// The cells of a policy's rules, decided again by a second solver: every verdict of `check` is a scan over cells, so
/// what has to be right is that no action lies outside of them, and that each has the patterns over it that it is said
/// to have. Asked about system calls and about connections and listeners by address; paths and names with wildcards
/// are no bit-vectors.
namespace agp::verify {

/// Disagreement is a finding that means a bug (AGP5040); a question that stays open one that means exit 3 (AGP5041).
void redecide_cells(const model::Policy& policy, const analysis::Space& space, const solver::SecondSolver& solver,
                    diagnostics::Sink& sink);

}  // namespace agp::verify
