#include "backends/seccomp/emit/dispatch.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "backends/seccomp/emit/gates.hpp"
#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

bool refused(Diagram::Ref r) { return Diagram::is_leaf(r) && Diagram::word(r) != format::ret_allow; }

/// How often a call is taken to be made. Counts are x86_64's where x32 has the call too: what runs as x32 is rare.
std::uint64_t weight_of(const CallDecision& c, bool rare, const Weights& weights) {
  if (rare) return weights.rare(refused(c.root));
  const std::uint64_t weight = weights.of(c.call->name, refused(c.root));
  return Diagram::is_leaf(c.root) ? weight : Weights::uncached(weight);
}

struct Weighted {
  const CallDecision* call;
  std::uint32_t number;
  std::uint64_t weight;
};

/// Builds the ranges of one section from calls that come by number.
class Ranges {
 public:
  Ranges(std::uint64_t heavy, Diagram::Ref no_call, Section& section)
      : heavy_(heavy), no_call_(no_call), calls_(section.calls), out_(section.ranges) {}

  /// Precondition: the section has room for all calls, which stay where they are.
  void call(const Weighted& w) {
    gap(w.number);
    const bool alone = heavy_ > 0 && w.weight >= heavy_;
    if (alone || closed_ || out_.empty() || out_.back().to != w.call->root)
      out_.push_back({w.number, w.number, w.call->root, 0, {}});
    closed_ = alone;
    out_.back().last = w.number;
    out_.back().weight += w.weight;
    // They come in order, so those of a range stand beside each other.
    auto& calls = out_.back().calls;
    calls_.push_back(w.call);
    calls = std::span(calls_).last(calls.size() + 1);
    next_ = std::uint64_t{w.number} + 1;
  }
  void finish() { gap(std::uint64_t{1} << 32); }

 private:
  void gap(std::uint64_t until) {
    if (until == next_) return;
    if (closed_ || out_.empty() || out_.back().to != no_call_)
      out_.push_back({static_cast<std::uint32_t>(next_), 0, no_call_, 0, {}});
    out_.back().last = static_cast<std::uint32_t>(until - 1);
    closed_ = false;
  }

  std::uint64_t heavy_, next_ = 0;
  Diagram::Ref no_call_;
  bool closed_ = false;  ///< the last range stays alone
  std::vector<const CallDecision*>& calls_;
  std::vector<NumberRange>& out_;
};

/// The weight from which on a number is asked about by itself: that of the heaviest few, of which there may be fewer
/// where several weigh the same.
std::uint64_t heavy_from(const std::vector<Weighted>& calls) {
  std::uint64_t total = 0;
  std::array<std::uint64_t, heavy_values> most{};  // descending
  for (const Weighted& w : calls) {
    total += w.weight;
    if (w.weight <= most.back()) continue;
    most.back() = w.weight;
    for (std::size_t i = most.size() - 1; i > 0 && most[i] > most[i - 1]; --i) std::swap(most[i], most[i - 1]);
  }
  const std::uint64_t from = std::max(total / heavy_share + 1, most.back());
  const auto as_heavy = std::count_if(calls.begin(), calls.end(), [&](const Weighted& w) { return w.weight >= from; });
  return static_cast<std::size_t>(as_heavy) > heavy_values ? from + 1 : from;
}

/// The best tree, but that no call which always runs has more than `most_tests` before it.
Tree tree_of(const std::vector<NumberRange>& ranges, const std::vector<Weighted>& calls, std::size_t most_tests) {
  std::map<Diagram::Ref, std::uint32_t> outcomes{{Diagram::leaf(format::ret_allow), 0}};
  std::vector<Piece> pieces;
  for (const NumberRange& r : ranges) {
    const auto id = outcomes.try_emplace(r.to, static_cast<std::uint32_t>(outcomes.size())).first->second;
    pieces.push_back({r.first, r.last, id, r.weight});
  }
  std::vector<std::uint64_t> weights;  // of numbers
  for (const Weighted& w : calls) {
    if (w.number >= gated_values) break;
    weights.resize(w.number, 0);
    weights.push_back(w.weight);
  }
  const Bound bound{0, most_tests};
  Tree tree = gated_tree(pieces, weights, bound);
  const auto conditional = [](const NumberRange& r) { return !Diagram::is_leaf(r.to); };
  if (!others_are_frequent(pieces, bound.outcome) || std::none_of(ranges.begin(), ranges.end(), conditional))
    return tree;
  // Calls that depend on arguments count more than once, but not whatever that costs: who counts each call once may
  // find a 50th more instructions than need be.
  for (std::size_t i = 0; i < ranges.size(); ++i)
    if (conditional(ranges[i])) pieces[i].weight = Weights::once(pieces[i].weight);
  for (const Weighted& w : calls)
    if (w.number < weights.size() && !Diagram::is_leaf(w.call->root)) weights[w.number] = Weights::once(w.weight);
  const std::uint64_t least = least_cost(pieces), takes = cost(tree, weights);
  if (takes <= least + least / 20) return tree;
  Tree once = gated_tree(pieces, weights, bound);
  const std::uint64_t might = cost(once, weights);
  return takes > might + might / 50 ? once : tree;
}

}  // namespace

std::vector<Section> sections(const Decisions& decisions, const Weights& weights) {
  std::vector<Section> out;
  std::vector<std::vector<Weighted>> calls;
  for (const ArchDecisions& a : decisions.archs) {
    const std::uint32_t audit = linux::audit_arch(a.arch);
    auto at = std::find_if(out.begin(), out.end(), [&](const Section& s) { return s.audit_arch == audit; });
    if (at == out.end()) {
      out.emplace_back();
      out.back().audit_arch = audit;
      out.back().arch = a.arch;
      calls.emplace_back();
      at = out.end() - 1;
    }
    auto& here = calls[static_cast<std::size_t>(at - out.begin())];
    here.reserve(here.size() + a.calls.size());
    for (const CallDecision& c : a.calls)
      here.push_back({&c, c.call->number, weight_of(c, a.arch == linux::Arch::x32, weights)});
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto ascending = [](const auto& a, const auto& b) { return a.number < b.number; };
    if (!std::is_sorted(calls[i].begin(), calls[i].end(), ascending))
      std::sort(calls[i].begin(), calls[i].end(), ascending);
    out[i].calls.reserve(calls[i].size());
    Ranges ranges(heavy_from(calls[i]), decisions.no_call, out[i]);
    for (const Weighted& w : calls[i]) ranges.call(w);
    ranges.finish();
    out[i].tree = tree_of(out[i].ranges, calls[i], longest_path - std::min(i, longest_path));
  }
  return out;
}

}  // namespace agp::backends::seccomp
