#include "compiler/diagnostics/suggest.hpp"

#include <algorithm>
#include <vector>

namespace agp::diagnostics {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

std::optional<std::string> closest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > 64) return std::nullopt;
  std::size_t best = word.size() / 3 + 1;
  std::optional<std::string> found;
  for (const std::string_view c : candidates) {
    if (c == word || c.size() > word.size() + best || word.size() > c.size() + best) continue;
    const std::size_t d = edit_distance(word, c);
    if (d < best || (d == best && !found)) {
      best = d;
      found = c;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const auto found = closest(word, candidates);
  return found ? "did you mean `" + *found + "`" : "";
}

}  // namespace agp::diagnostics
