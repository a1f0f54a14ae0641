#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "tests/support/bpf.hpp"

/// The running kernel as an oracle for filters.
namespace agp::test {

/// 0 when seccomp(2) takes the program in a process of its own, else its errno.
int kernel_takes(const Bpf& program);

struct Attempt {
  std::uint32_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
};
/// What one attempt got: an errno (0: success), or the signal that ended the process.
struct Got {
  int error = 0, signal = 0;
};

/// Makes each call under the filter and beneath an outer one that answers TRACE without a tracer: an ERRNO of the
/// filter shows through, whatever the filter lets run appears as ENOSYS, and nothing is executed.
std::vector<Got> attempt_safely(const Bpf& filter, const std::vector<Attempt>& attempts);

/// The same beneath an outer filter that answers an errno no kernel gives: so that ENOSYS is the filter's own, and
/// `passed` is what it lets run, or leaves to a supervisor. Of two ERRNOs the newer filter's counts (kernel/seccomp.c).
inline constexpr int passed = 4000;
std::vector<Got> attempt_marked(const Bpf& filter, const std::vector<Attempt>& attempts);

}  // namespace agp::test
