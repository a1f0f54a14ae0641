#pragma once
#include "compiler/linux/syscalls.hpp"

namespace agp::linux {

/// The newest kernel whose system calls every build of libseccomp 2.5.4 knows by name: its table is that of Linux 5.17
/// (src/syscalls.csv). Some builds know more: Debian's 2.5.4-1+deb12u1 has names up to 6.7.
inline constexpr Version libseccomp_2_5_4{5, 17};

/// Will a runtime with libseccomp 2.5.4 or later find this name? A name it does not find is dropped without a word.
constexpr bool libseccomp_knows(const Syscall& call) { return call.since <= libseccomp_2_5_4; }

}  // namespace agp::linux
