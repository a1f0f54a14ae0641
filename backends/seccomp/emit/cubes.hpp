#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "backends/seccomp/emit/diagram.hpp"

namespace agp::backends::seccomp {

/// What an OCI entry can say without repeating an argument: `argument & mask == value` for each of the six.
struct Cube {
  std::array<std::uint64_t, 6> mask{}, value{};
  std::uint32_t word = 0;  ///< SECCOMP_RET_* for the calls in it
};

/// The diagram's paths as cubes, in the order of the paths, without those that end in `default_word`. The cubes are
/// disjoint: a range is split into the aligned blocks that cover it. Nothing when there would be more than `limit`.
std::optional<std::vector<Cube>> cubes(const Diagram& diagram, Diagram::Ref root, std::uint32_t default_word,
                                       std::size_t limit);

}  // namespace agp::backends::seccomp
