#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/seccomp/decode/program.hpp"
#include "compiler/linux/syscalls.hpp"

namespace agp::backends::seccomp {

/// The way of one system call through a program, over every value of its arguments.
struct CallPath {
  const linux::Syscall* call = nullptr;
  std::size_t shortest = 0, longest = 0;  ///< instructions, loads and the return among them
  std::optional<std::uint32_t> answer;    ///< where it is the same whatever the arguments
  bool may_run = false;                   ///< some arguments are answered with other than an errno, a trap or a kill
  /// The kernel answers from its bitmap and never runs the program: kernel/seccomp.c, seccomp_is_const_allow, follows
  /// loads of number and architecture, constant jumps, `and` with a constant and returns to an allow (Linux 5.11).
  bool cacheable = false;
  std::vector<std::uint32_t> longest_path;  ///< the instructions of it, in order
};

/// Every call of one architecture's table. An architecture whose every call gets the answer of unknown ones is left
/// out.
struct ArchPaths {
  linux::Arch arch = linux::Arch::x86_64;
  std::vector<CallPath> calls;  ///< ascending by number
};

struct Paths {
  std::size_t longest = 0;  ///< instructions of any path, possible or not
  std::vector<ArchPaths> archs;
};

/// O(calls * instructions): where one call reaches the instructions with many more values of the accumulator than there
/// are instructions, the rest are taken for unknown, and what is said to be the longest way may be too long.
Paths measure(const CheckedProgram& program);

/// One instruction in the notation of the kernel's bpf_asm, targets as numbers of instructions.
std::string operation(const CheckedInstruction& instruction, std::size_t at);

}  // namespace agp::backends::seccomp
