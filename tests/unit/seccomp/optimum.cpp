#include "tests/unit/seccomp/optimum.hpp"

#include <algorithm>

// Slow and plain on purpose: nothing of the product's search is in it.
namespace agp::test {
namespace {

using backends::seccomp::Piece;

constexpr std::uint64_t impossible = std::uint64_t{1} << 60;

class Intervals {
 public:
  Intervals(const std::vector<Piece>& pieces, std::size_t most_holes, std::uint32_t bounded)
      : pieces_(pieces), n_(pieces.size()), layers_(most_holes + 1), bounded_(bounded) {
    for (std::size_t p = 0; p < n_; ++p)
      if (pieces[p].first == pieces[p].last) heavy_.push_back(p);
    std::stable_sort(heavy_.begin(), heavy_.end(),
                     [&](std::size_t a, std::size_t b) { return pieces[a].weight > pieces[b].weight; });
  }

  using Costs = std::vector<std::uint64_t>;
  /// `behind`: of the trees that a test leads to; of these themselves, shorter before longer, where it is null.
  /// `free`: of those in which nothing is bounded; null as long as nothing is.
  Costs costs(const Costs* behind, const Costs* free) const {
    Costs out(n_ * n_ * layers_, 0);
    if (behind == nullptr) behind = &out;
    std::vector<char> gone(n_);
    for (std::size_t width = 1; width <= n_; ++width)
      for (std::size_t i = 0; i + width <= n_; ++i) {
        const std::size_t j = i + width - 1;
        std::vector<std::size_t> inside;
        for (const std::size_t p : heavy_)
          if (p >= i && p <= j && inside.size() < layers_) inside.push_back(p);
        for (std::size_t h = std::min(inside.size(), layers_ - 1) + 1; h-- > 0;) {
          std::fill(gone.begin() + static_cast<std::ptrdiff_t>(i), gone.begin() + static_cast<std::ptrdiff_t>(j) + 1,
                    0);
          for (std::size_t k = 0; k < h; ++k) gone[inside[k]] = 1;
          const bool last = h == std::min(inside.size(), layers_ - 1);
          out[at(i, j, h)] = best(i, j, h, last, gone, *behind, free);
        }
      }
    return out;
  }
  std::uint64_t whole(const Costs& costs) const { return costs[at(0, n_ - 1, 0)]; }

 private:
  std::size_t at(std::size_t i, std::size_t j, std::size_t h) const { return (i * n_ + j) * layers_ + h; }

  std::uint64_t best(std::size_t i, std::size_t j, std::size_t h, bool last, const std::vector<char>& gone,
                     const Costs& behind, const Costs* free) const {
    std::uint64_t weight = 0, best = impossible;
    const Piece* some = nullptr;
    bool uniform = true, bounded = false;
    for (std::size_t p = i; p <= j; ++p) {
      if (gone[p] != 0) continue;
      weight += pieces_[p].weight;
      uniform &= some == nullptr || some->outcome == pieces_[p].outcome;
      bounded |= pieces_[p].outcome == bounded_;
      some = &pieces_[p];
    }
    if (uniform) return 0;
    if (free != nullptr && !bounded) return (*free)[at(i, j, h)];
    if (behind.empty()) return impossible;
    if (!last) best = behind[at(i, j, h + 1)];
    std::size_t below = 0;
    for (std::size_t k = i; k < j; ++k) {
      below += gone[k] != 0 ? 1 : 0;
      // Where one side has nothing left this asks in vain; the same without the test is among the others.
      best = std::min(best, behind[at(i, k, below)] + behind[at(k + 1, j, h - below)]);
    }
    return std::min(best + weight, impossible);
  }

  const std::vector<Piece>& pieces_;
  std::size_t n_, layers_;
  std::uint32_t bounded_;
  std::vector<std::size_t> heavy_;  ///< single values, the heaviest first
};

}  // namespace

std::uint64_t interval_optimum(const std::vector<Piece>& pieces, std::size_t most_holes,
                               backends::seccomp::Bound bound) {
  if (pieces.empty()) return 0;
  const Intervals search(pieces, most_holes, bound.outcome);
  const auto free = search.costs(nullptr, nullptr);
  if (bound.tests >= pieces.size()) return search.whole(free);
  Intervals::Costs costs;  // by room, from none on
  for (std::size_t room = 0; room <= bound.tests; ++room) costs = search.costs(&costs, &free);
  return search.whole(costs);
}

}  // namespace agp::test
