#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// A concrete interpreter of classic BPF over seccomp_data: the tests' oracle. Shares nothing with the product: its
/// codes are taken from include/uapi/linux/bpf_common.h by class, size and mode, and it looks at one input at a time.
namespace agp::test {

struct Insn {
  std::uint16_t code;
  std::uint8_t jt, jf;
  std::uint32_t k;
};
using Bpf = std::vector<Insn>;

Bpf bpf_from_bytes(std::string_view bytes);
std::string bpf_to_bytes(const Bpf& program);

/// The 16 words of seccomp_data.
struct CallData {
  std::uint32_t words[16]{};
  CallData() = default;
  CallData(std::uint32_t arch, std::uint32_t number, const std::array<std::uint64_t, 6>& arguments,
           std::uint64_t instruction_pointer = 0);
};

struct BpfRun {
  std::uint32_t result = 0;
  std::size_t last = 0;  ///< instruction that returned
  std::size_t steps = 0;
};
/// Precondition: a program that the kernel would take.
BpfRun bpf_run(const Bpf& program, const CallData& data);

/// seccomp_is_const_allow of kernel/seccomp.c: does the program permit a number without looking further?
bool constant_allow(const Bpf& program, std::uint32_t arch, std::uint32_t number);

inline constexpr std::uint32_t x86_64_arch = 0xc000003e;

}  // namespace agp::test
