// How near the tree over numbers is to the best one for other weights than those of seccomp-bench: the calls that a
// policy permits, used as often as Zipf's law says, in random orders; and files of counts as `strace -c -U calls,name`
// writes them. Each time the counts are given, as with `--syscall-counts`, and compared is x86_64's dispatch: tests of
// the tree that is built, against dynamic programming over the same counts, where each of the sixteen most frequent
// numbers may also stand alone.
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
using Counts = std::map<std::string, std::uint64_t>;

constexpr double fixed = 4;  ///< loads of architecture and number, its compare, the return

std::uint64_t count_of(const backends::seccomp::CallDecision& call, const Counts& counts) {
  const auto it = counts.find(std::string(call.call->name));
  return call.call->arch == linux::Arch::x32 || it == counts.end() ? 0 : it->second;
}

std::size_t tests_before(const Section& s, std::uint32_t number) {
  std::size_t out = 0;
  for (int at = s.tree.root; at >= 0; ++out) {
    const auto& t = s.tree.tests[static_cast<std::size_t>(at)];
    at = holds(t, number) ? t.yes : t.no;
  }
  return out;
}

/// Maximal ranges, but that the most frequent numbers stand alone.
std::vector<Piece> pieces_of(const Section& s, const Counts& counts) {
  std::vector<std::uint64_t> most;
  for (const auto& r : s.ranges)
    for (const auto* c : r.calls) most.push_back(count_of(*c, counts));
  std::sort(most.rbegin(), most.rend());
  const std::uint64_t heavy = std::max<std::uint64_t>(most[std::min<std::size_t>(15, most.size() - 1)], 1);
  std::map<backends::seccomp::Diagram::Ref, std::uint32_t> outcomes;
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
      const std::uint64_t count = count_of(*c, counts);
      add(c->call->number, c->call->number, id, count, count >= heavy);
      next = std::uint64_t{c->call->number} + 1;
    }
    if (next <= r.last) add(static_cast<std::uint32_t>(next), r.last, id, 0, false);
  }
  return out;
}

struct Means {
  double ours = 0, best = 0;
  double tests() const { return ours / best; }
  double instructions() const { return (fixed + ours) / (fixed + best); }
};

Means means(const Policy& policy, const Counts& counts) {
  model::Target target = newest(policy);
  target.syscall_counts = counts;
  const auto decisions =
      backends::seccomp::decide_calls(as_model(policy), target, {}, backends::seccomp::WordChoice::Cheapest);
  const auto sections = backends::seccomp::sections(decisions, backends::seccomp::Weights(target));
  const Section& s = sections.front();
  std::uint64_t tests = 0, total = 0;
  for (const auto& r : s.ranges)
    for (const auto* c : r.calls) {
      tests += count_of(*c, counts) * tests_before(s, c->call->number);
      total += count_of(*c, counts);
    }
  const auto whole = static_cast<double>(total);
  return {static_cast<double>(tests) / whole,
          static_cast<double>(test::interval_optimum(pieces_of(s, counts), 8)) / whole};
}

void zipf(const Policy& policy, double exponent, std::size_t used) {
  std::vector<std::string> calls;
  for (const Line& line : policy.lines)
    if (line.allow && linux::find_syscall(linux::Arch::x86_64, line.call) != nullptr) calls.push_back(line.call);
  std::sort(calls.begin(), calls.end());
  calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
  std::mt19937_64 random(1);
  constexpr int orders = 20;
  double worst_tests = 0, worst = 0, sum = 0;
  for (int n = 0; n < orders; ++n) {
    std::shuffle(calls.begin(), calls.end(), random);
    Counts counts;
    for (std::size_t k = 0; k < std::min(used, calls.size()); ++k)
      counts[calls[k]] = static_cast<std::uint64_t>(1e6 / std::pow(static_cast<double>(k + 1), exponent));
    const Means m = means(policy, counts);
    worst_tests = std::max(worst_tests, m.tests());
    worst = std::max(worst, m.instructions());
    sum += m.instructions();
  }
  fmt::print(
      "{:<13}{} orders of {} calls, 1/k^{}: instructions a call {:.3f} of the optimum, at worst {:.3f}; tests {:.3f} "
      "at worst\n",
      policy.name, orders, std::min(used, calls.size()), exponent, sum / orders, worst, worst_tests);
  std::fflush(stdout);
}

}  // namespace
}  // namespace agp::bench

int main(int argc, char** argv) {
  using namespace agp::bench;
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
      fmt::print("{:<13}{}: {:.2f} instructions a call, {:.3f} of the optimum; tests {:.3f}\n", name, argv[i],
                 4 + m.ours, m.instructions(), m.tests());
    }
  }
}
