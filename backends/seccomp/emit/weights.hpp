#pragma once
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "backends/seccomp/emit/names.hpp"
#include "compiler/model/target.hpp"

namespace agp::backends::seccomp {

/// How often a call is expected, for the order of tests; never what is permitted.
class Weights {
 public:
  /// The target's counts, which must outlive it, else the built-in table.
  explicit Weights(const model::Target& target);
  /// At most 2^31. `refused`: the filter answers every use of it with an error; only calls that were counted weigh
  /// then. Any other call weighs a little at least.
  std::uint64_t of(std::string_view call, bool refused) const;
  /// Of a call in a table that next to nothing uses.
  std::uint64_t rare(bool refused) const { return refused ? 0 : smoothing_ / 32; }
  /// What a call that depends on its arguments weighs for the order: more, for the kernel can't keep its answer as it
  /// keeps a constant allow (since 5.11).
  static constexpr std::uint64_t uncached(std::uint64_t weight) { return weight * 9 / 4; }
  /// The other way round.
  static constexpr std::uint64_t once(std::uint64_t uncached) { return uncached * 4 / 9; }

 private:
  std::unordered_map<std::string_view, std::uint64_t, NameHash> counts_;
  std::uint64_t factor_ = 1, smoothing_ = 1;
};

}  // namespace agp::backends::seccomp
