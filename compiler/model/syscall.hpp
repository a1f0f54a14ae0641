#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/linux/arch.hpp"

namespace agp::model {

/// A comparison on one argument of a system call. Unsigned; the argument is taken under the effective mask that the
/// kernel gives it (`compiler/linux/syscalls.hpp`): argument & effective_mask OP value.
struct ArgTest {
  enum class Op { Eq, Ne, Lt, Le, Gt, Ge, In, Masked };
  int index = 0;  ///< 0 to 5
  Op op = Op::Eq;
  std::uint64_t mask = ~0ull;         ///< Masked: argument & mask == values[0]
  std::vector<std::uint64_t> values;  ///< one; for In ascending without duplicates
  friend bool operator==(const ArgTest&, const ArgTest&) = default;
};

/// One call by its kernel name and a conjunction of tests; without tests: every call of it. Registers, constants and
/// widths differ between architectures, so one written pattern may become several.
struct SyscallPattern {
  std::string name;
  std::vector<ArgTest> tests;
  linux::ArchSet archs = linux::ArchSet::all();  ///< it says nothing about the calls of another one
  friend bool operator==(const SyscallPattern&, const SyscallPattern&) = default;
};

/// What a denied call gets. Strictness: Errno < Trap < Kill.
struct Denial {
  enum class Kind { Errno, Trap, Kill };
  Kind kind = Kind::Errno;
  int errno_value = 0;  ///< Errno; 0 means the default of LANGUAGE.md (EPERM, or ENOSYS where that is said)
  friend bool operator==(const Denial&, const Denial&) = default;
};

/// `argument` is masked by `effective_mask` first. The one definition of what a test means.
bool holds(const ArgTest& test, std::uint64_t argument, std::uint64_t effective_mask);
/// The same where it may not be known for sure which bits the kernel looks at (`classified` false: the low 32, or all
/// of `effective_mask`). A refusal (deny, ask, the `except` of an allow) then holds if it does under either reading, a
/// grant only if it does under both: never wider than what was written, whatever the kernel does.
bool holds(const ArgTest& test, std::uint64_t argument, std::uint64_t effective_mask, bool classified, bool refuses);

}  // namespace agp::model
