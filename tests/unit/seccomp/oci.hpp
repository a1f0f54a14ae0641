#pragma once
#include <string>

#include "tests/support/bpf.hpp"

namespace agp::test {

/// What runc 1.1 would load for a profile, made by the real libseccomp of this machine, with runc's ENOSYS prefix.
/// An empty program: libseccomp or runc refuses the profile.
Bpf runc_program(const std::string& profile_json);

}  // namespace agp::test
