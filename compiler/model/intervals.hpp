#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

/// Set algebra over sorted, disjoint, inclusive intervals of an unsigned number. Linear in the operands, but for
/// `normalise`, which sorts.
namespace agp::model::intervals {

template <class N>
struct Interval {
  N first, last;
};

/// Joins what touches; `in` is sorted by first.
template <class N>
std::vector<Interval<N>> joined(const std::vector<Interval<N>>& in) {
  std::vector<Interval<N>> out;
  for (const auto& i : in) {
    // `last + 1 >= first` written so that it can't wrap at the greatest number
    if (!out.empty() && (i.first <= out.back().last || i.first - 1 == out.back().last))
      out.back().last = std::max(out.back().last, i.last);
    else
      out.push_back(i);
  }
  return out;
}

template <class N>
std::vector<Interval<N>> normalise(std::vector<Interval<N>> in) {
  std::sort(in.begin(), in.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return joined(in);
}

template <class N>
std::vector<Interval<N>> unite(std::vector<Interval<N>> a, const std::vector<Interval<N>>& b) {
  const auto middle = static_cast<std::ptrdiff_t>(a.size());
  a.insert(a.end(), b.begin(), b.end());
  std::inplace_merge(a.begin(), a.begin() + middle, a.end(),
                     [](const auto& x, const auto& y) { return x.first < y.first; });
  return joined(a);
}

template <class N>
std::vector<Interval<N>> intersect(const std::vector<Interval<N>>& a, const std::vector<Interval<N>>& b) {
  std::vector<Interval<N>> out;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const N first = std::max(a[i].first, b[j].first), last = std::min(a[i].last, b[j].last);
    if (first <= last) out.push_back({first, last});
    if (a[i].last < b[j].last)
      ++i;
    else
      ++j;
  }
  return out;
}

template <class N>
std::vector<Interval<N>> subtract(const std::vector<Interval<N>>& a, const std::vector<Interval<N>>& b) {
  std::vector<Interval<N>> out;
  std::size_t j = 0;
  for (auto [first, last] : a) {
    while (j < b.size() && b[j].last < first) ++j;
    bool open = true;
    for (std::size_t k = j; k < b.size() && b[k].first <= last; ++k) {
      if (b[k].first > first) out.push_back({first, static_cast<N>(b[k].first - 1)});
      if (b[k].last >= last) {
        open = false;
        break;
      }
      first = static_cast<N>(b[k].last + 1);
    }
    if (open) out.push_back({first, last});
  }
  return out;
}

}  // namespace agp::model::intervals
