#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"
#include "compiler/linux/arch.hpp"

/// `agp inspect`: what a filter costs, whoever made it.
namespace agp::driver {

struct InspectedCall {
  std::string name;
  std::uint32_t number = 0;
  std::size_t shortest = 0, longest = 0;  ///< instructions, over every value of the arguments
  bool may_run = false, cacheable = false;
};

struct InspectedArch {
  linux::Arch arch = linux::Arch::x86_64;
  std::vector<InspectedCall> calls;  ///< every call of the table, ascending by number
  std::size_t may_run = 0, cacheable = 0;
  /// Mean instructions of the longest path of each call: over the calls that may run, each once; over all calls by how
  /// often they are made; and the latter with the cached ones costing nothing.
  double uniform = 0, weighted = 0, weighted_cached = 0;
};

/// What one rule of the policy costs, where the manifest beside the filter says which instructions stand for it.
struct InspectedRule {
  std::string id, text;
  std::size_t instructions = 0;
  double weighted =
      0;  ///< instructions of it that a call executes, by how often calls are made (the first architecture)
};

struct InspectReport {
  std::string file;
  std::vector<std::string> listing;              ///< an operation for each instruction
  std::vector<std::vector<std::size_t>> behind;  ///< for each instruction, indices into `rules`
  std::size_t longest = 0;                       ///< of any path through the program, possible or not
  std::vector<InspectedArch> archs;
  std::vector<InspectedRule> rules;  ///< empty where no manifest goes with the file
};

/// `counts`: as --syscall-counts gives them; empty: the built-in table. A file that can't be read, or that the kernel
/// would refuse, is a finding.
std::optional<InspectReport> inspect(Session& session, const std::string& file);

}  // namespace agp::driver
