#include "backends/seccomp/emit/cubes.hpp"

#include <algorithm>
#include <bit>

namespace agp::backends::seccomp {
namespace {

/// The bits of `compressed`, in order, at the places of `mask`.
std::uint32_t deposit(std::uint32_t compressed, std::uint32_t mask) {
  std::uint32_t out = 0;
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    if ((compressed & 1) != 0) out |= rest & (~rest + 1);
    compressed >>= 1;
  }
  return out;
}

/// How many values that the masked word can have are below `v`, for a possible `v` or any bound between two of them.
std::uint64_t rank(std::uint64_t v, std::uint32_t mask) {
  // Counts possible values < v from the top bit down.
  std::uint64_t below = 0;
  int left = std::popcount(mask);
  if (v > 0xffffffff) return std::uint64_t{1} << left;
  for (int bit = 31; bit >= 0; --bit) {
    const bool in_mask = (mask >> bit & 1) != 0, set = (v >> bit & 1) != 0;
    if (in_mask) --left;
    if (!set) continue;
    if (!in_mask) return below + (std::uint64_t{1} << left);  // every value with this prefix is smaller
    below += std::uint64_t{1} << left;
  }
  return below;
}

struct Block {
  std::uint32_t mask, value;
};

/// The values of `word & mask` in [first, last] as blocks `word & m == v`: aligned powers of two over the possible
/// values in their order.
std::vector<Block> blocks(std::uint32_t first, std::uint32_t last, std::uint32_t mask) {
  std::vector<Block> out;
  const int bits = std::popcount(mask);
  std::uint64_t at = rank(first, mask);
  const std::uint64_t end = rank(std::uint64_t{last} + 1, mask);
  while (at < end) {
    int size = at == 0 ? bits : std::min(bits, std::countr_zero(at));
    while (at + (std::uint64_t{1} << size) > end) --size;
    const auto fixed = static_cast<std::uint32_t>(~((std::uint64_t{1} << size) - 1));
    out.push_back({deposit(fixed, mask), deposit(static_cast<std::uint32_t>(at), mask)});
    at += std::uint64_t{1} << size;
  }
  return out;
}

class Collector {
 public:
  Collector(const Diagram& diagram, std::size_t limit) : diagram_(diagram), limit_(limit) {}

  std::optional<std::vector<Cube>> run(Diagram::Ref root) {
    walk(root, {});
    if (too_many_) return std::nullopt;
    return std::move(out_);
  }

 private:
  void walk(Diagram::Ref at, const Cube& so_far) {
    if (too_many_) return;
    if (Diagram::is_leaf(at)) {
      out_.push_back(so_far);
      out_.back().word = Diagram::word(at);
      too_many_ = out_.size() > limit_;
      return;
    }
    const auto& node = diagram_.node(at);
    std::uint64_t first = 0;
    for (const auto& edge : node.edges) {
      for (const Block& b : blocks(static_cast<std::uint32_t>(first), edge.last, node.view.mask)) {
        Cube next = so_far;
        if (narrow(next, node.view, b)) walk(edge.to, next);
      }
      first = std::uint64_t{edge.last} + 1;
    }
  }

  /// Two masks on one word may ask for different values of a common bit: then no call is on this path.
  static bool narrow(Cube& cube, const View& view, const Block& block) {
    const int shift = view.low ? 0 : 32;
    const std::uint64_t mask = std::uint64_t{block.mask} << shift, value = std::uint64_t{block.value} << shift;
    std::uint64_t &m = cube.mask[view.argument], &v = cube.value[view.argument];
    if (((v ^ value) & m & mask) != 0) return false;
    m |= mask;
    v |= value;
    return true;
  }

  const Diagram& diagram_;
  std::size_t limit_;
  std::vector<Cube> out_;
  bool too_many_ = false;
};

/// The bits in which two cubes ask for different values; none: some call is in both.
std::array<std::uint64_t, 6> conflict(const Cube& a, const Cube& b) {
  std::array<std::uint64_t, 6> out{};
  for (std::size_t i = 0; i < 6; ++i) out[i] = (a.value[i] ^ b.value[i]) & a.mask[i] & b.mask[i];
  return out;
}
bool disjoint(const Cube& a, const Cube& b) { return conflict(a, b) != std::array<std::uint64_t, 6>{}; }
bool contains(const Cube& outer, const Cube& inner) {
  for (std::size_t i = 0; i < 6; ++i)
    if ((outer.mask[i] & ~inner.mask[i]) != 0 || ((outer.value[i] ^ inner.value[i]) & outer.mask[i]) != 0) return false;
  return true;
}
std::size_t bits(const Cube& c) {
  std::size_t out = 0;
  for (const std::uint64_t m : c.mask) out += static_cast<std::size_t>(std::popcount(m));
  return out;
}

/// Cubes of one word made larger until each touches those of other words, and only as many of them as are needed: the
/// steps of Espresso (Brayton and others, Logic minimization algorithms for VLSI synthesis, 1984) but for the
/// reshaping.
class Cover {
 public:
  Cover(const std::vector<Cube>& of_word, std::vector<const Cube*> others)
      : cubes_(of_word), others_(std::move(others)) {}

  std::vector<Cube> run() {
    std::vector<const Cube*> order;
    for (const Cube& c : cubes_) order.push_back(&c);
    std::stable_sort(order.begin(), order.end(), [](const Cube* a, const Cube* b) { return bits(*a) < bits(*b); });
    for (const Cube* c : order)
      if (std::none_of(out_.begin(), out_.end(), [&](const Cube& o) { return contains(o, *c); }))
        out_.push_back(larger(*c));
    for (std::size_t i = out_.size(); i-- > 0;) {
      const Cube tried = out_[i];
      out_.erase(out_.begin() + static_cast<std::ptrdiff_t>(i));
      steps_ = 0;
      const bool needed = !std::all_of(cubes_.begin(), cubes_.end(),
                                       [&](const Cube& c) { return disjoint(c, tried) || covered(c, 0); });
      if (needed) out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(i), tried);
    }
    return std::move(out_);
  }

 private:
  /// Without the bits that no other cube is kept out by. Which of them can go depends on the order in which they are
  /// tried: of two orders the result that holds more of the word's cubes.
  Cube larger(const Cube& c) const {
    std::vector<std::array<std::uint64_t, 6>> apart;
    for (const Cube* o : others_) apart.push_back(conflict(c, *o));
    Cube best;
    std::size_t most = 0;
    for (const bool from_above : {true, false}) {
      Cube tried = c;
      auto rows = apart;
      for (std::size_t n = 0; n < 6 * 64; ++n) {
        const std::size_t at = from_above ? 6 * 64 - 1 - n : n;
        drop(tried, rows, at / 64, std::uint64_t{1} << at % 64);
      }
      const auto held = static_cast<std::size_t>(
          std::count_if(cubes_.begin(), cubes_.end(), [&](const Cube& o) { return contains(tried, o); }));
      if (held > most || (held == most && bits(tried) < bits(best))) {
        most = held;
        best = tried;
      }
    }
    return best;
  }

  static void drop(Cube& c, std::vector<std::array<std::uint64_t, 6>>& rows, std::size_t argument, std::uint64_t bit) {
    if ((c.mask[argument] & bit) == 0) return;
    for (const auto& row : rows) {
      std::array<std::uint64_t, 6> rest = row;
      rest[argument] &= ~bit;
      if (rest == std::array<std::uint64_t, 6>{}) return;
    }
    c.mask[argument] &= ~bit;
    c.value[argument] &= ~bit;
    for (auto& row : rows) row[argument] &= ~bit;
  }

  /// Every call of `c` is in one of out_ from `first` on. No where finding out takes long.
  bool covered(Cube c, std::size_t first) {
    if (++steps_ > 20'000) return false;
    while (first < out_.size() && disjoint(out_[first], c)) ++first;
    if (first == out_.size()) return false;
    const Cube& d = out_[first];
    for (std::size_t i = 0; i < 6; ++i)
      for (std::uint64_t rest = d.mask[i] & ~c.mask[i]; rest != 0; rest &= rest - 1) {
        const std::uint64_t bit = rest & (~rest + 1);
        Cube outside = c;
        outside.mask[i] |= bit;
        outside.value[i] |= ~d.value[i] & bit;
        if (!covered(outside, first + 1)) return false;
        c.mask[i] |= bit;
        c.value[i] |= d.value[i] & bit;
      }
    return true;
  }

  const std::vector<Cube>& cubes_;
  std::vector<const Cube*> others_;
  std::vector<Cube> out_;
  std::size_t steps_ = 0;
};

/// The values that cubes, equal but for this argument, have of it, as one comparison of 64 bits. Nothing where there is
/// none, or where they leave bits out.
std::optional<Cube::Bound> comparison(std::vector<const Cube*> list, std::size_t argument) {
  std::sort(list.begin(), list.end(),
            [&](const Cube* a, const Cube* b) { return a->value[argument] < b->value[argument]; });
  std::vector<std::pair<std::uint64_t, std::uint64_t>> intervals;
  for (const Cube* c : list) {
    const std::uint64_t inside = ~c->mask[argument], first = c->value[argument], last = first | inside;
    if ((inside & (inside + 1)) != 0) return std::nullopt;  // not an interval
    if (!intervals.empty() && intervals.back().second + 1 == first)
      intervals.back().second = last;
    else
      intervals.emplace_back(first, last);
  }
  constexpr std::uint64_t most = ~std::uint64_t{0};
  const auto [first, last] = intervals.front();
  if (intervals.size() == 1 && first == 0) return Cube::Bound{argument, Cube::Op::Le, last};
  if (intervals.size() == 1 && last == most) return Cube::Bound{argument, Cube::Op::Ge, first};
  if (intervals.size() == 2 && first == 0 && intervals[1].second == most && intervals[1].first == last + 2)
    return Cube::Bound{argument, Cube::Op::Ne, last + 1};
  return std::nullopt;
}

/// Takes the cubes that one comparison can stand for out of `cubes`, where no other looks at the argument.
void compare_whole(std::vector<Cube>& cubes, std::vector<Cube>& out) {
  for (std::size_t argument = 0; argument < 6; ++argument) {
    std::vector<const Cube*> list;
    for (const Cube& c : cubes)
      if (c.mask[argument] != 0) list.push_back(&c);
    if (list.size() < 2) continue;
    Cube one = *list.front();
    one.mask[argument] = one.value[argument] = 0;
    const bool alike = std::all_of(list.begin(), list.end(), [&](const Cube* c) {
      Cube rest = *c;
      rest.mask[argument] = rest.value[argument] = 0;
      return rest.word == one.word && rest.mask == one.mask && rest.value == one.value;
    });
    if (!alike || !(one.bound = comparison(list, argument))) continue;
    out.push_back(one);
    std::erase_if(cubes, [&](const Cube& c) { return c.mask[argument] != 0; });
  }
}

}  // namespace

std::optional<std::vector<Cube>> cubes(const Diagram& diagram, Diagram::Ref root, std::size_t limit) {
  return Collector(diagram, limit).run(root);
}

std::vector<Cube> fewest(const std::vector<Cube>& all, std::uint32_t default_word, bool whole) {
  std::vector<Cube> given, out;
  for (const Cube& c : all)
    if (c.word != default_word) given.push_back(c);
  if (whole) compare_whole(given, out);
  while (!given.empty()) {
    const std::uint32_t word = given.front().word;
    std::vector<Cube> of_word;
    for (const Cube& c : given)
      if (c.word == word) of_word.push_back(c);
    std::erase_if(given, [&](const Cube& c) { return c.word == word; });
    std::vector<const Cube*> others;
    for (const Cube& c : all)
      if (c.word != word) others.push_back(&c);
    if (of_word.size() > 1 && of_word.size() * others.size() <= 50'000) {
      std::vector<Cube> fewer = Cover(of_word, std::move(others)).run();
      if (fewer.size() < of_word.size()) of_word = std::move(fewer);
    }
    out.insert(out.end(), of_word.begin(), of_word.end());
  }
  return out;
}

}  // namespace agp::backends::seccomp
