#include "backends/seccomp/emit/cubes.hpp"

#include <algorithm>
#include <bit>

namespace agp::backends::seccomp {
namespace {

/// The bits of `compressed`, in order, at the places of `mask`.
std::uint32_t deposit(std::uint32_t compressed, std::uint32_t mask) {
  std::uint32_t out = 0;
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    if ((compressed & 1) != 0) out |= rest & (~rest + 1);
    compressed >>= 1;
  }
  return out;
}

/// How many values that the masked word can have are below `v`, for a possible `v` or any bound between two of them.
std::uint64_t rank(std::uint64_t v, std::uint32_t mask) {
  // Counts possible values < v from the top bit down.
  std::uint64_t below = 0;
  int left = std::popcount(mask);
  if (v > 0xffffffff) return std::uint64_t{1} << left;
  for (int bit = 31; bit >= 0; --bit) {
    const bool in_mask = (mask >> bit & 1) != 0, set = (v >> bit & 1) != 0;
    if (in_mask) --left;
    if (!set) continue;
    if (!in_mask) return below + (std::uint64_t{1} << left);  // every value with this prefix is smaller
    below += std::uint64_t{1} << left;
  }
  return below;
}

struct Block {
  std::uint32_t mask, value;
};

/// The values of `word & mask` in [first, last] as blocks `word & m == v`: aligned powers of two over the possible
/// values in their order.
std::vector<Block> blocks(std::uint32_t first, std::uint32_t last, std::uint32_t mask) {
  std::vector<Block> out;
  const int bits = std::popcount(mask);
  std::uint64_t at = rank(first, mask);
  const std::uint64_t end = rank(std::uint64_t{last} + 1, mask);
  while (at < end) {
    int size = at == 0 ? bits : std::min(bits, std::countr_zero(at));
    while (at + (std::uint64_t{1} << size) > end) --size;
    const auto fixed = static_cast<std::uint32_t>(~((std::uint64_t{1} << size) - 1));
    out.push_back({deposit(fixed, mask), deposit(static_cast<std::uint32_t>(at), mask)});
    at += std::uint64_t{1} << size;
  }
  return out;
}

class Collector {
 public:
  Collector(const Diagram& diagram, std::uint32_t default_word, std::size_t limit)
      : diagram_(diagram), default_(default_word), limit_(limit) {}

  std::optional<std::vector<Cube>> run(Diagram::Ref root) {
    walk(root, {});
    if (too_many_) return std::nullopt;
    return std::move(out_);
  }

 private:
  void walk(Diagram::Ref at, const Cube& so_far) {
    if (too_many_) return;
    if (Diagram::is_leaf(at)) {
      if (Diagram::word(at) == default_) return;
      out_.push_back(so_far);
      out_.back().word = Diagram::word(at);
      too_many_ = out_.size() > limit_;
      return;
    }
    const auto& node = diagram_.node(at);
    std::uint64_t first = 0;
    for (const auto& edge : node.edges) {
      if (edge.to != Diagram::leaf(default_))
        for (const Block& b : blocks(static_cast<std::uint32_t>(first), edge.last, node.view.mask)) {
          Cube next = so_far;
          if (narrow(next, node.view, b)) walk(edge.to, next);
        }
      first = std::uint64_t{edge.last} + 1;
    }
  }

  /// Two masks on one word may ask for different values of a common bit: then no call is on this path.
  static bool narrow(Cube& cube, const View& view, const Block& block) {
    const int shift = view.low ? 0 : 32;
    const std::uint64_t mask = std::uint64_t{block.mask} << shift, value = std::uint64_t{block.value} << shift;
    std::uint64_t &m = cube.mask[view.argument], &v = cube.value[view.argument];
    if (((v ^ value) & m & mask) != 0) return false;
    m |= mask;
    v |= value;
    return true;
  }

  const Diagram& diagram_;
  std::uint32_t default_;
  std::size_t limit_;
  std::vector<Cube> out_;
  bool too_many_ = false;
};

}  // namespace

std::optional<std::vector<Cube>> cubes(const Diagram& diagram, Diagram::Ref root, std::uint32_t default_word,
                                       std::size_t limit) {
  return Collector(diagram, default_word, limit).run(root);
}

}  // namespace agp::backends::seccomp
