#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/analysis/space.hpp"

namespace agp::analysis {

/// What stands in one place of one rule: a pattern, or the patterns that a list or a group gives. Findings are about
/// units: of `@default`, no single call is anybody's mistake.
struct Unit {
  std::uint32_t rule = 0;
  bool except = false;
  bool named = false;  ///< an endpoint that is a name
  source::Span span;
  std::string text;  ///< as a fact: `write "/a/**"`, `@default`
};

/// The units of a space's rules, and for each the cells it lies over.
class Units {
 public:
  explicit Units(const Space& space);

  std::size_t size() const { return units_.size(); }
  const Unit& operator[](std::size_t u) const { return units_[u]; }
  std::uint32_t of_pattern(std::uint32_t pattern) const { return of_pattern_[pattern]; }
  /// Ascending, each once; whether an exception takes them away again is not looked at.
  std::span<const std::uint32_t> cells(std::size_t unit) const {
    return {cells_.data() + begin_[unit], cells_.data() + begin_[unit + 1]};
  }
  /// Calls `visit(unit)` once for each unit over the cell, ascending.
  template <class Visit>
  void each(std::size_t cell, const Visit& visit) const {
    std::uint32_t last = ~0u;
    for (const std::uint32_t p : space_->over(cell)) {
      const std::uint32_t u = of_pattern_[p];
      if (u != last) visit(u);
      last = u;
    }
  }

 private:
  const Space* space_;
  std::vector<Unit> units_;
  std::vector<std::uint32_t> of_pattern_;
  std::vector<std::size_t> begin_;
  std::vector<std::uint32_t> cells_;
};

}  // namespace agp::analysis
