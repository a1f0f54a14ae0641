#pragma once
#include "tests/bench/seccomp/policies.hpp"

namespace agp::bench {

struct Measures {
  std::size_t instructions = 0;
  double uniform = 0;  ///< mean of instructions over the calls of `.uni`
  double trace = 0;    ///< weighted mean over `.trace`
  double cached = 0;   ///< the same, a cached call costing nothing
  std::size_t longest_cacheable = 0;
};
Measures measure(const test::Bpf& program, const std::vector<Call>& uniform, const std::vector<Call>& trace);

}  // namespace agp::bench
