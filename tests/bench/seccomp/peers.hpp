#pragma once
#include "tests/bench/seccomp/policies.hpp"

namespace agp::bench {

/// What libseccomp makes of the policy; `optimize` is SCMP_FLTATR_CTL_OPTIMIZE (1 default, 2 binary tree).
test::Bpf libseccomp_program(const Policy& policy, unsigned optimize);

/// Whether this libseccomp has a number for the call.
bool libseccomp_knows(const std::string& call);

}  // namespace agp::bench
