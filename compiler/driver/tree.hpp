#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"
#include "compiler/driver/record.hpp"

/// `check` over many files: in several processes, and from what earlier runs kept.
namespace agp::driver {

/// What a report says about one policy: made where the model is, carried to where the report is.
struct Described {
  std::string text, json;
};
using Describe = std::function<Described(const PolicyReport& policy, const model::Target& target)>;

struct TreeOptions {
  unsigned jobs = 1;                 ///< processes at most
  std::optional<std::string> cache;  ///< --cache: a directory
  Describe describe;
  bool take_baseline = false;  ///< --write-baseline
};

struct TreeReport {
  std::size_t files = 0;
  std::size_t kept = 0;  ///< of them, those that an earlier run had checked
  std::vector<CheckedPolicy> policies;
  std::string baseline;  ///< of `take_baseline`; empty when a file could not be checked
};
/// Findings go to the session's sink, the texts that they are about to its files. Neither depends on `jobs`, on the
/// cache, or on the order in which processes come to an end.
TreeReport check_tree(Session& session, std::span<const std::string> paths, const TreeOptions& options);

}  // namespace agp::driver
