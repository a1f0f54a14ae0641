#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/policy.hpp"
#include "compiler/model/target.hpp"
#include "tests/support/bpf.hpp"

/// The policies and calls of seccomp-bench: `NAME.ls`, a line a fact (`arch A`, `default ERRNO`, `rule ACTION call
/// COUNT (ARG OP VALUE [VALUE2])…`), and `NAME.uni`, `NAME.trace`, weighted calls.
namespace agp::bench {

struct Comparison {
  unsigned argument = 0;
  std::string op;  ///< EQ NE LT LE GT GE MEQ
  std::uint64_t value = 0, second = 0;
};
struct Line {
  bool allow = false;
  int errno_value = 0;
  std::string call;
  std::vector<Comparison> tests;
};
struct Policy {
  std::string name;
  std::vector<std::string> archs;  ///< as the file names them: x86_64, x86, x32
  int default_errno = 1;
  std::vector<Line> lines;
};

struct Call {
  std::uint64_t weight = 0;
  std::uint32_t number = 0, arch = 0;
  std::array<std::uint64_t, 6> arguments{};
};

/// Nothing where the data are not there.
std::optional<Policy> read_policy(const std::string& name);
std::vector<Call> read_calls(const std::string& name, const std::string& kind);  ///< kind: uni, trace

/// A file of counts as `strace -c -U calls,name` writes it.
std::map<std::string, std::uint64_t> read_counts(const std::string& path);

/// The same as agp's model; names that no selected architecture has are left out.
model::Policy as_model(const Policy& policy);
/// A kernel that has every call of the tables.
model::Target newest(const Policy& policy);

}  // namespace agp::bench
