#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace agp::backends::seccomp {

struct CheckedInstruction {
  std::uint16_t code = 0;
  std::uint8_t jt = 0, jf = 0;
  std::uint32_t k = 0;
};

/// A program that the kernel would take: every jump is in range and forward, every path ends in a return, every load is
/// of an aligned word of seccomp_data or of scratch memory written before, no constant division by zero or long shift.
struct CheckedProgram {
  std::vector<CheckedInstruction> instructions;
};
/// Why the kernel would answer EINVAL: names the instruction.
struct Rejected {
  std::string reason;
};

/// The bytes of a `struct sock_filter` array (little-endian), as seccomp(2) judges them: bpf_check_classic and
/// check_load_and_stores in net/core/filter.c, seccomp_check_filter in kernel/seccomp.c.
std::variant<CheckedProgram, Rejected> check_program(std::string_view bytes);

}  // namespace agp::backends::seccomp
