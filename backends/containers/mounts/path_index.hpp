#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backends/containers/mounts/mount_tree.hpp"
#include "compiler/model/path_pattern.hpp"

namespace agp::backends::containers {

/// Numbers filed under canonical paths, for what stands at or above a path and for what stands beneath it.
class PathIndex {
 public:
  using Entry = std::pair<std::string, std::size_t>;

  PathIndex() = default;
  explicit PathIndex(std::vector<Entry> entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(), less);
    for (std::size_t i = entries_.size(); i-- > 0;) first_[entries_[i].first] = i;
  }
  PathIndex(PathIndex&&) = default;
  PathIndex& operator=(PathIndex&&) = default;

  /// Calls `visit(number)` for each at or above `path`. O(depth + the numbers visited).
  template <class Visit>
  void above(std::string_view path, const Visit& visit) const {
    for (std::string_view at = path;; at = up(at)) {
      if (const auto known = first_.find(at); known != first_.end())
        for (std::size_t i = known->second; i < entries_.size() && entries_[i].first == at; ++i) visit(entries_[i].second);
      if (at.size() <= 1) return;
    }
  }
  /// Calls `visit(number)` for each strictly beneath `path`. O(log n + the numbers visited).
  template <class Visit>
  void beneath(std::string_view path, const Visit& visit) const {
    auto e = first(path);
    while (e != entries_.end() && e->first == path) ++e;
    for (; e != entries_.end() && model::is_beneath(e->first, path); ++e) visit(e->second);
  }
  /// The numbers of both, ascending: all that is not apart from `path`.
  std::vector<std::size_t> near(std::string_view path) const {
    std::vector<std::size_t> out;
    const auto take = [&](std::size_t number) { out.push_back(number); };
    above(path, take);
    beneath(path, take);
    std::sort(out.begin(), out.end());
    return out;
  }

  /// The directory of a path; "/" of itself.
  static std::string_view up(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return path.substr(0, slash == std::string_view::npos || slash == 0 ? 1 : slash);
  }

 private:
  static bool less(const Entry& a, const Entry& b) {
    return a.first != b.first ? path_less(a.first, b.first) : a.second < b.second;
  }
  std::vector<Entry>::const_iterator first(std::string_view path) const {
    return std::partition_point(entries_.begin(), entries_.end(),
                                [&](const Entry& e) { return path_less(e.first, path); });
  }

  std::vector<Entry> entries_;
  std::unordered_map<std::string_view, std::size_t> first_;  ///< of each path, which is the entry's own: no copies
};

}  // namespace agp::backends::containers
