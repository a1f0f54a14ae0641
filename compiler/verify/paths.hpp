#pragma once
#include <cstdint>
#include <functional>

#include "compiler/verify/facts.hpp"
#include "compiler/verify/filter_terms.hpp"

namespace agp::verify {

/// One way through a filter for one system call.
struct FilterPath {
  const Facts& facts;      ///< what its tests say about each word, as far as that can be said
  solver::Term condition;  ///< all that its tests say
  FilterOnCall answer;     ///< at its end
};

/// Calls `each` for every path of the graph for this number of an architecture (AUDIT_ARCH_*); paths that contradict
/// themselves are left out as far as the facts show it. False when there are more than `limit` of them: then some were
/// not visited.
bool each_path(const model::FilterGraph& graph, solver::Terms& terms, const CallVariables& variables,
               std::uint32_t number, std::uint32_t arch, std::size_t limit,
               const std::function<void(const FilterPath&)>& each);

}  // namespace agp::verify
