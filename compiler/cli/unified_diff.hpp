#pragma once
#include <string>
#include <string_view>

namespace agp::cli {

/// The difference of two texts in the unified format with three lines of context; empty when they are equal. `name` is
/// shown for both. The shortest script, found in bounded time: texts that differ in more than some thousand lines are
/// shown as one replacement. Characters that a terminal would obey are escaped.
std::string unified_diff(std::string_view name, std::string_view before, std::string_view after);

}  // namespace agp::cli
