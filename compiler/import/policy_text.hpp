#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/linux/syscalls.hpp"

/// Rules on system calls, as a decoder found them in a foreign artifact -> a policy as text.
namespace agp::imported {

/// `argument & mask OP value`, of all 64 bits.
struct SourceTest {
  enum class Op { Eq, Ne, Lt, Le, Gt, Ge };
  unsigned argument = 0;
  Op op = Op::Eq;
  std::uint64_t mask = ~0ull, value = 0;
  friend bool operator==(const SourceTest&, const SourceTest&) = default;
};
struct SourceRule {
  const linux::Syscall* call = nullptr;
  std::vector<SourceTest> tests;  ///< all hold; none: every call
  std::uint32_t word = 0;         ///< SECCOMP_RET_*
  std::size_t entry = 0;          ///< which entry of the source says so
};
struct Source {
  std::string title;                ///< what stands at the top of the text
  std::string policy;               ///< its name
  std::vector<linux::Arch> archs;   ///< that are carried over
  std::uint32_t default_word = 0;   ///< for every other call
  std::vector<SourceRule> rules;    ///< in the source's order; words of two rules that overlap are the same
  std::vector<std::string> places;  ///< of each entry: `syscalls[3], with CAP_SYS_ADMIN`
  std::vector<std::string> notes;   ///< further lines of the comment at the top
};

struct PolicyText {
  std::string text;
  std::vector<std::string> dropped;  ///< what the language can't say, each as a clause; the policy permits less
};

/// By meaning: a condition is written as the kernel sees its argument, with values that a register can have there
/// (model/syscall.hpp), consecutive entries on one call are one rule, values of one argument a list. O(rules × text).
PolicyText policy_text(const Source& source);

}  // namespace agp::imported
