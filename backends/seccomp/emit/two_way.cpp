#include "backends/seccomp/emit/two_way.hpp"

#include <algorithm>

#include "backends/seccomp/emit/windows.hpp"

// Dynamic programming over intervals of pieces. Two-way comparisons make the subproblems intervals with holes: values
// that an equality has taken out before. By an exchange argument the holes of an interval are its heaviest single
// values (Anderson, Kannan, Karloff, Ladner: Thresholds and optimal binary comparison search trees, 2002), so a state
// is an interval and the number of holes. That argument does not see that pieces on both sides of a hole may have one
// outcome: hence every subset of holes in windows of a few pieces, where a tree ends.
namespace agp::backends::seccomp {
namespace {

constexpr Cost whole = 1u << 22;  ///< of the weights, so that the cost of a tree of hundreds of tests fits in 32 bits
constexpr Cost light = whole >> 14;  ///< what single pieces of a long list weigh at least

// Of a long list: at least so many neighbours become one piece, where together they weigh between 2^-rarest and
// 2^-least_rare of all; the rarest that leave so few pieces.
constexpr std::size_t many_pieces = 16, few_groups = 64;
constexpr unsigned rarest = 7, least_rare = 5;

/// Kept between trees of a thread: memory that the kernel has yet to give costs more than the search.
struct Scratch {
  std::vector<Cost> costs;
  std::vector<Choice> choices;
};
Scratch& scratch() {
  thread_local Scratch kept;
  return kept;
}

class Planner {
 public:
  /// `leaves`: where each piece leads to, as Test::yes.
  Planner(std::span<const Piece> pieces, const std::vector<Cost>& weights, std::span<const int> leaves,
          Cost instruction, Tree& out)
      : pieces_(pieces),
        weights_(weights),
        leaves_(leaves),
        n_(pieces.size()),
        instruction_(instruction),
        windows_(pieces, weights_, instruction),
        out_(out) {
    if (n_ <= window) return;  // one window
    heavy();
    layers_ = candidates_.size() + 1;
    const std::size_t size = layers_ * n_ * n_;
    if (costs_.size() < size) {
      costs_.resize(size);
      choices_.resize(size);
    }
    for (std::size_t i = 0; i < n_; ++i)
      for (std::size_t j = i; j < n_ && j - i < window; ++j) few_pieces(i, j);
    for (std::size_t j = window; j < n_; ++j)
      for (std::size_t i = j + 1 - window; i-- > 0;) search(i, j);
  }

  int root() { return n_ <= window ? build_window({0, (1u << n_) - 1}) : build(0, n_ - 1, 0); }

 private:
  struct Solution {
    Cost cost = 0;
    Choice choice;
  };
  /// Pieces that were taken out of an interval, ascending, and the one that would be next (n_ where there is none).
  struct Holes {
    std::size_t at[heavy_values] = {}, count = 0, next = 0;
    Cost weight = 0;
    bool has(std::size_t p) const { return std::find(at, at + count, p) != at + count; }
  };
  /// The holes of an interval depend on the candidates in it: those from the a-th to before the b-th, by place.
  struct Inside {
    std::size_t a = 0, b = 0;
    std::size_t count() const { return b - a; }
  };

  int leaf(std::size_t piece) const { return leaves_[piece]; }

  /// The heaviest single values, heaviest first.
  void heavy() {
    sums_.assign(1, 0);
    for (const Cost w : weights_) sums_.push_back(sums_.back() + w);
    for (std::size_t i = 0; i < n_; ++i)
      if (pieces_[i].first == pieces_[i].last && std::uint64_t{weights_[i]} * heavy_share >= sums_.back() &&
          weights_[i] > 0)
        candidates_.push_back(i);
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [&](std::size_t a, std::size_t b) { return weights_[a] > weights_[b]; });
    if (candidates_.size() > heavy_values) candidates_.resize(heavy_values);
    std::vector<std::size_t> places = candidates_;
    std::sort(places.begin(), places.end());
    before_.assign(1, 0);
    for (std::size_t i = 0; i < n_; ++i)
      before_.push_back(before_.back() + static_cast<std::size_t>(std::count(places.begin(), places.end(), i)));
    for (std::size_t a = 0; a <= places.size(); ++a)
      for (std::size_t b = a; b <= places.size(); ++b)
        for (std::size_t h = 0; h <= b - a; ++h) holes_[a][b][h] = make_holes({a, b}, h);
    changes_.assign(n_, 0);
    for (std::size_t i = 1; i < n_; ++i)
      changes_[i] = changes_[i - 1] + (pieces_[i].outcome != pieces_[i - 1].outcome ? 1 : 0);
  }
  std::size_t at(std::size_t i, std::size_t j, std::size_t holes) const { return (j * layers_ + holes) * n_ + i; }

  Holes make_holes(Inside in, std::size_t count) const {
    Holes out;
    out.next = n_;
    for (const std::size_t c : candidates_) {
      if (before_[c] < in.a || before_[c] >= in.b) continue;
      if (out.count == count) {
        out.next = c;
        break;
      }
      out.weight += weights_[c];
      std::size_t to = out.count++;
      for (; to > 0 && out.at[to - 1] > c; --to) out.at[to] = out.at[to - 1];
      out.at[to] = c;
    }
    return out;
  }
  Inside inside(std::size_t i, std::size_t j) const { return {before_[i], before_[j + 1]}; }
  const Holes& taken(Inside in, std::size_t count) const { return holes_[in.a][in.b][count]; }
  static Few few(std::size_t i, std::size_t j, const Holes& holes) {
    unsigned gone = 0;
    for (std::size_t h = 0; h < holes.count; ++h) gone |= 1u << (holes.at[h] - i);
    return {i, ((2u << (j - i)) - 1) & ~gone};
  }

  Cost cost(std::size_t i, std::size_t j, std::size_t holes) const { return costs_[at(i, j, holes)]; }

  void few_pieces(std::size_t i, std::size_t j) {
    const Inside in = inside(i, j);
    for (std::size_t holes = in.count() + 1; holes-- > 0;)
      if (holes <= j - i) costs_[at(i, j, holes)] = windows_.cost(few(i, j, taken(in, holes)));
  }

  void search(std::size_t i, std::size_t j) {
    const Inside in = inside(i, j);
    if (in.count() == 0) return search_plain(i, j);
    for (std::size_t holes = in.count() + 1; holes-- > 0;) {
      const Solution found = search(i, j, taken(in, holes));
      costs_[at(i, j, holes)] = found.cost;
      choices_[at(i, j, holes)] = found.choice;
    }
  }

  /// Most intervals have no candidate: nothing to ask about but where to split.
  void search_plain(std::size_t i, std::size_t j) {
    Cost* const costs = costs_.data();
    Choice* const choices = choices_.data();
    const std::size_t column = layers_ * n_, here = j * column + i;
    if (changes_[i] == changes_[j]) {
      costs[here] = 0;
      choices[here] = {};
      return;
    }
    std::size_t first = i, last = j - 1;
    if (j - i > window) {
      const Choice before = choices[here - column], behind = choices[here + 1];
      if (before.kind == Choice::Kind::Split) first = before.at;
      if (behind.kind == Choice::Kind::Split) last = behind.at;
      if (first > last) std::swap(first, last);
      first = std::max(first, i + slack) - slack;
      last = std::min(last + slack, j - 1);
    }
    const Cost* below = costs + first * column + i;
    const Cost* above = costs + j * column + first + 1;
    std::uint64_t best = ~std::uint64_t{0};  // the cost, then the split: a minimum without branches
    for (std::size_t k = first; k <= last; ++k, below += column, ++above)
      best = std::min(best, std::uint64_t{*below + *above} << 32 | k);
    costs[here] = static_cast<Cost>(best >> 32) + (sums_[j + 1] - sums_[i]) + instruction_;
    choices[here] = {Choice::Kind::Split, static_cast<std::uint16_t>(best)};
  }

  Solution search(std::size_t i, std::size_t j, const Holes& gone) {
    const std::size_t holes = gone.count;
    if (holes == 0 && changes_[i] == changes_[j]) return {0, {}};
    if (holes > 0 && gone.at[0] == i) return {cost(i + 1, j, holes - 1), {Choice::Kind::Trim, 0}};
    if (holes > 0 && gone.at[holes - 1] == j) return {cost(i, j - 1, holes - 1), {Choice::Kind::Trim, 1}};
    if (holes > 0 && uniform(i, j, gone)) return {0, {}};
    const Cost weight = sums_[j + 1] - sums_[i] - gone.weight;
    Solution best{~Cost{0}, {}};
    if (gone.next != n_) best = {cost(i, j, holes + 1), {Choice::Kind::Equal, static_cast<std::uint16_t>(gone.next)}};
    // The best split moves little with the interval's ends (exactly so without equalities: Knuth, Optimum binary search
    // trees, 1971).
    const std::size_t from = split_near(holes, i, j - 1, i), to = split_near(holes, i + 1, j, j - 1);
    const std::size_t near = std::min(from, to), far = std::max(from, to);
    const std::size_t first = near > i + slack ? near - slack : i, last = std::min(far + slack, j - 1);
    std::uint64_t least = std::uint64_t{best.cost} << 32 | n_;
    const std::size_t column = layers_ * n_;
    std::size_t k = first;
    for (std::size_t left = 0; left <= holes && k <= last; ++left) {  // [i, k] | [k + 1, j], `left` holes before
      const std::size_t until = left < holes ? std::min(gone.at[left], last + 1) : last + 1;
      if (k >= until) continue;
      const Cost* below = &costs_[at(i, k, left)];
      const Cost* above = &costs_[at(k + 1, j, holes - left)];
      for (; k < until; ++k, below += column, ++above)
        least = std::min(least, std::uint64_t{*below + *above} << 32 | k);
    }
    if (least >> 32 < best.cost)
      best = {static_cast<Cost>(least >> 32), {Choice::Kind::Split, static_cast<std::uint16_t>(least)}};
    best.cost += weight + instruction_;
    return best;
  }

  /// Where the interval that differs by one piece is split; `otherwise` where it is not.
  std::size_t split_near(std::size_t holes, std::size_t i, std::size_t j, std::size_t otherwise) {
    if (j - i < window) return otherwise;
    // Where an equality comes first there, the split is behind it.
    for (std::size_t h = holes, count = inside(i, j).count(); h <= count; ++h)
      if (const Choice c = choices_[at(i, j, h)]; c.kind == Choice::Kind::Split) return c.at;
    for (std::size_t h = holes; h-- > 0;)
      if (const Choice c = choices_[at(i, j, h)]; c.kind == Choice::Kind::Split) return c.at;
    return otherwise;
  }

  /// Neither end is a hole.
  bool uniform(std::size_t i, std::size_t j, const Holes& gone) const {
    std::size_t from = i;
    for (std::size_t h = 0; h <= gone.count; ++h) {
      const std::size_t until = h < gone.count ? gone.at[h] : j + 1;
      if (from < until && (changes_[from] != changes_[until - 1] || pieces_[from].outcome != pieces_[i].outcome))
        return false;
      from = until + 1;
    }
    return true;
  }

  int build(std::size_t i, std::size_t j, std::size_t holes) {
    if (i == j) return leaf(i);
    const Holes& gone = taken(inside(i, j), holes);
    if (j - i < window) return build_window(few(i, j, gone));
    const Choice c = choices_[at(i, j, holes)];
    switch (c.kind) {
      case Choice::Kind::Equal: {
        const int no = build(i, j, holes + 1);
        return push({Test::Kind::Eq, pieces_[c.at].first, leaf(c.at), no});
      }
      case Choice::Kind::Split: {
        std::size_t left = 0;
        while (left < holes && gone.at[left] <= c.at) ++left;
        const int no = build(i, c.at, left), yes = build(c.at + 1u, j, holes - left);
        return push({Test::Kind::Ge, pieces_[c.at + 1u].first, yes, no});
      }
      case Choice::Kind::Trim:
        return c.at == 0 ? build(i + 1, j, holes - 1) : build(i, j - 1, holes - 1);
      default: {  // every piece that is left
        std::size_t p = i;
        while (gone.has(p)) ++p;
        return leaf(p);
      }
    }
  }
  int build_window(const Few& f) {
    const Choice c = windows_.choice(f);
    switch (c.kind) {
      case Choice::Kind::Split: {
        const auto [below, above] = f.split(c.at);
        const int no = build_window(below), yes = build_window(above);
        return push({Test::Kind::Ge, pieces_[f.first + c.at].first, yes, no});
      }
      case Choice::Kind::Equal: {
        const int no = build_window(f.only(~(1u << c.at)));
        return push({Test::Kind::Eq, pieces_[f.first + c.at].first, leaf(f.first + c.at), no});
      }
      case Choice::Kind::Bits: {
        const unsigned with = windows_.with(f, c.at);
        const int no = build_window(f.only(~with)), yes = build_window(f.only(with));
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
  const std::vector<Cost>& weights_;
  std::span<const int> leaves_;
  std::size_t n_, layers_ = 1;
  Cost instruction_;
  Windows windows_;
  std::vector<std::size_t> candidates_, before_;  ///< candidates before each piece
  Holes holes_[heavy_values + 1][heavy_values + 1][heavy_values + 1];
  std::vector<Cost> sums_;
  std::vector<std::uint32_t> changes_;                ///< of outcome, up to each piece
  std::vector<Cost>& costs_ = scratch().costs;        ///< by last piece, holes, first piece
  std::vector<Choice>& choices_ = scratch().choices;  ///< the same; of those with a cost
  Tree& out_;
};

/// A list to plan: where its pieces lead to may be trees that were made before.
struct List {
  std::vector<Piece> pieces;
  std::vector<Cost> weights;
  std::vector<int> leaves;  ///< as Test::yes

  std::size_t size() const { return pieces.size(); }
  void add(const Piece& p, Cost weight, int leaf) {
    pieces.push_back(p);
    weights.push_back(weight);
    leaves.push_back(leaf);
  }
  List part(std::size_t from, std::size_t to) const {
    List out;
    for (std::size_t i = from; i < to; ++i) out.add(pieces[i], weights[i], leaves[i]);
    return out;
  }
  /// Without a piece that an equality has taken out: its values may as well be on the side of its neighbours.
  List without(std::size_t gone) const {
    List out = part(0, gone);
    std::size_t i = gone + 1;
    if (out.size() > 0 && (i == size() || out.pieces.back().outcome == pieces[i].outcome)) {
      out.pieces.back().last = i == size() ? pieces[gone].last : pieces[i].last;
      if (i < size()) out.weights.back() += weights[i];
      ++i;
    } else {
      out.add({pieces[gone].first, pieces[i].last, pieces[i].outcome, pieces[i].weight}, weights[i], leaves[i]);
      ++i;
    }
    for (; i < size(); ++i) out.add(pieces[i], weights[i], leaves[i]);
    return out;
  }
};

/// Ends of groups: as many neighbours as weigh `limit` together, where they are many, else single pieces.
std::vector<std::size_t> groups(const List& list, std::uint64_t limit) {
  std::vector<std::size_t> ends;
  ends.reserve(list.size());
  for (std::size_t i = 0; i < list.size();) {
    std::size_t k = i;
    for (std::uint64_t sum = 0; k < list.size() && (sum += list.weights[k] + light) <= limit;) ++k;
    i = k - i >= many_pieces ? k : i + 1;
    ends.push_back(i);
  }
  return ends;
}

int plan(const List& list, Cost instruction, Tree& out);

/// Asks first for a piece that is more than a third of a long list, else cuts it where the weights on both sides are
/// nearest to each other.
int cut(const List& list, std::uint64_t total, Cost instruction, Tree& out) {
  const auto& weights = list.weights;
  const auto heaviest = static_cast<std::size_t>(std::max_element(weights.begin(), weights.end()) - weights.begin());
  const Piece& most = list.pieces[heaviest];
  if (most.first == most.last && std::uint64_t{weights[heaviest]} * 3 >= total) {
    const int no = plan(list.without(heaviest), instruction, out);
    out.tests.push_back({Test::Kind::Eq, most.first, list.leaves[heaviest], no});
  } else {
    std::uint64_t below = 0;
    std::size_t k = 0;
    while (k + 2 < list.size() && 2 * (below + weights[k] + light) < total) below += weights[k++] + light;
    const int no = plan(list.part(0, k + 1), instruction, out);
    const int yes = plan(list.part(k + 1, list.size()), instruction, out);
    out.tests.push_back({Test::Kind::Ge, list.pieces[k + 1].first, yes, no});
  }
  return static_cast<int>(out.tests.size() - 1);
}

/// In a long list, many rare neighbours are planned by themselves and then are one piece; how rare, that decides how
/// few are left. Where that leaves all of them, it is cut.
int plan(const List& list, Cost instruction, Tree& out) {
  if (list.size() <= exact_pieces) return Planner(list.pieces, list.weights, list.leaves, instruction, out).root();
  std::uint64_t total = 0;
  for (const Cost w : list.weights) total += w + light;
  std::vector<std::size_t> ends;
  for (unsigned share = rarest; share >= least_rare; --share)
    if (ends = groups(list, total >> share); ends.size() <= few_groups) break;
  if (ends.size() == list.size()) return cut(list, total, instruction, out);
  std::uint32_t outcome = 0;
  for (const Piece& p : list.pieces) outcome = std::max(outcome, p.outcome);
  List joined;
  std::size_t i = 0;
  for (const std::size_t end : ends) {
    if (end == i + 1) {
      joined.add(list.pieces[i], list.weights[i], list.leaves[i]);
    } else {
      Cost weight = 0;
      for (std::size_t j = i; j < end; ++j) weight += list.weights[j] + light;
      const int leaf = plan(list.part(i, end), instruction, out);
      joined.add({list.pieces[i].first, list.pieces[end - 1].last, ++outcome, 0}, weight, leaf);
    }
    i = end;
  }
  return plan(joined, instruction, out);
}

}  // namespace

Tree two_way_tree(std::span<const Piece> pieces) {
  // Most words of arguments.
  if (pieces.size() == 2 && pieces[0].outcome != pieces[1].outcome)
    return {{{Test::Kind::Ge, pieces[1].first, ~1, ~0}}, 0};
  if (pieces.size() == 3 && pieces[0].outcome == pieces[2].outcome && pieces[0].outcome != pieces[1].outcome &&
      pieces[1].first == pieces[1].last)
    return {{{Test::Kind::Eq, pieces[1].first, ~1, ~0}}, 0};
  std::uint64_t total = 0;
  for (const Piece& p : pieces) total += p.weight;
  List list;
  for (const Piece& p : pieces)
    list.add(p, p.weight == 0 ? 0 : static_cast<Cost>(p.weight * whole / total) + 1, ~static_cast<int>(list.size()));
  Tree out;
  out.tests.reserve(pieces.size());
  out.root = plan(list, whole / instruction_share, out);
  return out;
}

}  // namespace agp::backends::seccomp
