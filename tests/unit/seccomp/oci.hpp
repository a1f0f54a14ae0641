#pragma once
#include <stdexcept>
#include <string>

#include "tests/support/bpf.hpp"

namespace agp::test {

/// libseccomp 2.5.4 adds some rules for ever (a loop in one seccomp_rule_add_array).
struct Hung : std::runtime_error {
  Hung() : std::runtime_error("libseccomp did not end within 2 s of processor time") {}
};

/// What runc 1.1 would load for a profile, made by the real libseccomp of this machine, with runc's ENOSYS prefix.
/// An empty program: libseccomp or runc refuses the profile. Throws Hung where libseccomp does not end.
Bpf runc_program(const std::string& profile_json);

}  // namespace agp::test
