#pragma once
#include "tests/bench/seccomp/policies.hpp"

namespace agp::bench {

struct Answers {
  std::size_t compared = 0;
  std::size_t unknown = 0;         ///< not compared: newer than this libseccomp
  std::size_t other_refusals = 0;  ///< both refuse, with another error or signal
  std::size_t wrong = 0;           ///< one permits and the other does not
  std::string first_wrong;
};

/// Two filters of one policy: on every call of `.uni` and `.trace`, on every number up to 600 with and without x32's
/// bit and a few beyond, and for calls with conditions on arguments just beside their values. Arguments have only bits
/// that the kernel looks at: libseccomp compares those that it ignores, agp does not.
Answers compare_answers(const Policy& policy, const test::Bpf& ours, const test::Bpf& theirs);

}  // namespace agp::bench
