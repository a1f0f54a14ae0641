#include "backends/seccomp/emit/dispatch.hpp"

#include <algorithm>
#include <map>

#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

constexpr Diagram::Ref no_call = Diagram::leaf(format::ret_errno | format::enosys);

/// Tests on the way to a call that always runs: with the loads, one compare of the architecture and the return, 15
/// instructions.
constexpr std::size_t longest_path = 11;

bool refused(Diagram::Ref r) { return Diagram::is_leaf(r) && Diagram::word(r) != format::ret_allow; }

struct Weighted {
  const CallDecision* call;
  std::uint32_t number;
  std::uint64_t weight;
};

/// Builds the ranges of one section from calls that come by number.
class Ranges {
 public:
  Ranges(std::uint64_t heavy, std::vector<NumberRange>& out) : heavy_(heavy), out_(out) {}

  void call(const Weighted& w) {
    gap(w.number);
    const bool alone = heavy_ > 0 && w.weight >= heavy_;
    if (alone || closed_ || out_.empty() || out_.back().to != w.call->root)
      out_.push_back({w.number, w.number, w.call->root, 0, {}});
    closed_ = alone;
    out_.back().last = w.number;
    out_.back().weight += w.weight;
    out_.back().calls.push_back(w.call);
    next_ = std::uint64_t{w.number} + 1;
  }
  void finish() { gap(std::uint64_t{1} << 32); }

 private:
  void gap(std::uint64_t until) {
    if (until == next_) return;
    if (closed_ || out_.empty() || out_.back().to != no_call)
      out_.push_back({static_cast<std::uint32_t>(next_), 0, no_call, 0, {}});
    out_.back().last = static_cast<std::uint32_t>(until - 1);
    closed_ = false;
  }

  std::uint64_t heavy_, next_ = 0;
  bool closed_ = false;  ///< the last range stays alone
  std::vector<NumberRange>& out_;
};

/// The weight from which on a number is asked about by itself: that of the heaviest few.
std::uint64_t heavy_from(const std::vector<Weighted>& calls) {
  std::uint64_t total = 0;
  std::vector<std::uint64_t> all;
  for (const Weighted& w : calls) {
    total += w.weight;
    all.push_back(w.weight);
  }
  std::sort(all.rbegin(), all.rend());
  const std::uint64_t share = total / heavy_share + 1;
  return all.size() > heavy_values ? std::max(share, all[heavy_values - 1]) : share;
}

/// The most tests on the way to a piece that always runs.
std::size_t longest_to_allowed(const Tree& tree, const std::vector<NumberRange>& ranges) {
  std::vector<std::size_t> depth(tree.tests.size(), 0);
  std::size_t longest = 0;
  for (std::size_t i = tree.tests.size(); i-- > 0;)  // the root is the last
    for (const int next : {tree.tests[i].yes, tree.tests[i].no}) {
      if (next >= 0)
        depth[static_cast<std::size_t>(next)] = depth[i] + 1;
      else if (ranges[static_cast<std::size_t>(~next)].to == Diagram::leaf(format::ret_allow))
        longest = std::max(longest, depth[i] + 1);
    }
  return longest;
}

/// The best tree among those that keep every call which always runs within `most_tests`: rare ones are taken to
/// be less rare until they are.
Tree tree_of(const std::vector<NumberRange>& ranges, std::size_t most_tests) {
  std::map<Diagram::Ref, std::uint32_t> outcomes;
  std::vector<Piece> pieces;
  std::uint64_t total = 0;
  for (const NumberRange& r : ranges) {
    const auto id = outcomes.try_emplace(r.to, static_cast<std::uint32_t>(outcomes.size())).first->second;
    pieces.push_back({r.first, r.last, id, r.weight});
    total += r.weight;
  }
  for (unsigned share = 11;; --share) {
    Tree tree = two_way_tree(pieces);
    if (share < 6 || longest_to_allowed(tree, ranges) <= most_tests) return tree;
    for (std::size_t i = 0; i < pieces.size(); ++i)
      if (ranges[i].to == Diagram::leaf(format::ret_allow))
        pieces[i].weight = std::max(ranges[i].weight, total >> share);
  }
}

}  // namespace

std::vector<Section> sections(const Decisions& decisions, const Weights& weights) {
  std::vector<Section> out;
  std::vector<std::vector<Weighted>> calls;
  for (const ArchDecisions& a : decisions.archs) {
    const std::uint32_t audit = linux::audit_arch(a.arch);
    auto at = std::find_if(out.begin(), out.end(), [&](const Section& s) { return s.audit_arch == audit; });
    if (at == out.end()) {
      out.push_back({audit, a.arch, {}, {}});
      calls.emplace_back();
      at = out.end() - 1;
    }
    for (const CallDecision& c : a.calls) {
      // Counts are x86_64's where x32 has the call too: what runs as x32 is rare.
      const bool rare = a.arch == linux::Arch::x32;
      const std::uint64_t weight = rare ? !refused(c.root) : weights.of(c.call->name, refused(c.root));
      calls[static_cast<std::size_t>(at - out.begin())].push_back({&c, c.call->number, weight});
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::sort(calls[i].begin(), calls[i].end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    Ranges ranges(heavy_from(calls[i]), out[i].ranges);
    for (const Weighted& w : calls[i]) ranges.call(w);
    ranges.finish();
    out[i].tree = tree_of(out[i].ranges, longest_path - std::min(i, longest_path));
  }
  return out;
}

}  // namespace agp::backends::seccomp
