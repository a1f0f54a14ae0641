#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "backends/seccomp/emit/diagram.hpp"

namespace agp::backends::seccomp {

/// What an OCI entry can say without repeating an argument: `argument & mask == value` for each of the six, and for one
/// of the others a comparison of its whole 64 bits.
struct Cube {
  enum class Op : std::uint8_t { Ne, Le, Ge };
  struct Bound {
    std::size_t argument = 0;
    Op op = Op::Ne;
    std::uint64_t value = 0;
  };
  std::array<std::uint64_t, 6> mask{}, value{};
  std::uint32_t word = 0;  ///< SECCOMP_RET_* for the calls in it
  std::optional<Bound> bound;
};

/// The diagram's paths as cubes, in the order of the paths. The cubes are disjoint: a range is split into the aligned
/// blocks that cover it. Nothing when there would be more than `limit`.
std::optional<std::vector<Cube>> cubes(const Diagram& diagram, Diagram::Ref root, std::size_t limit);

/// Fewer cubes for the same calls, those of `default_word` left out. Precondition: `all` are disjoint and hold every
/// call. The result's cubes with one word may overlap, those with different words don't. `whole`: an argument may be
/// compared with all of its bits; it is then in no other cube, since libseccomp 2.5.4 compiles such pairs wrongly.
/// Where it would take long the cubes stay as they are.
std::vector<Cube> fewest(const std::vector<Cube>& all, std::uint32_t default_word, bool whole);

}  // namespace agp::backends::seccomp
