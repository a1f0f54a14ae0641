#include "compiler/analysis/cover.hpp"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

// Minimum hitting set: lists that contain another list say nothing; then depth first over the elements of a shortest
// open list, bounded by the best found, which at first is the greedy choice. Each step is bounded by the size of what
// is at hand, so that very many lists cost no more than reading them a few times.
namespace agp::analysis {
namespace {

using List = std::vector<std::uint32_t>;

constexpr std::size_t work = 4'000'000;  ///< entries looked at, for each of the steps that are not linear

std::size_t entries(const std::vector<List>& lists) {
  std::size_t out = 0;
  for (const List& l : lists) out += l.size();
  return out;
}

/// Only the lists without a shorter list inside them. Quadratic, so only for few.
void keep_minimal(std::vector<List>& lists) {
  std::sort(lists.begin(), lists.end(),
            [](const List& a, const List& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; });
  lists.erase(std::unique(lists.begin(), lists.end()), lists.end());
  if (lists.size() * entries(lists) > work) return;
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

/// Always the element that hits most of the lists that are open; then what has become superfluous goes. n log n.
List greedy(const std::vector<List>& lists) {
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> of;  // the lists that have an element
  for (std::uint32_t i = 0; i < lists.size(); ++i)
    for (const std::uint32_t e : lists[i]) of[e].push_back(i);
  std::vector<std::uint32_t> times(lists.size());  // how many of the chosen a list has
  const auto open = [&](std::uint32_t e) {
    return static_cast<std::size_t>(
        std::count_if(of[e].begin(), of[e].end(), [&](std::uint32_t i) { return times[i] == 0; }));
  };
  const auto later = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  };
  std::priority_queue<std::pair<std::size_t, std::uint32_t>, std::vector<std::pair<std::size_t, std::uint32_t>>,
                      decltype(later)>
      queue(later);
  for (const auto& [e, in] : of) queue.emplace(in.size(), e);
  List chosen;
  while (!queue.empty()) {
    const auto [count, e] = queue.top();
    queue.pop();
    const std::size_t now = open(e);
    if (now < count) {
      if (now > 0) queue.emplace(now, e);
      continue;
    }
    chosen.push_back(e);
    for (const std::uint32_t i : of[e]) ++times[i];
  }
  for (std::size_t k = chosen.size(); k-- > 0;) {
    const auto& in = of[chosen[k]];
    if (std::any_of(in.begin(), in.end(), [&](std::uint32_t i) { return times[i] == 1; })) continue;
    for (const std::uint32_t i : in) --times[i];
    chosen.erase(chosen.begin() + static_cast<std::ptrdiff_t>(k));
  }
  return chosen;
}

/// How many elements are needed at least: one for each list that shares none with those counted before it.
std::size_t at_least(const std::vector<List>& lists) {
  std::unordered_set<std::uint32_t> taken;
  std::size_t out = 0;
  for (const List& list : lists) {
    if (std::any_of(list.begin(), list.end(), [&](std::uint32_t e) { return taken.contains(e); })) continue;
    taken.insert(list.begin(), list.end());
    ++out;
  }
  return out;
}

struct Search {
  const std::vector<List>& lists;
  List best;
  std::size_t steps;

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
  Search search{lists, greedy(lists), std::min<std::size_t>(20'000, work / entries(lists))};
  if (search.best.size() > at_least(lists)) {
    List chosen;
    search.run(chosen);
  }
  std::sort(search.best.begin(), search.best.end());
  return search.best;
}

}  // namespace agp::analysis
