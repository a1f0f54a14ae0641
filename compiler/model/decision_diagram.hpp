#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace agp::model {

/// Boolean functions of numbered bits as reduced ordered decision diagrams: two functions are equal exactly when their
/// references are. Bits are asked in ascending order of their number. Nothing is ever freed: one instance lives as long
/// as one question. Past `limit` nodes (24 bytes each with its index) every operation answers `no` and `exhausted()`
/// says so: whoever concludes from a `no` asks that first.
class DecisionDiagrams {
 public:
  using Ref = std::uint32_t;
  static constexpr Ref no = 0, yes = 1;
  struct Node {
    std::uint32_t bit;
    Ref low, high;  ///< what holds while the bit is 0, 1
  };

  explicit DecisionDiagrams(std::size_t limit = 12'000'000);

  Ref bit(std::uint32_t number) { return make(number, no, yes); }
  /// `bit` must be below every bit that the two functions ask.
  Ref make(std::uint32_t bit, Ref low, Ref high);
  Ref both(Ref a, Ref b) { return apply(Op::And, a, b); }
  Ref either(Ref a, Ref b) { return apply(Op::Or, a, b); }
  Ref minus(Ref a, Ref b) { return apply(Op::Minus, a, b); }  ///< a and not b
  Ref negate(Ref a) { return minus(yes, a); }
  Ref choose(Ref condition, Ref then, Ref otherwise);
  /// The disjunction of many functions, joined as a tree: n small disjoint ones take O(n log n) steps.
  Ref any(std::vector<Ref> many);
  /// The function with one bit fixed.
  Ref fix(Ref a, std::uint32_t bit, bool value);

  static bool leaf(Ref r) { return r <= yes; }
  const Node& node(Ref r) const { return nodes_[r]; }  ///< `r` is no leaf
  std::size_t size() const { return nodes_.size(); }
  bool exhausted() const { return exhausted_; }

 private:
  enum class Op : std::uint32_t { And, Or, Minus };
  struct Known {
    std::uint32_t op = ~0u;
    Ref a = 0, b = 0, result = 0;
  };
  Ref apply(Op op, Ref a, Ref b);
  void grow();

  std::size_t limit_;
  bool exhausted_ = false;
  std::vector<Node> nodes_;
  std::vector<Ref> unique_;  ///< open addressing; 0: free
  std::vector<Known> known_;
};

}  // namespace agp::model
