#include "backends/seccomp/emit/gates.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

// What `<` and `==` tests cost, gates given, is the cost of a way along the values: at each of them one is in an
// interval that leads to an outcome or to a gate; a change of the interval is a `<`, and a value that its interval
// gives another answer is taken out by an `==`. Gates are added one at a time, that with which the way becomes
// cheapest: for each pair of places that a gate can lead to, masks are tried side by side, in or out of the new gate at
// each value, beside the way so far.
namespace agp::backends::seccomp {
namespace {

constexpr std::size_t most_gates = 5;

/// Costs are parts of an instruction. An `==` counts more than a `<`: many of them in a row make ways too long, and
/// then the tree splits between them.
constexpr std::uint32_t per_test = 256, per_equality = 307;
constexpr std::uint32_t full_weight = per_test * instruction_share;  ///< of all values together
/// A test of a gate before a value counts for a fifth: the tree before the gates has fewer.
constexpr std::uint32_t lenience = 5;

/// Masks that differ in their lowest four bits, side by side; what they cost in units of their own.
using Byte = std::uint8_t;
constexpr std::size_t low_bits_of_masks = 4, lanes = 1 << low_bits_of_masks;
using Lanes [[gnu::vector_size(lanes)]] = Byte;
constexpr std::uint32_t unit = 32;
constexpr Byte far_away = 2 * (per_equality / unit);  ///< nobody passes two wrong values: out and in again costs less
Lanes least(const Lanes& a, const Lanes& b) { return a < b ? a : b; }
Lanes in_all_lanes(std::uint32_t value) { return Lanes{} + static_cast<Byte>(value); }
constexpr std::uint32_t units(std::uint32_t cost) { return cost / unit; }

/// The higher bits of the masks that are tried: two of them at most.
constexpr auto high_parts = [] {
  std::array<std::uint32_t, 16> out{};
  std::size_t n = 0;
  for (std::uint32_t high = 0; high < gated_values / lanes; ++high)
    if (std::popcount(high) <= 2) out[n++] = high;
  return out;
}();
constexpr std::size_t beside = 4;  ///< of them at a time

/// Aligned runs of 1, 2, 4, 8 and 16 values, by their place among sixteen: what it costs to pass them in a gate that is
/// wrong for values without a bit of its mask, and for values with one.
struct Blocks {
  std::array<std::array<Lanes, lanes>, low_bits_of_masks + 1> without, with;
  std::array<Lanes, lanes> has;  ///< of single values: all ones where the mask has one of their bits
};
const Blocks& block_table() {
  static const Blocks table = [] {
    Blocks out{};
    const auto cost = [](std::uint32_t wrong) { return static_cast<Byte>(std::min(wrong, 2u) * (far_away / 2)); };
    for (unsigned log = 0; log <= low_bits_of_masks; ++log)
      for (unsigned first = 0; first < lanes; first += 1u << log)
        for (unsigned mask = 0; mask < lanes; ++mask) {
          const unsigned length = 1u << log, inner = mask & (length - 1);
          const unsigned lack = (first & mask & ~(length - 1)) != 0 ? 0 : length >> std::popcount(inner);
          out.without[log][first][mask] = cost(lack);
          out.with[log][first][mask] = cost(length - lack);
          if (log == 0) out.has[first][mask] = lack == 0 ? 0xff : 0;
        }
    return out;
  }();
  return table;
}

class Search {
 public:
  Search(std::span<const Piece> pieces, std::span<const std::uint64_t> weights) : pieces_(pieces), weights_(weights) {
    std::uint64_t total = 0;
    for (const Piece& p : pieces) {
      total += p.weight;
      first_gate_ = std::max(first_gate_, p.outcome + 1);
    }
    std::vector<std::size_t> often(first_gate_, 0);
    for (const Piece& p : pieces) ++often[p.outcome];
    for (std::uint32_t& outcome : outcomes_) {
      outcome = static_cast<std::uint32_t>(std::max_element(often.begin(), often.end()) - often.begin());
      often[outcome] = 0;
    }
    total *= lenience;
    for (std::size_t p = 0; p < pieces.size() && pieces[p].last < gated_values; ++p)
      for (std::uint32_t v = pieces[p].first; v <= pieces[p].last; ++v) {
        values_.push_back({});
        values_.back().piece = static_cast<std::uint32_t>(p);
        if (v < weights.size() && total > 0)
          values_.back().weight = static_cast<std::uint32_t>(weights[v] * full_weight / total);
      }
    for (Value& v : values_)
      for (std::size_t place = 0; place < places_; ++place)
        v.set(place, pieces[v.piece].outcome == outcomes_[place] ? 0 : wrong);
    for (auto& between : gains_)
      for (auto& gains : between) gains.fill(~std::uint32_t{0});  // none is known
    walk();
  }

  /// Adds gates while that pays. `other`: another search for the same list; this one ends where it costs an
  /// instruction more after as many gates.
  void run(const Search* other = nullptr) {
    best_ = ways();
    while (gates_.size() < most_gates) {
      const std::uint32_t cost = cost_;
      if (!add_gate()) return;
      walk();
      if (cost_ >= cost) {
        pop();
        cost_ = cost;
        return;
      }
      best_ = ways();
      std::fill(costs_.begin() + static_cast<std::ptrdiff_t>(gates_.size()) - 1, costs_.end(), cost_);
      if (other != nullptr && cost_ > other->costs_[gates_.size() - 1] + per_test) return;
    }
  }
  std::uint32_t cost() const { return cost_; }

  /// Single values among those of another outcome that are alike in some bits, as none between them is: where there are
  /// three or more of them, the gate that asks for these bits. The one with which the way is cheapest, if any.
  bool add_equality() {
    std::uint32_t cost = cost_;
    std::optional<std::pair<Gate, std::size_t>> best;
    for (const std::size_t among : {0, 1}) {
      const std::size_t alone = 1 - among;
      const auto single = [&](std::size_t p) {
        return pieces_[p].outcome == outcomes_[alone] && pieces_[p].first == pieces_[p].last;
      };
      for (std::size_t first = 0; first < pieces_.size() && pieces_[first].last < gated_values; ++first) {
        if (!single(first)) continue;
        // As many as can be: with each of them the mask has fewer bits, which more values have.
        const std::uint32_t value = pieces_[first].first;
        std::uint32_t mask = ~std::uint32_t{0};
        std::size_t alike = 1;
        for (std::size_t p = first + 1; p < pieces_.size() && pieces_[p].last < gated_values; ++p) {
          if (pieces_[p].outcome == outcomes_[among]) continue;
          const std::uint32_t less = mask & ~(value ^ pieces_[p].first);
          if (!single(p) || !apart(value, less, first, p, among)) break;
          mask = less;
          ++alike;
        }
        if (alike < 3) continue;
        push({mask, outcomes_[alone], outcomes_[among], value & mask}, alone, among);
        walk();
        if (cost_ < cost) {
          cost = cost_;
          best = {gates_.back(), among};
        }
        pop();
      }
    }
    if (best) push(best->first, 1 - best->second, best->second);
    walk();
    return best.has_value();
  }

  Gated result() const {
    Gated out{gates_, first_gate_, {}, {}};
    const auto add = [&](std::size_t p, std::uint32_t first, std::uint32_t last, std::uint32_t to) {
      std::uint64_t weight = pieces_[p].weight;
      if (first != pieces_[p].first || last != pieces_[p].last) {
        weight = 0;
        for (std::size_t v = first; v <= last && v < weights_.size(); ++v) weight += weights_[v];
      }
      if (!out.pieces.empty() && to >= out.first && out.pieces.back().outcome == to) {
        out.pieces.back().last = last;
        out.pieces.back().weight += weight;
      } else {
        out.pieces.push_back({first, last, to, weight});
        out.within.push_back(p);
      }
    };
    const auto leads_to = [&](std::size_t v) {
      const std::size_t place = best_[v];
      return place == own || place < 2 || values_[v].taken_out(place) ? outcome_of(v) : outcome(place);
    };
    std::size_t next = 0;  // piece
    for (std::size_t v = 0; v < values_.size();) {
      const std::size_t first = v;
      while (v < values_.size() && values_[v].piece == values_[first].piece && leads_to(v) == leads_to(first)) ++v;
      add(values_[first].piece, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(v - 1), leads_to(first));
      next = values_[first].piece + 1u;
    }
    for (; next < pieces_.size(); ++next) add(next, pieces_[next].first, pieces_[next].last, pieces_[next].outcome);
    return out;
  }

 private:
  /// A place that an interval can lead to: the two outcomes that most pieces have, then the gates; and last, whatever
  /// each value's own outcome is.
  static constexpr std::size_t most_places = 2 + most_gates, own = most_places;
  static constexpr Byte wrong = 0xff;
  static constexpr std::uint32_t unreachable = 1u << 30;

  struct Value {
    std::uint32_t piece = 0, weight = 0;
    std::array<Byte, most_places> tests{};     ///< of a gate before it, by place; or `wrong`
    std::array<Byte, most_places + 1> from{};  ///< of the cheapest ways to the places here: the place before
    Byte right = 0;                            ///< a bit for each place that is not wrong
    Byte way = 0;                              ///< the place of its interval in the cheapest way
    bool split = false;                        ///< its interval begins with a `<`
    bool quiet = false;                        ///< no test of the way and no weight

    void set(std::size_t place, Byte t) {
      tests[place] = t;
      if (t != wrong) right |= static_cast<Byte>(1u << place);
    }
    bool is_right(std::size_t place) const { return (right >> place & 1) != 0; }
    /// What it costs in an interval: behind so many tests of gates, or taken out.
    std::uint32_t inside(Byte t) const { return t == wrong ? per_equality : std::min(per_equality, t * weight); }
    bool taken_out(std::size_t place) const { return tests[place] == wrong || tests[place] * weight >= per_equality; }
  };

  std::uint32_t outcome_of(std::size_t v) const { return pieces_[values_[v].piece].outcome; }
  bool changes(std::size_t v) const { return outcome_of(v) != outcome_of(v - 1); }

  /// The cheapest way for the gates so far.
  void walk() {
    std::array<std::uint32_t, most_places + 1> cost{};
    for (std::size_t i = 0; i < values_.size(); ++i) {
      Value& v = values_[i];
      std::size_t from = own;
      for (std::size_t p = 0; p < places_; ++p)
        if (cost[p] < cost[from]) from = p;
      const std::uint32_t change = cost[from] + (i == 0 ? 0 : per_test);
      for (std::size_t p = 0; p < places_; ++p) {
        const bool moves = v.is_right(p) && change < cost[p];
        v.from[p] = static_cast<Byte>(moves ? from : p);
        cost[p] = i == 0 && !v.is_right(p) ? unreachable : (moves ? change : cost[p]) + v.inside(v.tests[p]);
      }
      const bool stays = i > 0 && !changes(i) && cost[own] <= change;
      v.from[own] = static_cast<Byte>(stays ? own : from);
      cost[own] = stays ? cost[own] : change;
    }
    std::size_t at = own;
    for (std::size_t p = 0; p < places_; ++p)
      if (cost[p] < cost[at]) at = p;
    cost_ = cost[at];
    for (const Gate& g : gates_) cost_ += static_cast<std::uint32_t>(g.instructions()) * per_test;
    for (std::size_t i = values_.size(); i-- > 0;) {
      values_[i].way = static_cast<Byte>(at);
      at = values_[i].from[at];
    }
    for (std::size_t i = 0; i < values_.size(); ++i) {
      Value& v = values_[i];
      v.split = i > 0 && (v.way != values_[i - 1].way || (v.way == own && changes(i)));
      v.quiet = !v.split && v.weight == 0 && (v.way == own || v.is_right(v.way));
    }
  }

  std::vector<Byte> ways() const {
    std::vector<Byte> out;
    out.reserve(values_.size());
    for (const Value& v : values_) out.push_back(v.way);
    return out;
  }

  struct Found {
    std::uint32_t gain = 0;  ///< in units; of the way alone
    std::uint32_t mask = 0;
    std::size_t yes = 0, no = 0;
  };

  /// Finds the gate with the greatest gain. False where none is worth its own instruction.
  bool add_gate() {
    Found found;
    const std::size_t newest = gates_.empty() ? 0 : places_ - 1;
    // What a gate gained before it hardly gains more of now.
    for (const bool before : {false, true})
      for (std::size_t yes = 0; yes < places_; ++yes)
        for (std::size_t no = 0; no < places_; ++no)
          if (yes != no && (yes < 2 || no < 2) && before == (yes < newest && no < newest))
            try_masks(yes, no, before, found);
    if (found.gain <= units(per_test)) return false;
    push({found.mask, outcome(found.yes), outcome(found.no), {}}, found.yes, found.no);
    return true;
  }
  void push(const Gate& g, std::size_t yes, std::size_t no) {
    for (std::size_t v = 0; v < values_.size(); ++v) {
      const Byte next = behind(values_[v].tests[g.holds(static_cast<std::uint32_t>(v)) ? yes : no]);
      values_[v].set(places_, g.equal ? behind(next) : next);
    }
    gates_.push_back(g);
    ++places_;
  }
  void pop() {
    gates_.pop_back();
    --places_;
    for (Value& v : values_) v.right &= static_cast<Byte>(~(1u << places_));
  }

  /// Is no value of an outcome between two pieces like this one under the mask?
  bool apart(std::uint32_t value, std::uint32_t mask, std::size_t first, std::size_t last, std::size_t place) const {
    for (std::size_t p = first; p <= last; ++p)
      for (std::uint32_t v = pieces_[p].first; pieces_[p].outcome == outcomes_[place] && v <= pieces_[p].last; ++v)
        if (((v ^ value) & mask) == 0) return false;
    return true;
  }
  static Byte behind(Byte tests) { return tests == wrong ? wrong : static_cast<Byte>(tests + 1); }
  std::uint32_t outcome(std::size_t place) const {
    return place < 2 ? outcomes_[place] : first_gate_ + static_cast<std::uint32_t>(place - 2);
  }

  /// A value or some values side by side, for a gate between two places.
  struct Step {
    Lanes in[2];  ///< what it costs in the gate, the way so far taken off; for masks that have a higher bit of it
    Lanes leave;
  };
  /// Steps with the same higher bits.
  struct Stretch {
    std::size_t first = 0, high = 0;
  };

  void steps(std::size_t yes, std::size_t no) {
    steps_.clear();
    stretches_.clear();
    const Blocks& table = block_table();
    const auto add = [&](std::size_t v, const Lanes& lacks, const Lanes& has, std::uint32_t leave) {
      if (stretches_.empty() || stretches_.back().high != v / lanes) stretches_.push_back({steps_.size(), v / lanes});
      steps_.push_back({{lacks, has}, in_all_lanes(leave)});
    };
    // Where nothing else happens: the gate is right for masks that have a bit, 1; that have none, 2.
    const auto kind = [&](const Value& v) { return v.quiet ? (v.right >> yes & 1) | (v.right >> no & 1) << 1 : 4; };
    for (std::size_t v = 0; v < values_.size();) {
      const int k = kind(values_[v]);
      if (k == 4) {
        const Value& value = values_[v];
        const std::uint32_t way = value.way == own ? 0 : value.inside(value.tests[value.way]),
                            base = units(way + (value.split ? per_test : 0));
        const Lanes with = in_all_lanes(units(value.inside(behind(value.tests[yes]))) - base),
                    without = in_all_lanes(units(value.inside(behind(value.tests[no]))) - base),
                    has = table.has[v % lanes];
        add(v, (with & has) | (without & ~has), with, value.split ? 0 : units(per_test));
        ++v;
        continue;
      }
      std::size_t end = v + 1;
      while (end < values_.size() && kind(values_[end]) == k) ++end;
      if (k == 0 || k == 3) {
        const Lanes cost = in_all_lanes(k == 3 ? 0 : end == v + 1 ? far_away / 2 : far_away);
        add(v, cost, cost, units(per_test));
        v = end;
      } else {
        for (unsigned log; v < end; v += std::size_t{1} << log) {
          log = 0;
          while (log < low_bits_of_masks && v % (2u << log) == 0 && v + (2u << log) <= end) ++log;
          add(v, (k == 1 ? table.without : table.with)[log][v % lanes],
              in_all_lanes(k == 1     ? 0
                           : log == 0 ? far_away / 2
                                      : far_away),
              units(per_test));
        }
      }
    }
  }

  void try_masks(std::size_t yes, std::size_t no, bool again, Found& found) {
    auto& gains = gains_[yes][no];
    if (again && std::all_of(gains.begin(), gains.end(), [&](std::uint32_t g) { return g <= found.gain; })) return;
    steps(yes, no);
    constexpr Byte start = 160;
    const Lanes enter = in_all_lanes(units(per_test));
    for (std::size_t group = 0; group < gains.size(); ++group) {
      std::uint32_t& gain = gains[group];
      if (again && gain <= found.gain) continue;
      const std::uint32_t* const high = &high_parts[group * beside];
      Lanes out[beside], in[beside];
      for (std::size_t b = 0; b < beside; ++b) out[b] = in[b] = in_all_lanes(start);
      for (std::size_t s = 0; s < stretches_.size(); ++s) {
        const Step* const end = steps_.data() + (s + 1 < stretches_.size() ? stretches_[s + 1].first : steps_.size());
        std::size_t has[beside];
        for (std::size_t b = 0; b < beside; ++b) has[b] = (stretches_[s].high & high[b]) != 0 ? 1 : 0;
        for (const Step* step = steps_.data() + stretches_[s].first; step != end; ++step) {
#pragma GCC unroll 4
          for (std::size_t b = 0; b < beside; ++b) {
            const Lanes left = least(out[b], in[b] + step->leave);
            in[b] = least(in[b], out[b] + enter) + step->in[has[b]];
            out[b] = left;
          }
        }
      }
      gain = 0;
      for (std::size_t b = 0; b < beside; ++b) {
        const Lanes ends = least(out[b], in[b] + enter);
        for (std::uint32_t l = 0; l < lanes; ++l) {
          const std::uint32_t here = start - std::min(start, ends[l]);
          gain = std::max(gain, here);
          if (here > found.gain) found = {here, high[b] * static_cast<std::uint32_t>(lanes) + l, yes, no};
        }
      }
    }
  }

  std::span<const Piece> pieces_;
  std::span<const std::uint64_t> weights_;
  std::array<std::uint32_t, 2> outcomes_{};
  std::uint32_t first_gate_ = 0, cost_ = 0;
  std::vector<Value> values_;
  std::size_t places_ = 2;
  std::vector<Gate> gates_;
  std::vector<Byte> best_;                         ///< the ways with them
  std::array<std::uint32_t, most_gates> costs_{};  ///< after each of them
  std::vector<Step> steps_;
  std::vector<Stretch> stretches_;
  std::array<std::array<std::array<std::uint32_t, high_parts.size() / beside>, most_places>, most_places> gains_{};
};

}  // namespace

Gated find_gates(std::span<const Piece> pieces, std::span<const std::uint64_t> weights) {
  Search search(pieces, weights), with_equality(search);
  search.run();
  if (!with_equality.add_equality()) return search.result();
  with_equality.run(&search);
  return with_equality.cost() < search.cost() ? with_equality.result() : search.result();
}

}  // namespace agp::backends::seccomp
