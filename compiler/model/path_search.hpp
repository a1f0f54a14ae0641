#pragma once
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/model/path_pattern.hpp"

namespace agp::model {

/// find_path among the paths at and beneath `directory`, for an `accept` that holds nowhere else: the same answer, with
/// automata for what of the patterns lies beneath it alone. Precondition: `directory` is absolute and canonical.
PathSearch find_path_beneath(std::string_view directory, std::span<const PathPattern* const> patterns,
                             const std::function<bool(const std::vector<bool>&)>& accept,
                             std::size_t state_limit = 200000, std::span<const bool> as_list = {});

}  // namespace agp::model
