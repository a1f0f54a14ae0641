#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace agp::diagnostics {

/// The candidate that `word` was most likely meant to be: least edit distance (adjacent swaps count once), at most a
/// third of the length. Nothing when none is near. O(candidates × length²).
std::optional<std::string> closest(std::string_view word, std::span<const std::string_view> candidates);

/// "did you mean `x`" or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace agp::diagnostics
