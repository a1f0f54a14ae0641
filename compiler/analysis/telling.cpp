#include "compiler/analysis/telling.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace agp::analysis {
namespace {

using Bits = std::vector<std::uint64_t>;

bool has(const Bits& set, std::size_t i) { return (set[i / 64] >> (i % 64) & 1) != 0; }
bool within(const Bits& a, const Bits& b) {
  for (std::size_t w = 0; w < a.size(); ++w)
    if ((a[w] & ~b[w]) != 0) return false;
  return true;
}

/// Values that agree in the fixed uses and in the effects, the fewest patterns first.
struct Group {
  struct Value {
    std::size_t cell;
    std::size_t count;
    Bits others;  ///< uses that are not fixed
  };
  std::vector<Value> values;

  /// Of the values with the use (or of all, without one), those that no other speaks for; for each value, that one.
  template <class Kept>
  void fewest(const std::size_t* use, const Kept& kept) const {
    std::vector<const Value*> least;
    for (const Value& v : values) {
      if (use && !has(v.others, *use)) continue;
      const auto by =
          std::find_if(least.begin(), least.end(), [&](const Value* l) { return within(l->others, v.others); });
      kept(v, by == least.end() ? v : **by);
      if (by == least.end()) least.push_back(&v);
    }
  }
};

}  // namespace

std::vector<TellingValue> telling(std::span<const model::ArgumentCell> cells, std::span<const TellingUse> uses,
                                  std::uint8_t effects) {
  std::map<std::pair<std::vector<std::uint32_t>, std::uint8_t>, Group> groups;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    std::vector<std::uint32_t> fixed;
    std::uint8_t all = effects;
    Group::Value value{c, 0, Bits(uses.size() / 64 + 1)};
    for (const std::uint32_t u : cells[c].uses) {
      if (uses[u].fixed) {
        fixed.push_back(u);
        continue;
      }
      all |= uses[u].effects;
      value.others[u / 64] |= std::uint64_t{1} << (u % 64);
      ++value.count;
    }
    groups[{std::move(fixed), all}].values.push_back(std::move(value));
  }
  std::vector<TellingValue> all(cells.size());
  std::vector<bool> picked(cells.size());
  for (auto& [key, group] : groups) {
    std::stable_sort(group.values.begin(), group.values.end(),
                     [](const auto& a, const auto& b) { return a.count < b.count; });
    group.fewest(nullptr, [&](const Group::Value& v, const Group::Value& by) {
      picked[by.cell] = all[by.cell].fewest = true;
      all[by.cell].size += model::Count::of(cells[v.cell].size);
    });
    for (std::size_t u = 0; u < uses.size(); ++u)
      if (uses[u].wanted && !uses[u].fixed)
        group.fewest(&u, [&](const Group::Value&, const Group::Value& by) { picked[by.cell] = true; });
  }
  std::vector<TellingValue> out;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    if (!picked[c]) continue;
    all[c].cell = c;
    out.push_back(std::move(all[c]));
  }
  return out;
}

}  // namespace agp::analysis
