#pragma once
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/model/path_pattern.hpp"

namespace agp::model {

/// find_path among the paths at and beneath `directory` that the first pattern matches, for an `accept` that holds
/// nowhere else: the same answer, with automata for what of the patterns lies there alone. Precondition: `directory` is
/// absolute and canonical.
PathSearch find_path_beneath(std::string_view directory, std::span<const PathPattern* const> patterns,
                             const std::function<bool(const std::vector<bool>&)>& accept,
                             std::size_t state_limit = 200000, std::span<const bool> as_list = {});

/// Can the component be this name? Never for `**`.
bool component_matches(const PathComponent& component, std::string_view name);

/// False: no path matches both, also where `D/*` or `D/**` includes D. True: perhaps one does. O(components of both) for
/// patterns that part at a name, else the product.
bool may_intersect(const PathPattern& a, const PathPattern& b);

}  // namespace agp::model
