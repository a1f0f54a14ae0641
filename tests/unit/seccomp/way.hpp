#pragma once
#include <cstdint>

#include "backends/seccomp/emit/two_way.hpp"

namespace agp::test {

/// Where a tree sends a value, and how many instructions it takes to get there. The tests are asked here, without the
/// product's `holds`.
struct Way {
  std::size_t piece = 0, instructions = 0;
};
inline Way way(const backends::seccomp::Tree& tree, std::uint32_t value) {
  using Kind = backends::seccomp::Test::Kind;
  Way out;
  int at = tree.root;
  while (at >= 0) {
    const auto& t = tree.tests[static_cast<std::size_t>(at)];
    bool yes = false;
    switch (t.kind) {
      case Kind::Ge:
        yes = value >= t.k;
        break;
      case Kind::Eq:
        yes = value == t.k;
        break;
      case Kind::Set:
        yes = (value & t.k) != 0;
        break;
      case Kind::Masked:
        yes = (value & t.mask) == t.k;
        ++out.instructions;  // `and` and `jeq`
        break;
    }
    ++out.instructions;
    at = yes ? t.yes : t.no;
  }
  out.piece = static_cast<std::size_t>(~at);
  return out;
}

}  // namespace agp::test
