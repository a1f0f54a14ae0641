#include "backends/seccomp/emit/dispatch.hpp"

// Dynamic programming over intervals of ranges, every split tried: a table of system calls has some hundred ranges.
namespace agp::backends::seccomp {
namespace {

class Planner {
 public:
  explicit Planner(const std::vector<NumberRange>& ranges)
      : ranges_(ranges), n_(ranges.size()), cost_(n_ * n_), split_(n_ * n_) {
    sums_.push_back(0);
    for (const auto& r : ranges) sums_.push_back(sums_.back() + r.weight);
    for (std::size_t width = 1; width < n_; ++width)
      for (std::size_t i = 0; i + width < n_; ++i) solve(i, i + width);
  }

  NumberTree tree() {
    out_.root = build(0, n_ - 1);
    return std::move(out_);
  }

 private:
  std::size_t at(std::size_t i, std::size_t j) const { return i * n_ + j; }
  std::uint64_t weight(std::size_t i, std::size_t j) const { return sums_[j + 1] - sums_[i]; }
  /// a, {x}, a: one equality decides.
  bool single(std::size_t i, std::size_t j) const {
    return j == i + 2 && ranges_[i].to == ranges_[j].to && ranges_[i + 1].first == ranges_[i + 1].last;
  }

  void solve(std::size_t i, std::size_t j) {
    if (single(i, j)) {
      cost_[at(i, j)] = weight(i, j);
      split_[at(i, j)] = i + 1;
      return;
    }
    std::uint64_t best = ~0ull;
    for (std::size_t k = i; k < j; ++k) {  // left part is [i, k]
      const std::uint64_t c = cost_[at(i, k)] + cost_[at(k + 1, j)];
      if (c < best) {
        best = c;
        split_[at(i, j)] = k;
      }
    }
    cost_[at(i, j)] = best + weight(i, j);
  }

  int build(std::size_t i, std::size_t j) {
    if (i == j) return ~static_cast<int>(i);
    NumberTest test;
    test.first = i;
    test.last = j;
    if (single(i, j)) {
      test.equal = true;
      test.k = ranges_[i + 1].first;
      test.yes = ~static_cast<int>(i + 1);
      test.no = ~static_cast<int>(i);
    } else {
      const std::size_t k = split_[at(i, j)];
      test.k = ranges_[k + 1].first;
      test.no = build(i, k);
      test.yes = build(k + 1, j);
    }
    out_.tests.push_back(test);
    return static_cast<int>(out_.tests.size() - 1);
  }

  const std::vector<NumberRange>& ranges_;
  std::size_t n_;
  std::vector<std::uint64_t> sums_, cost_;
  std::vector<std::size_t> split_;
  NumberTree out_;
};

}  // namespace

NumberTree number_tree(const std::vector<NumberRange>& ranges) { return Planner(ranges).tree(); }

}  // namespace agp::backends::seccomp
