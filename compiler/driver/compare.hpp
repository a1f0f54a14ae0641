#pragma once
#include <string>
#include <vector>

#include "compiler/driver/driver.hpp"
#include "compiler/verify/compare.hpp"

/// `agp compare`: two artifacts of one kind, no policy.
namespace agp::driver {

struct CompareReport {
  std::vector<verify::Comparison> comparisons;
};
/// Reads both files, tells their kind by what is in them, decodes both, and compares. `subset`: only whether the first
/// permits no more than the second. A difference is a finding with its witness and both places; what a decoder does not
/// take is undecided.
CompareReport compare(Session& session, const std::string& first, const std::string& second, bool subset);

}  // namespace agp::driver
