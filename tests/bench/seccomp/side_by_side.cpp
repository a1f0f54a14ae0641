// Each policy of seccomp-bench through agp and through libseccomp, in one table: instructions, means, compile time.
// It does not compare their answers.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "backends/seccomp/emit/emit.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/bench/seccomp/measures.hpp"
#include "tests/bench/seccomp/peers.hpp"

namespace agp::bench {
namespace {

test::Bpf agp_program(const model::Policy& policy, const model::Target& target) {
  const auto emitted = backends::seccomp::emit_filter(policy, target);
  for (const auto& p : emitted.problems) fmt::print("  problem: {}\n", p.message);
  for (const auto& a : emitted.artifacts)
    if (a.path.ends_with(".bpf")) return test::bpf_from_bytes(a.bytes);
  return {};
}

/// The best of several runs, in microseconds.
double microseconds(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 15; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

std::map<std::string, std::uint64_t> counts_of(const std::vector<Call>& calls) {
  std::map<std::string, std::uint64_t> out;
  for (const Call& c : calls)
    if (const auto* call = linux::find_syscall(linux::Arch::x86_64, c.number)) out[std::string(call->name)] += c.weight;
  return out;
}

void row(const std::string& policy, const std::string& compiler, const Measures& m, double time) {
  fmt::print("{:<13}{:<26}{:>6}{:>9.2f}{:>9.2f}{:>9.3f}{:>10.0f}{:>9}\n", policy, compiler, m.instructions, m.uniform,
             m.trace, m.cached, time, m.longest_cacheable);
}

bool compare(const std::string& name) {
  const auto policy = read_policy(name);
  if (!policy) return false;
  const auto uniform = read_calls(name, "uni"), trace = read_calls(name, "trace");
  for (const unsigned optimize : {1u, 2u}) {
    test::Bpf program;
    const double time = microseconds([&] { program = libseccomp_program(*policy, optimize); });
    row(name, optimize == 1 ? "libseccomp" : "libseccomp, optimize 2", measure(program, uniform, trace), time);
  }
  const model::Policy model = as_model(*policy);
  const auto agp = [&](const std::string& weights, const std::map<std::string, std::uint64_t>& counts) {
    model::Target target = newest(*policy);
    target.syscall_counts = counts;
    test::Bpf program;
    const double time = microseconds([&] { program = agp_program(model, target); });
    row(name, "agp, " + weights, measure(program, uniform, trace), time);
  };
  agp("by default", {});
  agp("weighted uniformly", counts_of(uniform));
  agp("weighted by the trace", counts_of(trace));
  return true;
}

}  // namespace
}  // namespace agp::bench

int main() {
  fmt::print("{:<13}{:<26}{:>6}{:>9}{:>9}{:>9}{:>10}{:>9}\n", "policy", "compiler", "insns", "uniform", "trace",
             "cached", "us", "longest");
  int missing = 0;
  for (const char* name : {"docker_x64", "docker_multi", "allow60", "args64"})
    if (!agp::bench::compare(name)) ++missing;
  if (missing > 0) fmt::print("{} policies skipped: their data are not there\n", missing);
}
