// How long a filter takes to make: the policies of seccomp-bench, and growth with the number of conditions.
#include <benchmark/benchmark.h>

#include "backends/seccomp/emit/decisions.hpp"
#include "backends/seccomp/emit/emit.hpp"
#include "backends/seccomp/emit/program.hpp"
#include "compiler/linux/syscalls.hpp"
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

/// `n` conditions on calls of several shapes: single values, masks, 64-bit bounds.
model::Policy conditions(int n) {
  using Op = model::ArgTest::Op;
  model::Policy out;
  out.name = "growth";
  const auto calls = linux::syscalls(linux::Arch::x86_64);
  for (int i = 0; i < n; ++i) {
    const auto& call = calls[static_cast<std::size_t>(i * 7 % 300)];
    const auto value = static_cast<std::uint64_t>(i) * 3 + 1;
    const model::ArgTest test = i % 4 == 0   ? test::masked(0, 0xff, value & 0xff)
                                : i % 4 == 1 ? test::is(1, Op::Le, value << 20)
                                             : test::is(0, Op::Eq, value);
    test::add_rule(out, model::Effect::Allow, {test::call(std::string(call.name), {test})});
  }
  return out;
}
void BM_Conditions(benchmark::State& state) {
  const model::Policy policy = conditions(static_cast<int>(state.range(0)));
  emit(state, policy, test::debian12());
}
BENCHMARK(BM_Conditions)->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);

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
    if (const auto policy = read_policy(name))
      benchmark::RegisterBenchmark(name, [policy](benchmark::State& state) {
        emit(state, as_model(*policy), newest(*policy));
      })->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
