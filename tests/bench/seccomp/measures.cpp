#include "tests/bench/seccomp/measures.hpp"

#include <algorithm>

namespace agp::bench {

Measures measure(const test::Bpf& program, const std::vector<Call>& uniform, const std::vector<Call>& trace) {
  Measures out;
  out.instructions = program.size();
  const auto mean = [&](const std::vector<Call>& calls, bool cache) {
    double sum = 0, weight = 0;
    for (const Call& c : calls) {
      const auto run = test::bpf_run(program, test::CallData(c.arch, c.number, c.arguments));
      const bool constant = test::constant_allow(program, c.arch, c.number);
      if (constant) out.longest_cacheable = std::max(out.longest_cacheable, run.steps);
      if (!cache || !constant) sum += static_cast<double>(c.weight * run.steps);
      weight += static_cast<double>(c.weight);
    }
    return weight > 0 ? sum / weight : 0;
  };
  out.uniform = mean(uniform, false);
  out.trace = mean(trace, false);
  out.cached = mean(trace, true);
  return out;
}

}  // namespace agp::bench
