#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backends/seccomp/decode/program.hpp"
#include "compiler/linux/arch.hpp"
#include "compiler/model/filter_graph.hpp"
#include "compiler/model/target.hpp"

namespace agp::backends::seccomp {

/// One comparison as libseccomp makes it: `argument & mask OP value`, of 64 bits, or of the low word alone for an
/// architecture of 32 bits, i386 and x32 (db.c, _db_rule_gen_32).
struct Comparison {
  enum class Op { Eq, Ne, Lt, Le, Gt, Ge };
  unsigned argument = 0;
  Op op = Op::Eq;
  std::uint64_t mask = ~0ull, value = 0;
  bool low_word = false;
};

/// One rule that runc gives to libseccomp, on one architecture: an entry's conditions for one of its names. Without
/// comparisons: every call.
struct ProfileRule {
  linux::Arch arch = linux::Arch::x86_64;
  std::uint32_t number = 0;  ///< as in seccomp_data
  std::vector<Comparison> comparisons;
  std::uint32_t word = 0;   ///< SECCOMP_RET_*
  std::uint32_t entry = 0;  ///< index into `syscalls`
};

/// A profile after runc 1.1's own steps: entries equal to the default and unknown names are gone, an entry that repeats
/// an argument has become one rule for each comparison.
struct Profile {
  bool loads_none = false;  ///< a config.json without the section: every call is permitted
  std::uint32_t default_word = 0;
  std::vector<ProfileRule> rules;  ///< in the profile's order
  std::vector<linux::Arch> archs;  ///< that the filter is for: the machine's own, then those listed
  /// runc answers ENOSYS above this number of an architecture that is listed; x86_64's says nothing about x32's range.
  std::map<linux::Arch, std::uint32_t> enosys_above;
};

/// A `seccomp` object of the OCI runtime specification (config-linux.md), as runc 1.1 with libseccomp 2.5.4 reads it.
/// `at` is the JSON pointer of the object, for messages. Refused where a runtime refuses it, or where what it would do
/// is not known for sure. `machine` is the architecture of the kernel that it is loaded on, which libseccomp adds to
/// those listed.
std::variant<Profile, Rejected> read_profile(std::string_view json, std::string_view at, const model::Target& target,
                                             linux::Arch machine);

/// What the filter that libseccomp makes of it answers, runc's prefix included.
std::variant<model::FilterGraph, Rejected> profile_graph(const Profile& profile);

}  // namespace agp::backends::seccomp
