#include "compiler/analysis/cover.hpp"

#include <algorithm>
#include <map>

// Minimum hitting set: lists that contain another list say nothing; then depth first over the elements of a shortest
// open list, bounded by the best found, which at first is the greedy choice.
namespace agp::analysis {
namespace {

using List = std::vector<std::uint32_t>;

/// Only the lists without a shorter list inside them. Quadratic, so only for few.
void keep_minimal(std::vector<List>& lists) {
  std::sort(lists.begin(), lists.end(),
            [](const List& a, const List& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; });
  lists.erase(std::unique(lists.begin(), lists.end()), lists.end());
  if (lists.size() > 2000) return;
  std::vector<List> out;
  for (List& list : lists)
    if (std::none_of(out.begin(), out.end(), [&](const List& shorter) {
          return std::includes(list.begin(), list.end(), shorter.begin(), shorter.end());
        }))
      out.push_back(std::move(list));
  lists = std::move(out);
}

bool hit(const List& list, const List& chosen) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::uint32_t e) { return std::find(chosen.begin(), chosen.end(), e) != chosen.end(); });
}

List greedy(const std::vector<List>& lists) {
  List chosen;
  std::vector<bool> done(lists.size());
  std::size_t open = lists.size();
  while (open > 0) {
    std::map<std::uint32_t, std::size_t> hits;
    for (std::size_t i = 0; i < lists.size(); ++i)
      if (!done[i])
        for (const std::uint32_t e : lists[i]) ++hits[e];
    const auto best = std::max_element(hits.begin(), hits.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second < b.second : a.first > b.first;
    });
    chosen.push_back(best->first);
    for (std::size_t i = 0; i < lists.size(); ++i)
      if (!done[i] && std::binary_search(lists[i].begin(), lists[i].end(), best->first)) {
        done[i] = true;
        --open;
      }
  }
  for (std::size_t i = chosen.size(); i-- > 0;) {
    List without = chosen;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    if (std::all_of(lists.begin(), lists.end(), [&](const List& l) { return hit(l, without); })) chosen = without;
  }
  return chosen;
}

struct Search {
  const std::vector<List>& lists;
  List best;
  std::size_t steps = 20'000;

  void run(List& chosen) {
    if (steps == 0 || chosen.size() + 1 > best.size()) return;
    --steps;
    const auto open = std::find_if(lists.begin(), lists.end(), [&](const List& l) { return !hit(l, chosen); });
    if (open == lists.end()) {
      best = chosen;
      return;
    }
    if (chosen.size() + 1 >= best.size()) return;
    for (const std::uint32_t e : *open) {
      chosen.push_back(e);
      run(chosen);
      chosen.pop_back();
    }
  }
};

}  // namespace

std::vector<std::uint32_t> smallest_cover(std::vector<List> lists) {
  if (lists.empty()) return {};
  for (List& list : lists) std::sort(list.begin(), list.end());
  keep_minimal(lists);
  Search search{lists, greedy(lists)};
  if (search.best.size() > 1) {
    List chosen;
    search.run(chosen);
  }
  std::sort(search.best.begin(), search.best.end());
  return search.best;
}

}  // namespace agp::analysis
