#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/model/filter_graph.hpp"
#include "compiler/model/syscall.hpp"

namespace agp::verify {

/// What the tests on one path of a filter say about one word of seccomp_data: it lies in [least, most], the bits of
/// `known` have the values of `bits`, and it is none of `excluded`. A superset of the values that take the path.
struct WordFacts {
  std::uint32_t least = 0, most = 0xffffffff;
  std::uint32_t known = 0, bits = 0;
  std::vector<std::uint32_t> excluded;

  bool empty() const { return least > most; }
  /// Narrows by `word & mask` KIND `value` being `outcome`. What can't be represented is left out.
  void learn(model::FilterGraph::Node::Kind kind, std::uint32_t mask, std::uint32_t value, bool outcome);
  /// Is `word & mask` KIND `value` for every value that is left, or for none?
  std::optional<bool> decide(model::FilterGraph::Node::Kind kind, std::uint32_t mask, std::uint32_t value) const;

 private:
  void tighten();
};

/// The sixteen words of seccomp_data, by offset / 4.
using Facts = std::array<WordFacts, 16>;

/// model::holds(test, argument, mask) for every argument that agrees with the facts, or for none of them; nothing when
/// they do not decide it.
std::optional<bool> decide(const Facts& facts, const model::ArgTest& test, std::uint64_t mask);

}  // namespace agp::verify
