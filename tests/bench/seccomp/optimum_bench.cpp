// How near the tree over numbers is to the best one for other weights than those of seccomp-bench: the calls that a
// policy permits, used as often as Zipf's law says, in random orders; and files of counts as `strace -c -U calls,name`
// writes them. Each time the counts are given, as with `--syscall-counts`, and compared is x86_64's dispatch: tests of
// the tree that is built, against dynamic programming over the same counts, where each of the sixteen most frequent
// numbers may also stand alone; against that where no call that always runs is farther than it may be; and against that
// where calls that depend on their arguments count as often as they do for the order of tests.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "backends/seccomp/emit/dispatch.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/bench/seccomp/policies.hpp"
#include "tests/unit/seccomp/optimum.hpp"

namespace agp::bench {
namespace {

using backends::seccomp::Piece;
using backends::seccomp::Section;
using backends::seccomp::Weights;
using Counts = std::map<std::string, std::uint64_t>;

constexpr double fixed = 4;  ///< loads of architecture and number, its compare, the return
constexpr std::uint32_t allowed = 0;

/// What a call counts.
struct Counted {
  const Counts& counts;
  bool as_searched;  ///< more where it depends on its arguments
  std::uint64_t operator()(const backends::seccomp::CallDecision& c) const {
    const auto it = counts.find(std::string(c.call->name));
    if (c.call->arch == linux::Arch::x32 || it == counts.end()) return 0;
    return as_searched && !backends::seccomp::Diagram::is_leaf(c.root) ? Weights::uncached(it->second) : it->second;
  }
};

std::size_t tests_before(const Section& s, std::uint32_t number) {
  std::size_t out = 0;
  for (int at = s.tree.root; at >= 0; ++out) {
    const auto& t = s.tree.tests[static_cast<std::size_t>(at)];
    at = holds(t, number) ? t.yes : t.no;
  }
  return out;
}

/// Maximal ranges, but that the most frequent numbers stand alone.
std::vector<Piece> pieces_of(const Section& s, const Counted& count) {
  std::vector<std::uint64_t> most;
  for (const auto& r : s.ranges)
    for (const auto* c : r.calls) most.push_back(count(*c));
  std::sort(most.rbegin(), most.rend());
  const std::uint64_t heavy = std::max<std::uint64_t>(most[std::min<std::size_t>(15, most.size() - 1)], 1);
  using backends::seccomp::Diagram;
  std::map<Diagram::Ref, std::uint32_t> outcomes{{Diagram::leaf(backends::seccomp::format::ret_allow), allowed}};
  std::vector<Piece> out;
  bool closed = false;  // the last piece stays alone
  const auto add = [&](std::uint32_t first, std::uint32_t last, std::uint32_t outcome, std::uint64_t weight,
                       bool alone) {
    if (!out.empty() && !alone && !closed && out.back().outcome == outcome) {
      out.back().last = last;
      out.back().weight += weight;
    } else {
      out.push_back({first, last, outcome, weight});
    }
    closed = alone;
  };
  for (const auto& r : s.ranges) {
    const auto id = outcomes.try_emplace(r.to, static_cast<std::uint32_t>(outcomes.size())).first->second;
    std::uint64_t next = r.first;
    for (const auto* c : r.calls) {
      if (c->call->number > next) add(static_cast<std::uint32_t>(next), c->call->number - 1, id, 0, false);
      const std::uint64_t weight = count(*c);
      add(c->call->number, c->call->number, id, weight, weight >= heavy);
      next = std::uint64_t{c->call->number} + 1;
    }
    if (next <= r.last) add(static_cast<std::uint32_t>(next), r.last, id, 0, false);
  }
  return out;
}

/// Instructions a call of the optimum's.
struct Means {
  double ours = 0;  ///< instructions a call
  double free = 0, bounded = 0, conditional = 0;
};

Means means(const Policy& policy, const Counts& counts) {
  model::Target target = newest(policy);
  target.syscall_counts = counts;
  const auto decisions =
      backends::seccomp::decide_calls(as_model(policy), target, {}, backends::seccomp::WordChoice::Cheapest);
  const auto sections = backends::seccomp::sections(decisions, Weights(target));
  const Section& s = sections.front();
  const auto instructions = [&](const Counted& count, backends::seccomp::Bound bound) {
    std::uint64_t tests = 0, total = 0;
    for (const auto& r : s.ranges)
      for (const auto* c : r.calls) {
        tests += count(*c) * tests_before(s, c->call->number);
        total += count(*c);
      }
    const auto whole = static_cast<double>(total);
    return std::pair(fixed + static_cast<double>(tests) / whole,
                     fixed + static_cast<double>(test::interval_optimum(pieces_of(s, count), 8, bound)) / whole);
  };
  const auto [ours, free] = instructions({counts, false}, {});
  const auto [same, bounded] = instructions({counts, false}, {allowed, backends::seccomp::longest_path});
  const auto [heavier, conditional] = instructions({counts, true}, {});
  return {ours, ours / free, same / bounded, heavier / conditional};
}

/// Mean and worst.
struct Spread {
  double sum = 0, worst = 0;
  void add(double value) {
    sum += value;
    worst = std::max(worst, value);
  }
};

void zipf(const Policy& policy, double exponent, std::size_t used) {
  std::vector<std::string> calls;
  for (const Line& line : policy.lines)
    if (line.allow && linux::find_syscall(linux::Arch::x86_64, line.call) != nullptr) calls.push_back(line.call);
  std::sort(calls.begin(), calls.end());
  calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
  std::mt19937_64 random(1);
  constexpr int orders = 20;
  Spread free, bounded, conditional;
  for (int n = 0; n < orders; ++n) {
    std::shuffle(calls.begin(), calls.end(), random);
    Counts counts;
    for (std::size_t k = 0; k < std::min(used, calls.size()); ++k)
      counts[calls[k]] = static_cast<std::uint64_t>(1e6 / std::pow(static_cast<double>(k + 1), exponent));
    const Means m = means(policy, counts);
    free.add(m.free);
    bounded.add(m.bounded);
    conditional.add(m.conditional);
  }
  fmt::print("{:<13}{:>4} calls, 1/k^{}: {:.3f} {:.3f}  bounded {:.3f} {:.3f}  as searched {:.3f} {:.3f}\n",
             policy.name, std::min(used, calls.size()), exponent, free.sum / orders, free.worst, bounded.sum / orders,
             bounded.worst, conditional.sum / orders, conditional.worst);
  std::fflush(stdout);
}

}  // namespace
}  // namespace agp::bench

int main(int argc, char** argv) {
  using namespace agp::bench;
  fmt::print("instructions a call, of the optimum's: mean and worst of 20 orders\n");
  for (const char* name : {"docker_x64", "docker_multi", "allow60", "args64"}) {
    const auto policy = read_policy(name);
    if (!policy) {
      fmt::print("{} skipped: its data are not there\n", name);
      continue;
    }
    for (const double exponent : {1.0, 2.0})
      for (const std::size_t used : {std::size_t{20}, std::size_t{400}}) zipf(*policy, exponent, used);
    for (int i = 1; i < argc; ++i) {
      const Means m = means(*policy, read_counts(argv[i]));
      fmt::print("{:<13}{}: {:.2f} instructions a call, {:.3f} of the optimum, bounded {:.3f}, as searched {:.3f}\n",
                 name, argv[i], m.ours, m.free, m.bounded, m.conditional);
    }
  }
}
