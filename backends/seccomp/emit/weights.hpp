#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "compiler/model/target.hpp"

namespace agp::backends::seccomp {

/// How often a call is expected, for the order of tests; never what is permitted.
class Weights {
 public:
  /// The target's counts, else the built-in table.
  explicit Weights(const model::Target& target);
  /// At most 2^31. `refused`: the filter answers every use of it with an error; only calls that were counted weigh
  /// then. Any other call weighs a little at least.
  std::uint64_t of(std::string_view call, bool refused) const;

 private:
  const std::map<std::string, std::uint64_t>* given_ = nullptr;
  std::uint64_t factor_ = 1, smoothing_ = 1;
  unsigned shift_ = 0;
};

}  // namespace agp::backends::seccomp
