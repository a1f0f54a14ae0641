#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "backends/seccomp/emit/diagram.hpp"
#include "backends/seccomp/emit/two_way.hpp"

namespace agp::backends::seccomp {

/// The tests over the values of a node's word; pieces are its edges. Values have no counts: those that are not refused
/// are expected most, and small ones.
Tree word_tree(const Diagram::Node& node);
/// How often each edge of a node is expected, for that tree.
std::vector<std::uint64_t> edge_weights(const Diagram::Node& node);

/// Which order of a call's words is expected to cost least.
class Ordering {
 public:
  /// `root`: the decision in the natural order.
  Ordering(const Diagram& diagram, Diagram::Ref root);
  /// Each word first, and the natural order reversed; none where there is one word, or so much that it takes long.
  std::vector<WordOrder> candidates() const;
  void offer(Diagram::Ref root);
  Diagram::Ref root() const { return best_; }

 private:
  /// Expected instructions behind a node, in 1/1024.
  std::uint64_t cost(Diagram::Ref r);

  const Diagram& diagram_;
  Diagram::Ref best_;
  std::uint64_t best_cost_ = 0;
  std::vector<unsigned> words_;  ///< tested ones, as indices of a WordOrder
  std::map<Diagram::Ref, std::uint64_t> known_;
};

/// The same decision without tests whose answer earlier ones on the same word imply: after `w & 6 == 6`, `w == 0` is
/// no. Returns `root` where that would take long.
Diagram::Ref without_implied_tests(Diagram& diagram, Diagram::Ref root);

}  // namespace agp::backends::seccomp
