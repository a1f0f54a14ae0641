#include "backends/seccomp/emit/two_way.hpp"

#include <algorithm>
#include <bit>
#include <utility>

// Dynamic programming over intervals of pieces. Two-way comparisons make the subproblems intervals with holes: values
// that an equality has taken out before. By an exchange argument the holes of an interval are its heaviest single
// values (Anderson, Kannan, Karloff, Ladner: Thresholds and optimal binary comparison search trees, 2002), so a state
// is an interval and the number of holes. That argument does not see that pieces on both sides of a hole may have one
// outcome: hence every subset of holes in windows of a few pieces, where a tree ends.
namespace agp::backends::seccomp {
namespace {

using Cost = std::uint64_t;  // of weights, and a little for each instruction
constexpr Cost never = ~Cost{0} >> 1;

/// What a state does first. `at`: a split (in a window the pieces before it, else the last of
/// them), the piece of an equality, the bits. Trim: the first (0) or last
/// (1) piece is a hole, so this is the interval without it.
struct Choice {
  enum class Kind : std::uint8_t { Leaf, Split, Equal, Bits, Trim } kind = Kind::Leaf;
  std::uint16_t at = 0;
};

/// An interval of at most `window` pieces, some of them taken out; its first and its last are not.
struct Few {
  std::size_t first = 0, width = 0;
  unsigned gone = 0;

  Few(std::size_t i, std::size_t w, unsigned g) : first(i), width(w), gone(g) {
    while ((gone & 1) != 0) ++first, --width, gone >>= 1;
    while (width > 0 && (gone >> (width - 1) & 1) != 0) gone &= ~(1u << --width);
  }
  unsigned all() const { return (1u << width) - 1; }
  unsigned left() const { return all() & ~gone; }
};

/// Few pieces, with any subset of their narrow ones taken out, solved when they are asked for. (A wide piece is never
/// taken out: an equality takes out one value, and bits don't part wide pieces from others.)
class Windows {
 public:
  Windows(std::span<const Piece> pieces, Cost instruction)
      : pieces_(pieces), instruction_(instruction), known_(pieces.size() << window, {unknown, {}}) {
    for (const Piece& p : pieces) {
      const std::uint32_t differ = p.first ^ p.last;
      vary_.push_back(differ == 0 ? 0 : ~std::uint32_t{0} >> std::countl_zero(differ));
    }
  }
  Cost cost(const Few& f) { return f.width <= 1 ? 0 : solved(f).cost; }
  Choice choice(const Few& f) { return f.width <= 1 ? Choice{} : solved(f).choice; }

  /// The pieces all of whose values have one of the bits, and those none of whose values has.
  struct Sides {
    unsigned yes = 0, no = 0;
  };
  Sides sides(const Few& f, std::uint32_t mask) const {
    Sides out;
    for (std::size_t p = 0; p < f.width; ++p) {
      const std::uint32_t first = pieces_[f.first + p].first, vary = vary_[f.first + p];
      out.yes |= ((first & mask & ~vary) != 0 ? 1u : 0u) << p;
      out.no |= (((first | vary) & mask) == 0 ? 1u : 0u) << p;
    }
    return out;
  }

 private:
  static constexpr std::uint32_t narrow = 4;  ///< values
  static constexpr Cost unknown = ~Cost{0};
  struct Solution {
    Cost cost;
    Choice choice;
  };

  /// Every window that begins at a piece has its own states: the width is told by the highest piece that is left, which
  /// stands as a bit above those that are gone.
  Solution& state(const Few& f) { return known_[(f.first << window) + (f.gone | 1u << (f.width - 1))]; }

  const Solution& solved(const Few& f) {
    Solution& s = state(f);
    if (s.cost == unknown) s = solve(f);
    return s;
  }

  Solution solve(const Few& f) {
    const std::uint32_t outcome = pieces_[f.first].outcome;
    std::uint64_t weight = 0;
    bool uniform = true, wide = false;
    for (std::size_t p = 0; p < f.width; ++p) {
      if ((f.gone >> p & 1) != 0) continue;
      const Piece& piece = pieces_[f.first + p];
      weight += piece.weight;
      uniform &= piece.outcome == outcome;
      wide |= piece.last - piece.first >= narrow;
    }
    if (uniform) return {0, {}};
    Solution best{never, {}};
    const auto offer = [&](Cost c, Choice::Kind kind, std::size_t which) {
      if (c < best.cost) best = {c, {kind, static_cast<std::uint16_t>(which)}};
    };
    for (std::size_t s = 1; s < f.width; ++s) {
      if ((f.gone >> s & 1) != 0) continue;  // the same as a split one piece on
      const auto [below, above] = split(f, s);
      offer(cost(below) + cost(above), Choice::Kind::Split, s);
    }
    for (std::size_t p = 0; p < f.width; ++p)
      if ((f.gone >> p & 1) == 0 && pieces_[f.first + p].first == pieces_[f.first + p].last)
        offer(cost(without(f, 1u << p)), Choice::Kind::Equal, p);
    if (!wide && f.width >= 3) bits(f, offer);
    best.cost += weight + instruction_;
    return best;
  }

  /// Masks of one and two bits; wider ones are not tried.
  template <class Offer>
  void bits(const Few& f, const Offer& offer) {
    const std::uint32_t differ = pieces_[f.first].first ^ pieces_[f.first + f.width - 1].last;
    if (differ >= 64) return;
    for (std::uint32_t mask = 1; mask < std::bit_ceil(differ + 1); ++mask) {
      if (const std::uint32_t rest = mask & (mask - 1); (rest & (rest - 1)) != 0) continue;
      const Sides s = sides(f, mask);
      if (((s.yes | s.no) & f.left()) == f.left() && (s.yes & f.left()) != 0 && (s.no & f.left()) != 0)
        offer(cost(without(f, s.yes)) + cost(without(f, s.no)), Choice::Kind::Bits, mask);
    }
  }

 public:
  static Few without(const Few& f, unsigned pieces) { return {f.first, f.width, f.gone | (pieces & f.all())}; }
  static std::pair<Few, Few> split(const Few& f, std::size_t s) {
    return {{f.first, s, f.gone & ((1u << s) - 1)}, {f.first + s, f.width - s, f.gone >> s}};
  }

 private:
  std::span<const Piece> pieces_;
  Cost instruction_;
  std::vector<Solution> known_;
  std::vector<std::uint32_t> vary_;  ///< by piece: the bits in which its values differ
};

class Planner {
 public:
  Planner(std::span<const Piece> pieces, Cost instruction, Tree& out, std::size_t base)
      : pieces_(pieces),
        n_(pieces.size()),
        instruction_(instruction),
        windows_(pieces, instruction),
        out_(out),
        base_(base) {
    heavy();
    layers_ = candidates_.size() + 1;
    cost_.assign(layers_ * n_ * n_, 0);
    by_end_ = cost_;
    choice_.resize(cost_.size());
    for (std::size_t width = 2; width <= n_; ++width)
      for (std::size_t i = 0; i + width <= n_; ++i) solve(i, i + width - 1);
  }

  int root() { return n_ == 1 ? leaf(0) : build(0, n_ - 1, 0); }

 private:
  int leaf(std::size_t piece) const { return ~static_cast<int>(base_ + piece); }

  /// The heaviest single values, heaviest first.
  void heavy() {
    sums_.assign(1, 0);
    for (const Piece& p : pieces_) sums_.push_back(sums_.back() + p.weight);
    for (std::size_t i = 0; i < n_; ++i)
      if (pieces_[i].first == pieces_[i].last && pieces_[i].weight * heavy_share >= sums_.back() &&
          pieces_[i].weight > 0)
        candidates_.push_back(i);
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [&](std::size_t a, std::size_t b) { return pieces_[a].weight > pieces_[b].weight; });
    if (candidates_.size() > heavy_values) candidates_.resize(heavy_values);
    changes_.assign(n_, 0);
    for (std::size_t i = 1; i < n_; ++i)
      changes_[i] = changes_[i - 1] + (pieces_[i].outcome != pieces_[i - 1].outcome ? 1 : 0);
  }
  std::size_t at(std::size_t holes, std::size_t i, std::size_t j) const { return (holes * n_ + i) * n_ + j; }

  /// The candidates of [i, j], heaviest first.
  std::size_t inside(std::size_t i, std::size_t j, std::size_t (&list)[heavy_values]) const {
    std::size_t count = 0;
    for (const std::size_t c : candidates_)
      if (c >= i && c <= j) list[count++] = c;
    return count;
  }

  void solve(std::size_t i, std::size_t j) {
    std::size_t list[heavy_values];
    const std::size_t count = inside(i, j, list);
    for (std::size_t holes = count + 1; holes-- > 0;) {
      if (j - i < window) {
        unsigned gone = 0;
        for (std::size_t h = 0; h < holes; ++h) gone |= 1u << (list[h] - i);
        store(holes, i, j, windows_.cost({i, j - i + 1, gone}), {});
      } else if (holes == 0 && changes_[i] == changes_[j]) {
        store(0, i, j, 0, {});
      } else {
        search(i, j, holes, count, list);
      }
    }
  }
  void store(std::size_t holes, std::size_t i, std::size_t j, Cost cost, Choice choice) {
    cost_[at(holes, i, j)] = by_end_[at(holes, j, i)] = cost;
    choice_[at(holes, i, j)] = choice;
  }

  void search(std::size_t i, std::size_t j, std::size_t holes, std::size_t count,
              const std::size_t (&list)[heavy_values]) {
    std::uint64_t weight = sums_[j + 1] - sums_[i];
    std::size_t gone[heavy_values];
    for (std::size_t h = 0; h < holes; ++h) {
      weight -= pieces_[list[h]].weight;
      std::size_t to = h;
      for (; to > 0 && gone[to - 1] > list[h]; --to) gone[to] = gone[to - 1];
      gone[to] = list[h];
    }
    if (holes > 0 && gone[0] == i) return store(holes, i, j, cost_[at(holes - 1, i + 1, j)], {Choice::Kind::Trim, 0});
    if (holes > 0 && gone[holes - 1] == j)
      return store(holes, i, j, cost_[at(holes - 1, i, j - 1)], {Choice::Kind::Trim, 1});
    if (holes > 0 && uniform(i, j, gone, holes)) return store(holes, i, j, 0, {});
    Cost best = never;
    Choice how;
    if (holes < count) {
      best = cost_[at(holes + 1, i, j)];
      how = {Choice::Kind::Equal, static_cast<std::uint16_t>(list[holes])};
    }
    // The best split moves little with the interval's ends (exactly so without equalities: Knuth, Optimum binary search
    // trees, 1971).
    const std::size_t from = split_near(holes, i, j - 1, i), to = split_near(holes, i + 1, j, j - 1);
    const std::size_t near = std::min(from, to), far = std::max(from, to);
    const std::size_t first = near > i + slack ? near - slack : i, last = std::min(far + slack, j - 1);
    std::size_t left = 0, split = j;
    while (left < holes && gone[left] < first) ++left;
    for (std::size_t k = first; k <= last;) {  // [i, k] | [k + 1, j]
      if (left < holes && gone[left] == k) ++left;
      const std::size_t until = left < holes ? std::min(last, gone[left] - 1) : last;
      const Cost* below = &cost_[at(left, i, 0)];
      const Cost* above = &by_end_[at(holes - left, j, 0)];
      for (; k <= until; ++k)
        if (const Cost c = below[k] + above[k + 1]; c < best) best = c, split = k;
    }
    if (split != j) how = {Choice::Kind::Split, static_cast<std::uint16_t>(split)};
    store(holes, i, j, best + weight + instruction_, how);
  }
  /// Where the interval that differs by one piece is split; `otherwise` where it is not.
  std::size_t split_near(std::size_t holes, std::size_t i, std::size_t j, std::size_t otherwise) const {
    for (std::size_t h = holes + 1; h-- > 0;) {
      const Choice c = choice_[at(h, i, j)];
      if (c.kind == Choice::Kind::Split) return c.at;
    }
    return otherwise;
  }

  bool uniform(std::size_t i, std::size_t j, const std::size_t* gone, std::size_t holes) const {
    std::size_t h = 0, reference = n_;
    for (std::size_t p = i; p <= j; ++p) {
      if (h < holes && gone[h] == p) {
        ++h;
        continue;
      }
      if (reference == n_) reference = p;
      if (pieces_[p].outcome != pieces_[reference].outcome) return false;
    }
    return true;
  }

  int build(std::size_t i, std::size_t j, std::size_t holes) {
    std::size_t list[heavy_values];
    inside(i, j, list);
    if (j - i < window) {
      unsigned gone = 0;
      for (std::size_t h = 0; h < holes; ++h) gone |= 1u << (list[h] - i);
      return build_window({i, j - i + 1, gone});
    }
    const Choice c = choice_[at(holes, i, j)];
    switch (c.kind) {
      case Choice::Kind::Equal: {
        const int no = build(i, j, holes + 1);
        return push({Test::Kind::Eq, pieces_[c.at].first, leaf(c.at), no});
      }
      case Choice::Kind::Split: {
        std::size_t left = 0;
        for (std::size_t h = 0; h < holes; ++h) left += list[h] <= c.at;
        const int no = build(i, c.at, left), yes = build(c.at + 1u, j, holes - left);
        return push({Test::Kind::Ge, pieces_[c.at + 1u].first, yes, no});
      }
      case Choice::Kind::Trim:
        return c.at == 0 ? build(i + 1, j, holes - 1) : build(i, j - 1, holes - 1);
      default: {  // every piece that is left
        std::size_t p = i;
        while (std::find(list, list + holes, p) != list + holes) ++p;
        return leaf(p);
      }
    }
  }
  int build_window(const Few& f) {
    const Choice c = windows_.choice(f);
    switch (c.kind) {
      case Choice::Kind::Split: {
        const auto [below, above] = Windows::split(f, c.at);
        const int no = build_window(below), yes = build_window(above);
        return push({Test::Kind::Ge, pieces_[f.first + c.at].first, yes, no});
      }
      case Choice::Kind::Equal: {
        const int no = build_window(Windows::without(f, 1u << c.at));
        return push({Test::Kind::Eq, pieces_[f.first + c.at].first, leaf(f.first + c.at), no});
      }
      case Choice::Kind::Bits: {
        const auto side = windows_.sides(f, c.at);
        const int no = build_window(Windows::without(f, side.yes)), yes = build_window(Windows::without(f, side.no));
        return push({Test::Kind::Set, c.at, yes, no});
      }
      default:
        return leaf(f.first);
    }
  }
  int push(Test t) {
    out_.tests.push_back(t);
    return static_cast<int>(out_.tests.size() - 1);
  }

  static constexpr std::size_t slack = 1;

  std::span<const Piece> pieces_;
  std::size_t n_, layers_ = 1;
  Cost instruction_;
  Windows windows_;
  std::vector<std::size_t> candidates_;
  std::vector<std::uint64_t> sums_;
  std::vector<std::uint32_t> changes_;  ///< of outcome, up to each piece
  std::vector<Cost> cost_, by_end_;     ///< by holes, first, last; by holes, last, first
  std::vector<Choice> choice_;
  Tree& out_;
  std::size_t base_;
};

/// Cuts a long list where the weights on both sides are nearest to each other; single pieces weigh something too.
int cut(std::span<const Piece> pieces, Cost instruction, Tree& out, std::size_t base) {
  if (pieces.size() <= exact_pieces) return Planner(pieces, instruction, out, base).root();
  std::uint64_t total = 0, below = 0;
  for (const Piece& p : pieces) total += p.weight + 1;
  std::size_t k = 0;
  while (k + 2 < pieces.size() && 2 * (below + pieces[k].weight + 1) < total) below += pieces[k++].weight + 1;
  const int no = cut(pieces.first(k + 1), instruction, out, base);
  const int yes = cut(pieces.subspan(k + 1), instruction, out, base + k + 1);
  out.tests.push_back({Test::Kind::Ge, pieces[k + 1].first, yes, no});
  return static_cast<int>(out.tests.size() - 1);
}

}  // namespace

Tree two_way_tree(std::span<const Piece> pieces) {
  // Weights become costs in 1/2^16, so that an instruction can cost 1/500 of what one test for every value costs.
  std::vector<Piece> scaled(pieces.begin(), pieces.end());
  Cost total = 0;
  for (Piece& p : scaled) total += p.weight <<= 16;
  Tree out;
  out.root = cut(scaled, total / 500 + 1, out, 0);
  return out;
}

}  // namespace agp::backends::seccomp
