#pragma once
#include <string_view>
#include <vector>

#include "compiler/model/policy.hpp"

namespace agp::lint {

/// What a fragment of the library's guards denies, as rules without places. A guard that protects a project at `root`
/// is taken at every root: its first component is `**`. Reads and resolves the guards once in a process, a few
/// milliseconds. An unknown fragment is a bug, and empty: `guards_are_sound` tells.
const std::vector<model::Rule>& guard(std::string_view fragment);

/// Every fragment that a lint asks for resolved without a finding; for tests.
bool guards_are_sound();

}  // namespace agp::lint
