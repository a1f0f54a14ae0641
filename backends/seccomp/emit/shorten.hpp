#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "backends/seccomp/emit/two_way.hpp"

namespace agp::backends::seccomp {

/// Makes parts of a tree anew until no piece of `outcome` has more than `most` tests before it: around each way that is
/// too long, the smallest subtree that becomes short enough when its rare pieces count more. What is asked that late is
/// rare, so the mean hardly moves. Where no part becomes short enough the tree stays as it is.
Tree shortened(Tree tree, std::span<const Piece> pieces, std::uint32_t outcome, std::size_t most);

}  // namespace agp::backends::seccomp
