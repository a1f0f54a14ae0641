#include "compiler/model/argument_cells.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "compiler/model/interval_cells.hpp"

namespace agp::model {
namespace {

// ---- comparisons alone: intervals ---------------------------------------------------------------------------------

bool low_bits_only(std::uint64_t mask) { return (mask & (mask + 1)) == 0; }

Numbers numbers_of(const ArgTest& test, std::uint64_t greatest) {
  const auto between = [&](Bits128 first, Bits128 last) {
    last = std::min<Bits128>(last, greatest);
    return first > last ? Numbers{} : Numbers{{first, last}};
  };
  if (test.op == ArgTest::Op::In) {
    Numbers out;
    for (const std::uint64_t v : test.values)
      if (v <= greatest) out.push_back({v, v});
    return intervals::normalise(std::move(out));
  }
  const Bits128 v = test.values.empty() ? 0 : test.values.front();
  switch (test.op) {
    case ArgTest::Op::Eq:
      return between(v, v);
    case ArgTest::Op::Ne:
      return intervals::subtract(between(0, greatest), Numbers{{v, v}});
    case ArgTest::Op::Lt:
      return v == 0 ? Numbers{} : between(0, v - 1);
    case ArgTest::Op::Le:
      return between(0, v);
    case ArgTest::Op::Gt:
      return between(v + 1, greatest);
    default:
      return between(v, greatest);
  }
}

std::optional<std::vector<ArgumentCell>> by_intervals(std::span<const ArgumentUse> uses, std::uint64_t greatest,
                                                      std::size_t limit) {
  std::vector<OwnedInterval> owned;
  for (std::uint32_t u = 0; u < uses.size(); ++u) {
    Numbers numbers{{0, greatest}};
    for (const ArgTest* test : uses[u].tests) numbers = intervals::intersect(numbers, numbers_of(*test, greatest));
    for (const auto& n : numbers) owned.push_back({n.first, n.last, u});
  }
  const auto everything = static_cast<std::uint32_t>(uses.size());
  owned.push_back({0, greatest, everything});
  std::size_t work = limit * 50;
  auto cells = interval_cells(owned, work);
  if (!cells) return std::nullopt;
  std::vector<ArgumentCell> out;
  for (IntervalCell& cell : *cells) {
    cell.owners.pop_back();
    out.push_back(
        {std::move(cell.owners), static_cast<std::uint64_t>(cell.numbers.front().first), size_of(cell.numbers)});
  }
  return out;
}

// ---- with masks: bit by bit ---------------------------------------------------------------------------------------

using Status = std::uint32_t;
constexpr Status same = 0, less = 1, greater = 2, failed = 0xffffffff;

/// One comparison of (value & seen) from the highest bit down, and what is known of it so far: for a set of values, the
/// range of its elements that begin with the bits read, as two halves of the status.
struct Atom {
  const ArgTest* test;
  std::uint64_t seen;

  Status start() const {
    if (test->values.empty()) return failed;
    return test->op == ArgTest::Op::In ? static_cast<Status>(test->values.size()) : same;
  }

  Status step(Status now, unsigned bit, bool one) const {
    const std::uint64_t at = std::uint64_t{1} << bit;
    one = one && (seen & at) != 0;
    if (now == failed) return failed;
    if (test->op == ArgTest::Op::In) {
      Status first = now >> 16, last = now & 0xffff;
      while (first < last && ((test->values[first] & at) != 0) != one) ++first;
      while (first < last && ((test->values[last - 1] & at) != 0) != one) --last;
      return first == last ? failed : first << 16 | last;
    }
    const bool wanted = (test->values.front() & at) != 0;
    if (test->op == ArgTest::Op::Masked) return (one && (test->mask & at) != 0) == wanted ? same : failed;
    return now != same || one == wanted ? now : one ? greater : less;
  }

  bool holds(Status end) const {
    if (end == failed) return false;
    switch (test->op) {
      case ArgTest::Op::Ne:
        return end != same;
      case ArgTest::Op::Lt:
        return end == less;
      case ArgTest::Op::Le:
        return end != greater;
      case ArgTest::Op::Gt:
        return end == greater;
      case ArgTest::Op::Ge:
        return end != less;
      case ArgTest::Op::Eq:
        return end == same;
      default:
        return true;
    }
  }
};

class Bits {
 public:
  Bits(std::span<const ArgumentUse> uses, std::uint64_t mask, bool classified, std::size_t limit)
      : uses_(uses), mask_(mask), classified_(classified), limit_(limit) {
    for (const ArgumentUse& use : uses)
      for (const ArgTest* test : use.tests) {
        of_test_.push_back(atom({test, mask}));
        if (!classified) of_test_.push_back(atom({test, mask & 0xffffffff}));
      }
  }

  std::optional<std::vector<ArgumentCell>> run() {
    Level level;
    std::vector<Status> start;
    for (const Atom& atom : atoms_) start.push_back(atom.start());
    level[start] = {0, 1};
    for (unsigned bit = 64; bit-- > 0;) {
      Level next;
      for (const auto& [states, reached] : level)
        for (int one = 0; one <= static_cast<int>(mask_ >> bit & 1); ++one) {
          std::vector<Status> to(states);
          for (std::size_t a = 0; a < atoms_.size(); ++a) to[a] = atoms_[a].step(states[a], bit, one != 0);
          const std::uint64_t value = reached.least | static_cast<std::uint64_t>(one) << bit;
          const auto [at, fresh] = next.emplace(std::move(to), Reached{value, 0});
          at->second.least = std::min(at->second.least, value);
          at->second.count += reached.count;
        }
      if (next.size() > limit_ / (atoms_.size() / 8 + 1)) return std::nullopt;
      level = std::move(next);
    }
    return collect(level);
  }

 private:
  struct Reached {
    std::uint64_t least = 0;
    Bits128 count = 0;
  };

  struct Hash {
    std::size_t operator()(const std::vector<Status>& states) const {
      std::size_t h = 0;
      for (const Status s : states) h = (h ^ s) * 0x9e3779b97f4a7c15ull + (h >> 29);
      return h;
    }
  };
  using Level = std::unordered_map<std::vector<Status>, Reached, Hash>;

  /// Many patterns state the same condition: it is followed once.
  std::size_t atom(const Atom& wanted) {
    const auto at = std::find_if(atoms_.begin(), atoms_.end(),
                                 [&](const Atom& a) { return a.seen == wanted.seen && *a.test == *wanted.test; });
    if (at != atoms_.end()) return static_cast<std::size_t>(at - atoms_.begin());
    atoms_.push_back(wanted);
    return atoms_.size() - 1;
  }

  std::vector<std::uint32_t> holding(const std::vector<Status>& end) const {
    std::vector<std::uint32_t> out;
    std::size_t a = 0;
    for (std::uint32_t u = 0; u < uses_.size(); ++u) {
      bool all = true;
      for (std::size_t t = 0; t < uses_[u].tests.size(); ++t) {
        bool holds = atoms_[of_test_[a]].holds(end[of_test_[a]]);
        ++a;
        if (!classified_) {
          const bool low = atoms_[of_test_[a]].holds(end[of_test_[a]]);
          ++a;
          holds = uses_[u].refuses ? holds || low : holds && low;
        }
        all = all && holds;
      }
      if (all) out.push_back(u);
    }
    return out;
  }

  std::vector<ArgumentCell> collect(const Level& level) const {
    std::map<std::vector<std::uint32_t>, Reached> cells;
    for (const auto& [end, reached] : level) {
      const auto [at, fresh] = cells.emplace(holding(end), reached);
      if (fresh) continue;
      at->second.least = std::min(at->second.least, reached.least);
      at->second.count += reached.count;
    }
    std::vector<ArgumentCell> out;
    for (const auto& [uses, reached] : cells) out.push_back({uses, reached.least, reached.count});
    std::sort(out.begin(), out.end(), [](const auto& x, const auto& y) { return x.witness < y.witness; });
    return out;
  }

  std::span<const ArgumentUse> uses_;
  std::uint64_t mask_;
  bool classified_;
  std::size_t limit_;
  std::vector<Atom> atoms_;
  std::vector<std::size_t> of_test_;  ///< for each test of each use (twice where it is not classified)
};

}  // namespace

std::optional<std::vector<ArgumentCell>> argument_cells(std::span<const ArgumentUse> uses, std::uint64_t effective_mask,
                                                        bool classified, std::size_t limit) {
  bool compares = classified && low_bits_only(effective_mask);
  for (const ArgumentUse& use : uses)
    for (const ArgTest* test : use.tests)
      // a set of this size has no room in a status; sets are intervals wherever they can be
      if (test->op == ArgTest::Op::Masked || test->values.empty())
        compares = false;
      else if (!compares && test->values.size() > 0xffff)
        return std::nullopt;
  if (compares) return by_intervals(uses, effective_mask, limit);
  return Bits(uses, effective_mask, classified, limit).run();
}

}  // namespace agp::model
