#pragma once
#include "compiler/linux/syscalls.hpp"
#include "tests/bench/seccomp/policies.hpp"

namespace agp::bench {

/// What libseccomp makes of the policy; `optimize` is SCMP_FLTATR_CTL_OPTIMIZE (1 default, 2 binary tree).
test::Bpf libseccomp_program(const Policy& policy, unsigned optimize);

/// Whether this libseccomp has a name for the number.
bool libseccomp_knows(linux::Arch arch, std::uint32_t number);

}  // namespace agp::bench
