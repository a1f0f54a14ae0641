#pragma once
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace agp::backends::seccomp {

/// The order in which a call's words are asked for: a rank for each, by 2 * argument + (low ? 1 : 0). No two are the
/// same.
using WordOrder = std::array<std::uint8_t, 12>;
inline constexpr WordOrder natural_order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

/// What a filter can look at: one 32-bit word of an argument under a mask. Ordered as a filter asks for them.
struct View {
  unsigned rank = 0;  ///< of the word, in the order of the call's words
  unsigned argument = 0;
  bool low = false;
  std::uint32_t mask = 0xffffffff;
  friend auto operator<=>(const View&, const View&) = default;
};

/// Decision diagrams over intervals of views, shared and in normal form: two equal functions of the views are one Ref.
/// A node asks one view and has an edge for each maximal interval of its values with the same continuation; views are
/// asked in their order, each at most once on a path. Leaves carry a word: 0 and 1 for a condition, SECCOMP_RET_* for a
/// decision. So conditions of any number of allow, deny and except patterns combine exactly, without a first match.
class Diagram {
 public:
  using Ref = std::uint64_t;
  struct Edge {
    std::uint32_t last;  ///< inclusive; the first edge starts at 0, the last one ends at the mask
    Ref to;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct Node {
    View view;
    std::vector<Edge> edges;
    friend bool operator==(const Node&, const Node&) = default;
  };

  static constexpr Ref leaf_bit = Ref{1} << 32;
  static constexpr Ref leaf(std::uint32_t word) { return leaf_bit | word; }
  static constexpr bool is_leaf(Ref r) { return (r & leaf_bit) != 0; }
  static constexpr std::uint32_t word(Ref r) { return static_cast<std::uint32_t>(r); }
  static constexpr Ref no = leaf_bit, yes = leaf_bit | 1;

  const Node& node(Ref r) const { return nodes_[r]; }
  /// A node with these edges in normal form, or what it comes to. Precondition: each edge leads to a leaf or to a node
  /// whose view is behind `view`.
  Ref make(const View& view, std::vector<Edge> edges);
  /// `view` lies in [first, last].
  Ref interval(const View& view, std::uint32_t first, std::uint32_t last);
  /// `view` is one of the values: ascending, without duplicates, none with a bit outside the mask.
  Ref member(const View& view, const std::vector<std::uint32_t>& values);
  /// `condition` (leaves 0 and 1) ? then : otherwise.
  Ref choose(Ref condition, Ref then, Ref otherwise) {
    if (condition == yes || then == otherwise) return then;
    if (condition == no) return otherwise;
    if (then == yes && otherwise == no) return condition;
    return choose_by_word(condition, then, otherwise);
  }
  Ref both(Ref a, Ref b) { return choose(a, b, no); }
  Ref either(Ref a, Ref b) { return choose(a, yes, b); }
  Ref negate(Ref a) { return choose(a, no, yes); }

  /// More nodes than `node_limit` were needed: every Ref is meaningless from then on.
  bool exhausted() const { return exhausted_; }
  static constexpr std::size_t node_limit = 200'000;

 private:
  Ref choose_by_word(Ref condition, Ref then, Ref otherwise);

  struct Key {
    Ref a, b, c;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& k) const;
    std::size_t operator()(const Node& n) const;
  };

  std::vector<Node> nodes_;
  std::unordered_map<Node, Ref, Hash> known_;
  std::unordered_map<Key, Ref, Hash> chosen_;
  bool exhausted_ = false;
};

}  // namespace agp::backends::seccomp
