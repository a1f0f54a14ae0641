// How long a filter takes to make: the policies of seccomp-bench, and growth with the number of conditions.
#include <benchmark/benchmark.h>

#include "backends/seccomp/emit/decisions.hpp"
#include "backends/seccomp/emit/emit.hpp"
#include "backends/seccomp/emit/program.hpp"
#include "compiler/linux/syscalls.hpp"
#include "tests/bench/seccomp/peers.hpp"
#include "tests/bench/seccomp/policies.hpp"
#include "tests/support/policies.hpp"

namespace agp::bench {
namespace {

void emit(benchmark::State& state, const model::Policy& policy, const model::Target& target) {
  std::size_t bytes = 0, problems = 0;
  for (auto _ : state) {
    const auto emitted = backends::seccomp::emit_filter(policy, target);
    problems = emitted.problems.size();
    for (const auto& a : emitted.artifacts)
      if (a.path.ends_with(".bpf")) bytes = a.bytes.size();
    benchmark::DoNotOptimize(bytes);
  }
  state.counters["instructions"] = static_cast<double>(bytes / 8);
  if (problems > 0) state.SkipWithError("no filter");
}

void libseccomp(benchmark::State& state, const Policy& policy, unsigned optimize) {
  std::size_t instructions = 0;
  for (auto _ : state) instructions = libseccomp_program(policy, optimize).size();
  state.counters["instructions"] = static_cast<double>(instructions);
}

/// `n` conditions on calls of several shapes: single values, masks, 64-bit bounds.
Policy conditions(std::int64_t n) {
  Policy out;
  out.name = "growth";
  out.archs = {"x86_64"};
  const auto calls = linux::syscalls(linux::Arch::x86_64);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto value = static_cast<std::uint64_t>(i) * 3 + 1;
    const Comparison test = i % 4 == 0   ? Comparison{0, "MEQ", 0xff, value & 0xff}
                            : i % 4 == 1 ? Comparison{1, "LE", value << 20, 0}
                                         : Comparison{0, "EQ", value, 0};
    out.lines.push_back({true, 0, std::string(calls[static_cast<std::size_t>(i * 7 % 300)].name), {test}});
  }
  return out;
}
void BM_Conditions(benchmark::State& state) { emit(state, as_model(conditions(state.range(0))), test::debian12()); }
BENCHMARK(BM_Conditions)->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);
void BM_ConditionsLibseccomp(benchmark::State& state) {
  libseccomp(state, conditions(state.range(0)), static_cast<unsigned>(state.range(1)));
}
BENCHMARK(BM_ConditionsLibseccomp)->ArgsProduct({{10, 100, 1000}, {1, 2}})->Unit(benchmark::kMicrosecond);

/// One call with `n` values.
void BM_Values(benchmark::State& state) {
  std::vector<std::uint64_t> values;
  for (std::int64_t i = 0; i < state.range(0); ++i) values.push_back(static_cast<std::uint64_t>(i * i + 2 * i));
  model::Policy policy;
  policy.name = "values";
  test::add_rule(policy, model::Effect::Allow, {test::call("ioctl", {test::in(1, values)})});
  emit(state, policy, test::debian12());
}
BENCHMARK(BM_Values)->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace agp::bench

int main(int argc, char** argv) {
  using namespace agp::bench;
  for (const char* name : {"docker_x64", "docker_multi", "allow60", "args64"})
    if (const auto policy = read_policy(name)) {
      benchmark::RegisterBenchmark(name, [policy](benchmark::State& state) {
        emit(state, as_model(*policy), newest(*policy));
      })->Unit(benchmark::kMicrosecond);
      benchmark::RegisterBenchmark((std::string(name) + "/libseccomp").c_str(), [policy](benchmark::State& state) {
        libseccomp(state, *policy, 1);
      })->Unit(benchmark::kMicrosecond);
    }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
