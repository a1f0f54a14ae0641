#include "tests/unit/seccomp/optimum.hpp"

#include <algorithm>

// Slow and plain on purpose: nothing of the product's search is in it.
namespace agp::test {

std::uint64_t interval_optimum(const std::vector<backends::seccomp::Piece>& pieces, std::size_t most_holes) {
  const std::size_t n = pieces.size(), layers = most_holes + 1;
  std::vector<std::size_t> heavy;  // single values, the heaviest first
  for (std::size_t p = 0; p < n; ++p)
    if (pieces[p].first == pieces[p].last) heavy.push_back(p);
  std::stable_sort(heavy.begin(), heavy.end(),
                   [&](std::size_t a, std::size_t b) { return pieces[a].weight > pieces[b].weight; });
  std::vector<std::uint64_t> cost(n * n * layers, 0);
  const auto at = [&](std::size_t i, std::size_t j, std::size_t h) -> std::uint64_t& {
    return cost[(i * n + j) * layers + h];
  };
  std::vector<char> gone(n);
  for (std::size_t width = 2; width <= n; ++width)
    for (std::size_t i = 0; i + width <= n; ++i) {
      const std::size_t j = i + width - 1;
      std::vector<std::size_t> inside;
      for (const std::size_t p : heavy)
        if (p >= i && p <= j && inside.size() <= most_holes) inside.push_back(p);
      for (std::size_t h = std::min(inside.size(), most_holes) + 1; h-- > 0;) {
        std::fill(gone.begin(), gone.end(), 0);
        for (std::size_t k = 0; k < h; ++k) gone[inside[k]] = 1;
        std::uint64_t weight = 0, best = ~0ull;
        const backends::seccomp::Piece* some = nullptr;
        bool uniform = true;
        for (std::size_t p = i; p <= j; ++p) {
          if (gone[p] != 0) continue;
          weight += pieces[p].weight;
          uniform &= some == nullptr || some->outcome == pieces[p].outcome;
          some = &pieces[p];
        }
        if (uniform) continue;  // costs nothing
        if (h < std::min(inside.size(), most_holes)) best = at(i, j, h + 1) + weight;
        std::size_t below = 0;
        for (std::size_t k = i; k < j; ++k) {
          below += gone[k] != 0 ? 1 : 0;
          // Where one side has nothing left this asks in vain; the same without the test is among the others.
          best = std::min(best, at(i, k, below) + at(k + 1, j, h - below) + weight);
        }
        at(i, j, h) = best;
      }
    }
  return n == 0 ? 0 : at(0, n - 1, 0);
}

}  // namespace agp::test
