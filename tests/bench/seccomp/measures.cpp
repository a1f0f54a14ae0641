#include "tests/bench/seccomp/measures.hpp"

#include <algorithm>

namespace agp::bench {

bool constant_allow(const test::Bpf& program, std::uint32_t arch, std::uint32_t number) {
  std::uint32_t a = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const test::Insn& i = program[pc];
    bool taken = false;
    switch (i.code) {
      case 0x20:
        if (i.k != 0 && i.k != 4) return false;
        a = i.k == 0 ? number : arch;
        continue;
      case 0x06:
        return i.k == 0x7fff0000;
      case 0x05:
        pc += i.k;
        continue;
      case 0x54:
        a &= i.k;
        continue;
      case 0x15:
        taken = a == i.k;
        break;
      case 0x25:
        taken = a > i.k;
        break;
      case 0x35:
        taken = a >= i.k;
        break;
      case 0x45:
        taken = (a & i.k) != 0;
        break;
      default:
        return false;
    }
    pc += taken ? i.jt : i.jf;
  }
  return false;
}

Measures measure(const test::Bpf& program, const std::vector<Call>& uniform, const std::vector<Call>& trace) {
  Measures out;
  out.instructions = program.size();
  const auto mean = [&](const std::vector<Call>& calls, bool cache) {
    double sum = 0, weight = 0;
    for (const Call& c : calls) {
      const auto run = test::bpf_run(program, test::CallData(c.arch, c.number, c.arguments));
      const bool constant = constant_allow(program, c.arch, c.number);
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
