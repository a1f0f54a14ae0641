#pragma once
#include <string_view>

namespace agp::project {

/// A pattern of `exclude`: relative to the root, with the wildcards of the language's paths: `*` any run of characters
/// in one component, `?` one byte, `**` as a whole component any number of components. A pattern that matches a
/// directory excludes what is beneath it too, since it is not entered.
bool excluded(std::string_view pattern, std::string_view path);

/// What is wrong with a pattern, or nothing.
std::string_view exclude_fault(std::string_view pattern);

}  // namespace agp::project
