#include "backends/seccomp/emit/two_way.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>

#include "backends/seccomp/emit/memo.hpp"
#include "backends/seccomp/emit/windows.hpp"

// Dynamic programming over intervals of pieces. Two-way comparisons make the subproblems intervals with holes: values
// that an equality has taken out before. By an exchange argument the holes of an interval are its heaviest single
// values (Anderson, Kannan, Karloff, Ladner: Thresholds and optimal binary comparison search trees, 2002), so a state
// is an interval and the number of holes. That argument does not see that pieces on both sides of a hole may have one
// outcome: hence every subset of holes in windows of a few pieces, where a tree ends.
namespace agp::backends::seccomp {
namespace {

constexpr Cost whole = 1u << 22;  ///< of the weights, so that the cost of a tree of hundreds of tests fits in 32 bits

// Of a long list: segments with 2^-share of the weight at most become one piece, the rarest that leave so few.
constexpr unsigned rarest = 7;
constexpr std::size_t few_pieces = 72;
constexpr std::int64_t by_piece = 4;    ///< one piece more is worth this part of an instruction
constexpr std::size_t open_pieces = 4;  ///< in a segment that is not rare, at most
constexpr std::size_t few_heavy = 3;    ///< of its single values, in the place of heavy_values

/// Kept between trees of a thread: memory that the kernel has yet to give costs more than the search.
struct Scratch {
  std::vector<Cost> costs;
  std::vector<Choice> choices;
  Memo<Solution> bounded;
  Windows::Kept windows, long_list;
};
Scratch& scratch() {
  thread_local Scratch kept;
  return kept;
}

class Planner {
 public:
  Planner(const List& list, Cost instruction, std::size_t most_heavy, const Leaf& leaf, Tree& out)
      : list_(list),
        pieces_(list.pieces),
        weights_(list.weights),
        n_(list.size()),
        instruction_(instruction),
        windows_(list, instruction, scratch().windows),
        leaf_(leaf),
        out_(out) {
    if (n_ <= window) return;  // one window
    bounded_.clear();
    heavy(most_heavy);
    layers_ = candidates_.size() + 1;
    const std::size_t size = layers_ * n_ * n_;
    if (costs_.size() < size) {
      costs_.resize(size);
      choices_.resize(size);
    }
    for (std::size_t i = 0; i < n_; ++i)
      for (std::size_t j = i; j < n_ && j - i < window; ++j) windows_of(i, j);
    for (std::size_t j = window; j < n_; ++j)
      for (std::size_t i = j + 1 - window; i-- > 0;) search(i, j);
  }

  /// The best tree that is no higher, or where there is none, the best.
  int plan(Height most) {
    const Solution root = n_ <= window ? windows_.best(whole_window(), most) : within(0, n_ - 1, 0, most);
    if (root.cost >= impossible) most = any_height;
    return n_ <= window ? windows_.build(whole_window(), most, leaf_, out_) : build(0, n_ - 1, 0, most);
  }

 private:
  static constexpr std::size_t most_teeth = 10;

  Few whole_window() const { return {0, (1u << n_) - 1}; }
  /// Pieces that were taken out of an interval, ascending, and the one that would be next (n_ where there is none).
  struct Holes {
    std::size_t at[heavy_values] = {}, count = 0, next = 0;
    Cost weight = 0;
    bool has(std::size_t p) const { return std::find(at, at + count, p) != at + count; }
    /// How many are no later.
    std::size_t until(std::size_t p) const {
      std::size_t out = 0;
      while (out < count && at[out] <= p) ++out;
      return out;
    }
  };
  /// The holes of an interval depend on the candidates in it: those from the a-th to before the b-th, by place.
  struct Inside {
    std::size_t a = 0, b = 0;
    std::size_t count() const { return b - a; }
  };

  /// The heaviest single values, heaviest first.
  void heavy(std::size_t most) {
    sums_.assign(1, 0);
    for (const Cost w : weights_) sums_.push_back(sums_.back() + w);
    for (std::size_t i = 0; i < n_; ++i)
      if (pieces_[i].first == pieces_[i].last && std::uint64_t{weights_[i]} * heavy_share >= sums_.back() &&
          weights_[i] > 0)
        candidates_.push_back(i);
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [&](std::size_t a, std::size_t b) { return weights_[a] > weights_[b]; });
    if (candidates_.size() > most) candidates_.resize(most);
    std::vector<std::size_t> places = candidates_;
    std::sort(places.begin(), places.end());
    before_.assign(1, 0);
    for (std::size_t i = 0; i < n_; ++i)
      before_.push_back(before_.back() + static_cast<std::size_t>(std::count(places.begin(), places.end(), i)));
    for (std::size_t a = 0; a <= places.size(); ++a)
      for (std::size_t b = a; b <= places.size(); ++b)
        for (std::size_t h = 0; h <= b - a; ++h) holes_[a][b][h] = make_holes({a, b}, h);
    slots_.assign(1, 0);
    needed_.assign(1, 0);
    for (std::size_t i = 0; i < n_; ++i) {
      const std::uint64_t leaves = (std::uint64_t{1} << std::max(list_.heights[i], Height{1})) / 2;
      const bool more = list_.heights[i] != 0 && (i == 0 || pieces_[i].outcome != pieces_[i - 1].outcome);
      slots_.push_back(slots_.back() + leaves);
      needed_.push_back(needed_.back() + (more ? leaves : 0));
    }
    changes_.assign(n_, 0);
    for (std::size_t i = 1; i < n_; ++i)
      changes_[i] = changes_[i - 1] + (pieces_[i].outcome != pieces_[i - 1].outcome ? 1 : 0);
    comb_end_.clear();
    for (std::size_t i = 0, j = 0; i < n_; comb_end_.push_back(j), j = ++i)
      while (j + 1 < n_ &&
             (pieces_[j + 1].first == pieces_[j + 1].last || pieces_[j + 1].outcome == pieces_[i].outcome))
        ++j;
  }
  /// An interval whose ends have one outcome, and each piece with another is a single value: as many equalities,
  /// heaviest first, however many pieces there are. (Splits would take a test besides wherever they part its outcome.)
  struct Comb {
    std::array<std::size_t, most_teeth> teeth;  ///< what is asked about
    std::size_t count = 0;
    Cost cost = 0;
    Height height = 0;
  };
  std::optional<Comb> comb(std::size_t i, std::size_t j, const Holes& gone) const {
    if (comb_end_[i] < j || pieces_[i].outcome != pieces_[j].outcome) return std::nullopt;
    Comb out;
    for (std::size_t p = i + 1; p < j; ++p) {
      if (pieces_[p].outcome == pieces_[i].outcome || gone.has(p)) continue;
      if (out.count == most_teeth) return std::nullopt;
      std::size_t to = out.count++;
      for (; to > 0 && weights_[out.teeth[to - 1]] < weights_[p]; --to) out.teeth[to] = out.teeth[to - 1];
      out.teeth[to] = p;
    }
    Cost weight = sums_[j + 1] - sums_[i] - gone.weight;
    for (std::size_t t = 0; t < out.count; ++t) {
      out.cost += weight + instruction_;
      weight -= weights_[out.teeth[t]];
    }
    out.height = list_.heights[i];
    for (std::size_t t = out.count; t-- > 0;) out.height = one_over(out.height, list_.heights[out.teeth[t]]);
    return out;
  }
  /// Solved by that where it costs less. Precondition: no candidate is left in the interval.
  Solution or_comb(const Solution& s, std::size_t i, std::size_t j, const Holes& gone) const {
    if (comb_end_[i] < j) return s;
    const auto c = comb(i, j, gone);
    return c && c->cost < s.cost ? Solution{c->cost, {Choice::Kind::Comb, c->height, 0}} : s;
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

  void windows_of(std::size_t i, std::size_t j) {
    const Inside in = inside(i, j);
    for (std::size_t holes = in.count() + 1; holes-- > 0;)
      if (holes <= j - i) keep(at(i, j, holes), windows_.best(few(i, j, taken(in, holes))));
  }
  void keep(std::size_t here, const Solution& s) {
    costs_[here] = s.cost;
    choices_[here] = s.choice;
  }

  void search(std::size_t i, std::size_t j) {
    const Inside in = inside(i, j);
    if (in.count() == 0) return search_plain(i, j);
    for (std::size_t holes = in.count() + 1; holes-- > 0;) keep(at(i, j, holes), search(i, j, taken(in, holes)));
  }

  /// Most intervals have no candidate: nothing to ask about but where to split.
  void search_plain(std::size_t i, std::size_t j) {
    Cost* const costs = costs_.data();
    Choice* const choices = choices_.data();
    const std::size_t column = layers_ * n_, here = j * column + i;
    if (changes_[i] == changes_[j]) {
      costs[here] = 0;
      choices[here] = {Choice::Kind::Leaf, list_.heights[i], 0};
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
    const auto k = static_cast<std::uint16_t>(best);
    choices[here] = {Choice::Kind::Split, one_over(choices[k * column + i].height, choices[j * column + k + 1].height),
                     k};
    keep(here, or_comb({costs[here], choices[here]}, i, j, {}));
  }

  Solution search(std::size_t i, std::size_t j, const Holes& gone) {
    const std::size_t holes = gone.count;
    if (holes == 0 && changes_[i] == changes_[j]) return {0, {Choice::Kind::Leaf, list_.heights[i], 0}};
    if (holes > 0 && gone.at[0] == i) return trim(0, known(i + 1, j, holes - 1));
    if (holes > 0 && gone.at[holes - 1] == j) return trim(1, known(i, j - 1, holes - 1));
    if (holes > 0 && uniform(i, j, gone)) return {0, {Choice::Kind::Leaf, list_.heights[i], 0}};
    const Cost weight = sums_[j + 1] - sums_[i] - gone.weight;
    Solution best{~Cost{0}, {}};
    if (gone.next != n_) best = equal(gone.next, known(i, j, holes + 1));
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
    if (least >> 32 < best.cost) {
      k = least & 0xffff;
      const std::size_t left = gone.until(k);
      best = split(k, known(i, k, left), known(k + 1, j, holes - left));
    }
    best.cost += weight + instruction_;
    return gone.next == n_ ? or_comb(best, i, j, gone) : best;
  }
  static Solution trim(std::uint16_t end, const Solution& rest) {
    return {rest.cost, {Choice::Kind::Trim, rest.choice.height, end}};
  }
  Solution equal(std::size_t piece, const Solution& rest) const {
    return {
        rest.cost,
        {Choice::Kind::Equal, one_over(rest.choice.height, list_.heights[piece]), static_cast<std::uint16_t>(piece)}};
  }
  static Solution split(std::size_t k, const Solution& below, const Solution& behind) {
    return {below.cost + behind.cost,
            {Choice::Kind::Split, one_over(below.choice.height, behind.choice.height), static_cast<std::uint16_t>(k)}};
  }
  Solution known(std::size_t i, std::size_t j, std::size_t holes) const {
    return {costs_[at(i, j, holes)], choices_[at(i, j, holes)]};
  }

  /// A tree that is no higher: the best but for the splits that are not tried. No part costs less than without a bound,
  /// so they are tried from the least such sum on, none beside another, until that alone is more than what was found.
  Solution within(std::size_t i, std::size_t j, std::size_t holes, Height most) {
    const Solution free = known(i, j, holes);
    if (free.choice.height <= most) return free;
    const Holes& gone = taken(inside(i, j), holes);
    if (j - i < window) return windows_.best(few(i, j, gone), most);
    if (most <= 1 || !fits(i, j, holes, most)) return {impossible, {}};
    const auto key = static_cast<std::uint32_t>(at(i, j, holes) << 8 | most);
    if (const Solution* const found = bounded_.find(key)) return *found;
    return bounded_.add(key, search_within(i, j, gone, most));
  }

  /// Whether it can be: each test that takes a hole out joins two bounded pieces, and a split halves them at best.
  bool fits(std::size_t i, std::size_t j, std::size_t holes, Height most) const {
    return needed_[j + 1] - needed_[i] <= (std::uint64_t{1} << most) / 2 + holes;
  }

  Solution search_within(std::size_t i, std::size_t j, const Holes& gone, Height most) {
    const std::size_t holes = gone.count;
    if (holes > 0 && gone.at[0] == i) return trim(0, within(i + 1, j, holes - 1, most));
    if (holes > 0 && gone.at[holes - 1] == j) return trim(1, within(i, j - 1, holes - 1, most));
    const auto room = static_cast<Height>(most - 1);
    Solution best{impossible, {}};
    if (gone.next != n_ && list_.heights[gone.next] <= room) best = equal(gone.next, within(i, j, holes + 1, room));
    std::array<Cost, exact_pieces> least;
    for (std::size_t k = i, left = 0; k < j; ++k) {
      while (left < holes && gone.at[left] <= k) ++left;
      least[k - i] = fits(i, k, left, room) && fits(k + 1, j, holes - left, room)
                         ? cost(i, k, left) + cost(k + 1, j, holes - left)
                         : impossible;
    }
    const auto attempt = [&](std::size_t k) {
      const std::size_t left = gone.until(k);
      const Solution below = within(i, k, left, room);
      if (below.cost + cost(k + 1, j, holes - left) >= best.cost) return;
      const Solution behind = within(k + 1, j, holes - left, room);
      if (below.cost + behind.cost < best.cost) best = split(k, below, behind);
    };
    const auto end = least.begin() + (j - i);
    for (std::size_t n = 0; n < attempts; ++n) {
      const auto next = std::min_element(least.begin(), end);
      if (*next >= best.cost) break;
      attempt(i + static_cast<std::size_t>(next - least.begin()));
      // Its neighbours cost nearly the same and are too high where it is: all attempts would be at one place.
      std::fill(next == least.begin() ? next : next - 1, next + 1 == end ? end : next + 2, impossible);
    }
    if (best.cost >= impossible) {  // into equal halves
      std::size_t k = i;
      while (k + 1 < j && 2 * (slots_[k + 1] - slots_[i]) < slots_[j + 1] - slots_[i]) ++k;
      attempt(k);
    }
    if (best.cost < impossible) best.cost += sums_[j + 1] - sums_[i] - gone.weight + instruction_;
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

  int build(std::size_t i, std::size_t j, std::size_t holes, Height most) {
    if (i == j) return leaf_(i, most);
    const Holes& gone = taken(inside(i, j), holes);
    if (j - i < window) return windows_.build(few(i, j, gone), most, leaf_, out_);
    const Choice c = within(i, j, holes, most).choice;
    const Height room = below(most);
    switch (c.kind) {
      case Choice::Kind::Equal: {
        const int no = build(i, j, holes + 1, room), yes = leaf_(c.at, room);
        return push(out_, {Test::Kind::Eq, pieces_[c.at].first, yes, no});
      }
      case Choice::Kind::Split: {
        const std::size_t left = gone.until(c.at);
        const int no = build(i, c.at, left, room), yes = build(c.at + 1u, j, holes - left, room);
        return push(out_, {Test::Kind::Ge, pieces_[c.at + 1u].first, yes, no});
      }
      case Choice::Kind::Comb: {
        const Comb found = *comb(i, j, gone);
        std::array<Height, most_teeth + 1> rooms{most};
        for (std::size_t t = 0; t < found.count; ++t) rooms[t + 1] = below(rooms[t]);
        int no = leaf_(i, rooms[found.count]);
        for (std::size_t t = found.count; t-- > 0;)
          no = push(out_, {Test::Kind::Eq, pieces_[found.teeth[t]].first, leaf_(found.teeth[t], rooms[t + 1]), no});
        return no;
      }
      case Choice::Kind::Trim:
        return c.at == 0 ? build(i + 1, j, holes - 1, most) : build(i, j - 1, holes - 1, most);
      default: {  // every piece that is left
        std::size_t p = i;
        while (gone.has(p)) ++p;
        return leaf_(p, most);
      }
    }
  }

  static constexpr std::size_t slack = 1, attempts = 4;

  const List& list_;
  const std::vector<Piece>& pieces_;
  const std::vector<Cost>& weights_;
  std::size_t n_, layers_ = 1;
  Cost instruction_;
  Windows windows_;
  const Leaf& leaf_;
  std::vector<std::size_t> candidates_, before_;  ///< candidates before each piece
  Holes holes_[heavy_values + 1][heavy_values + 1][heavy_values + 1];
  std::vector<Cost> sums_;
  std::vector<std::uint64_t> slots_, needed_;         ///< leaves of a full tree that pieces, that bounded ones take
  std::vector<std::uint32_t> changes_;                ///< of outcome, up to each piece
  std::vector<std::size_t> comb_end_;                 ///< of the longest comb that may begin with each piece
  std::vector<Cost>& costs_ = scratch().costs;        ///< by last piece, holes, first piece
  std::vector<Choice>& choices_ = scratch().choices;  ///< the same; of those with a cost
  Memo<Solution>& bounded_ = scratch().bounded;       ///< by place in choices_, and height
  Tree& out_;
};

/// Neighbours, a window of them at most: where they are rare, one piece of a shorter list, else still their own.
struct Segment {
  Few pieces;
  Cost weight;
  bool rare;
};

/// Segments of which all together take the least instructions: a split takes one wherever it is.
std::vector<Segment> segments(const List& list, Windows& windows, std::uint64_t limit, Cost instruction) {
  struct Best {
    std::int64_t cost = 0;
    std::size_t begin = 0;
    Cost weight = 0;
  };
  std::vector<Best> best(list.size() + 1);
  for (std::size_t end = 1; end <= list.size(); ++end) {
    Cost weight = 0;
    best[end].cost = std::numeric_limits<std::int64_t>::max();
    for (std::size_t n = 1; n <= std::min(window, end); ++n) {
      weight += list.weights[end - n];
      if (weight > limit && n > open_pieces) break;
      const std::int64_t left = weight <= limit ? 1 : static_cast<std::int64_t>(n);
      // The way down to a piece is as long whether within a window or before it. (So no window costs more than its
      // pieces by themselves, and where all may join there are fewer of them.)
      const std::int64_t cost = best[end - n].cost + windows.best({end - n, (1u << n) - 1}).cost + instruction +
                                left * instruction / by_piece - weight * std::bit_width(n - 1);
      if (cost < best[end].cost) best[end] = {cost, end - n, weight};
    }
  }
  std::vector<Segment> out;
  for (std::size_t end = list.size(); end > 0; end = best[end].begin) {
    const Best& b = best[end];
    out.push_back({{b.begin, (1u << (end - b.begin)) - 1}, b.weight, b.weight <= limit});
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::size_t pieces_left(const std::vector<Segment>& segments) {
  std::size_t out = 0;
  for (const Segment& s : segments) out += s.rare ? 1 : static_cast<std::size_t>(std::popcount(s.pieces.left));
  return out;
}

/// In a long list, rare neighbours are one piece; how rare, that decides how few are left.
int plan(const List& list, Cost instruction, Height most, std::size_t most_heavy, const Leaf& leaf, Tree& out) {
  if (list.size() <= exact_pieces) return Planner(list, instruction, most_heavy, leaf, out).plan(most);
  Windows::Kept kept = std::move(scratch().long_list);  // what is left may be a long list again
  Windows windows(list, instruction, kept);
  std::uint64_t total = 0;
  for (const Cost w : list.weights) total += w;
  std::vector<Segment> parts;
  for (unsigned share = rarest + 1; share-- > 0;)
    if (parts = segments(list, windows, total >> share, instruction); pieces_left(parts) <= few_pieces) break;
  std::uint32_t outcome = 0;
  for (const Piece& p : list.pieces) outcome = std::max(outcome, p.outcome);
  List joined;
  std::vector<Few> stands_for;
  for (const Segment& part : parts) {
    const std::size_t begin = part.pieces.first,
                      end = begin + static_cast<std::size_t>(std::bit_width(part.pieces.left));
    if (part.rare && end > begin + 1) {
      stands_for.push_back(part.pieces);
      joined.add({list.pieces[begin].first, list.pieces[end - 1].last, ++outcome, 0}, part.weight,
                 windows.lowest(part.pieces));
    } else {
      for (std::size_t i = begin; i < end; ++i) {
        stands_for.emplace_back(i, 1u);
        joined.add(list.pieces[i], list.weights[i], list.heights[i]);
      }
    }
  }
  const Leaf inside = [&](std::size_t p, Height room) { return windows.build(stands_for[p], room, leaf, out); };
  const int root = plan(joined, instruction, most, few_heavy, inside, out);
  scratch().long_list = std::move(kept);
  return root;
}

}  // namespace

Tree two_way_tree(std::span<const Piece> pieces, const Bound& bound) {
  // Most words of arguments.
  if (pieces.size() == 2 && pieces[0].outcome != pieces[1].outcome)
    return {{{Test::Kind::Ge, pieces[1].first, ~1, ~0}}, 0};
  if (pieces.size() == 3 && pieces[0].outcome == pieces[2].outcome && pieces[0].outcome != pieces[1].outcome &&
      pieces[1].first == pieces[1].last)
    return {{{Test::Kind::Eq, pieces[1].first, ~1, ~0}}, 0};
  std::uint64_t total = 0;
  for (const Piece& p : pieces) total += p.weight;
  const auto height = [&](std::size_t piece) -> Height {
    if (bound.tests >= any_height - 1u) return 0;
    return bound.heights.empty() ? (pieces[piece].outcome == bound.outcome ? 1 : 0) : bound.heights[piece];
  };
  List list;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& p = pieces[i];
    list.add(p, p.weight == 0 ? 0 : static_cast<Cost>(p.weight * whole / total) + 1, height(i));
  }
  Tree out;
  out.tests.reserve(pieces.size());
  const auto most = static_cast<Height>(std::min<std::size_t>(bound.tests, any_height - 1u) + 1);
  const Leaf leaf = [](std::size_t piece, Height) { return ~static_cast<int>(piece); };
  out.root = plan(list, whole / instruction_share, most, heavy_values, leaf, out);
  return out;
}

}  // namespace agp::backends::seccomp
