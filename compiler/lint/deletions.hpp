#pragma once
#include "compiler/diagnostics/diagnostic.hpp"
#include "compiler/model/policy.hpp"

namespace agp::lint {

/// Gives the findings about `policy` from the number `from` on whose help is to delete something the edit that deletes
/// it: a redundant rule, one past its day, a capability of no use, an accepted gap that does not exist. None is offered
/// where the text around it is about it (a comment), where the finding hangs on a parameter's value, or in what other
/// policies may include.
void offer_deletions(const source::Files& files, const model::Policy& policy, diagnostics::Sink& sink,
                     std::size_t from = 0);

}  // namespace agp::lint
