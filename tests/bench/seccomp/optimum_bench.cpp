// How near the tree over numbers is to the best one for other weights than those of seccomp-bench: the calls that a
// policy permits, used as often as Zipf's law says, in random orders; and files of counts as `strace -c -U calls,name`
// writes them. Each time the counts are given, as with `--syscall-counts`, and compared is x86_64's dispatch: tests of
// the tree that is built, against dynamic programming over the same counts and maximal ranges of equal outcome; against
// that where each of the sixteen most frequent numbers may also stand alone; and against this where no call that always
// runs is farther than it may be.
//
//   agp_bench_seccomp_optimum [ORDERS] [COUNTS...]     ORDERS of each kind, 20 if not given; files of counts
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "backends/seccomp/emit/dispatch.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/bench/seccomp/policies.hpp"
#include "tests/unit/seccomp/optimum.hpp"
#include "tests/unit/seccomp/way.hpp"

namespace agp::bench {
namespace {

using backends::seccomp::Piece;
using backends::seccomp::Section;
using backends::seccomp::Weights;
using Counts = std::map<std::string, std::uint64_t>;

constexpr double fixed = 4;  ///< loads of architecture and number, its compare, the return
constexpr std::uint32_t allowed = 0;

/// What a call counts: those of x32 nothing.
std::uint64_t count_of(const backends::seccomp::CallDecision& c, const Counts& counts) {
  const auto it = counts.find(std::string(c.call->name));
  return c.call->arch == linux::Arch::x32 || it == counts.end() ? 0 : it->second;
}

/// Maximal ranges, but that the `frequent` most frequent numbers stand alone.
std::vector<Piece> pieces_of(const Section& s, const Counts& counts, std::size_t frequent) {
  std::vector<std::uint64_t> most;
  for (const auto& r : s.ranges)
    for (const auto* c : r.calls) most.push_back(count_of(*c, counts));
  std::sort(most.rbegin(), most.rend());
  const std::uint64_t heavy =
      frequent == 0 ? ~std::uint64_t{0} : std::max<std::uint64_t>(most[std::min(frequent, most.size()) - 1], 1);
  auto as_heavy = static_cast<std::ptrdiff_t>(frequent) -
                  std::count_if(most.begin(), most.end(), [heavy](std::uint64_t w) { return w > heavy; });
  const auto stands_alone = [&](std::uint64_t weight) {
    return weight > heavy || (weight == heavy && as_heavy-- > 0);  // of those that weigh the same the first
  };
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
      const std::uint64_t weight = count_of(*c, counts);
      add(c->call->number, c->call->number, id, weight, stands_alone(weight));
      next = std::uint64_t{c->call->number} + 1;
    }
    if (next <= r.last) add(static_cast<std::uint32_t>(next), r.last, id, 0, false);
  }
  return out;
}

/// Instructions a call.
struct Means {
  double ours = 0;
  double ranges = 0, alone = 0, bounded = 0;  ///< as parts of the optimum's
};

Means means(const Policy& policy, const Counts& counts) {
  model::Target target = newest(policy);
  target.syscall_counts = counts;
  const auto decisions =
      backends::seccomp::decide_calls(as_model(policy), target, {}, backends::seccomp::WordChoice::Cheapest);
  const auto sections = backends::seccomp::sections(decisions, Weights(target));
  const Section& s = sections.front();
  std::uint64_t tests = 0, total = 0;
  for (const auto& r : s.ranges)
    for (const auto* c : r.calls) {
      tests += count_of(*c, counts) * test::way(s.tree, c->call->number).instructions;
      total += count_of(*c, counts);
    }
  const auto instructions = [&](std::uint64_t of_tests) {
    return fixed + static_cast<double>(of_tests) / static_cast<double>(total);
  };
  const auto optimum = [&](std::size_t frequent, backends::seccomp::Bound bound) {
    return instructions(test::interval_optimum(pieces_of(s, counts, frequent), 8, bound));
  };
  const double ours = instructions(tests);
  return {ours, ours / optimum(0, {}), ours / optimum(16, {}),
          ours / optimum(16, {allowed, backends::seccomp::longest_path})};
}

/// Mean and worst of parts of the optimum's, and how many are over 5% more.
struct Spread {
  double sum = 0, worst = 0;
  int many = 0, over = 0;
  void add(double value) {
    sum += value;
    worst = std::max(worst, value);
    ++many;
    over += value > 1.05 ? 1 : 0;
  }
  std::string text() const { return fmt::format("{:.3f} {:.3f} {:>3}", sum / many, worst, over); }
};

struct Spreads {
  Spread ranges, alone, bounded;
  void add(const Means& m) {
    ranges.add(m.ranges);
    alone.add(m.alone);
    bounded.add(m.bounded);
  }
  void print(std::string_view policy, std::string_view what) const {
    fmt::print("{:<13}{:<22}  {}   {}   {}\n", policy, what, ranges.text(), alone.text(), bounded.text());
    std::fflush(stdout);
  }
};

/// `used` calls, the k-th made 1/k^exponent as often as the first; with 0 all alike.
void zipf(const Policy& policy, double exponent, std::size_t used, int orders, Spreads& all) {
  std::vector<std::string> calls;
  for (const Line& line : policy.lines)
    if (line.allow && linux::find_syscall(linux::Arch::x86_64, line.call) != nullptr) calls.push_back(line.call);
  std::sort(calls.begin(), calls.end());
  calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
  std::mt19937_64 random(1);
  Spreads here;
  for (int n = 0; n < orders; ++n) {
    std::shuffle(calls.begin(), calls.end(), random);
    Counts counts;
    for (std::size_t k = 0; k < std::min(used, calls.size()); ++k)
      counts[calls[k]] = static_cast<std::uint64_t>(1e6 / std::pow(static_cast<double>(k + 1), exponent));
    const Means m = means(policy, counts);
    here.add(m);
    all.add(m);
  }
  here.print(policy.name, fmt::format("{} calls, 1/k^{}", std::min(used, calls.size()), exponent));
}

}  // namespace
}  // namespace agp::bench

int main(int argc, char** argv) {
  using namespace agp::bench;
  const bool given = argc > 1 && std::isdigit(static_cast<unsigned char>(argv[1][0])) != 0;
  const int orders = given ? std::atoi(argv[1]) : 20;
  fmt::print(
      "instructions a call, of the optimum's: mean, worst, and how many orders are over 1.05, of {} each\n"
      "{:<35}  {:<17} {:<17} {}\n",
      orders, "", "maximal ranges", "16 numbers alone", "no more than 15 instructions");
  Spreads all;
  for (const char* name : {"docker_x64", "docker_multi", "allow60", "args64"}) {
    const auto policy = read_policy(name);
    if (!policy) {
      fmt::print("{} skipped: its data are not there\n", name);
      continue;
    }
    Spreads here;
    for (const double exponent : {0.0, 1.0, 1.5, 2.0})
      for (const std::size_t used : {std::size_t{10}, std::size_t{20}, std::size_t{40}, std::size_t{400}})
        zipf(*policy, exponent, used, orders, all);
    for (int i = given ? 2 : 1; i < argc; ++i) {
      const Means m = means(*policy, read_counts(argv[i]));
      here.add(m);
      here.print(name, fmt::format("{}: {:.2f}", argv[i], m.ours));
      here = {};
    }
  }
  all.print("all", "");
}
