#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace agp::diagnostics {

/// The optimal string alignment distance: insertions, deletions, replacements and adjacent swaps. O(length²).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was most likely meant to be: least edit distance (adjacent swaps count once), at most a
/// third of the length. Nothing when none is near. O(candidates × length²).
std::optional<std::string> closest(std::string_view word, std::span<const std::string_view> candidates);

/// "did you mean `x`" or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace agp::diagnostics
