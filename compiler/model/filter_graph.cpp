#include "compiler/model/filter_graph.hpp"

// Concrete evaluation of a filter graph: only the expressions that the path needs, each once.
namespace agp::model {
namespace {

using Op = FilterGraph::Expr::Op;

class Evaluator {
 public:
  Evaluator(const FilterGraph& graph, const std::uint32_t (&words)[16])
      : graph_(graph), words_(words), value_(graph.exprs.size()), done_(graph.exprs.size()) {}

  /// A division by zero on the way sets `stopped`.
  std::uint32_t value(std::uint32_t root) {
    // An explicit stack: an expression may be as deep as the program is long.
    stack_.push_back(root);
    while (!stack_.empty()) {
      const std::uint32_t at = stack_.back();
      const auto& e = graph_.exprs[at];
      if (done_[at]) {
        stack_.pop_back();
      } else if (e.op == Op::Const || e.op == Op::Load) {
        finish(at, e.op == Op::Const ? e.value : words_[e.value / 4 % 16]);
      } else if (!done_[e.a]) {
        stack_.push_back(e.a);
      } else if (e.op == Op::Neg) {
        finish(at, 0u - value_[e.a]);
      } else if (!done_[e.b]) {
        stack_.push_back(e.b);
      } else {
        finish(at, apply(e.op, value_[e.a], value_[e.b]));
      }
    }
    return value_[root];
  }
  bool stopped() const { return stopped_; }

 private:
  void finish(std::uint32_t at, std::uint32_t v) {
    value_[at] = v;
    done_[at] = true;
    stack_.pop_back();
  }
  std::uint32_t apply(Op op, std::uint32_t a, std::uint32_t b) {
    switch (op) {
      case Op::Add:
        return a + b;
      case Op::Sub:
        return a - b;
      case Op::Mul:
        return a * b;
      case Op::And:
        return a & b;
      case Op::Or:
        return a | b;
      case Op::Xor:
        return a ^ b;
      // The kernel's interpreter takes the low five bits of a shift count (kernel/bpf/core.c, SHT; x86 does the same).
      case Op::Lsh:
        return a << (b & 31);
      case Op::Rsh:
        return a >> (b & 31);
      case Op::Div:
      case Op::Mod:
        if (b == 0) {
          stopped_ = true;
          return 0;
        }
        return op == Op::Div ? a / b : a % b;
      case Op::Const:
      case Op::Load:
      case Op::Neg:
        break;
    }
    return 0;
  }

  const FilterGraph& graph_;
  const std::uint32_t (&words_)[16];
  std::vector<std::uint32_t> value_;
  std::vector<bool> done_;
  std::vector<std::uint32_t> stack_;
  bool stopped_ = false;
};

}  // namespace

Evaluated evaluate_at(const FilterGraph& graph, const std::uint32_t (&words)[16]) {
  using Kind = FilterGraph::Node::Kind;
  Evaluator values(graph, words);
  for (std::uint32_t at = graph.root;;) {
    const auto& node = graph.nodes[at];
    const std::uint32_t lhs = values.value(node.lhs);
    const std::uint32_t rhs = node.kind == Kind::Leaf ? 0 : values.value(node.rhs);
    if (values.stopped()) return {0, at};
    switch (node.kind) {
      case Kind::Leaf:
        return {lhs, at};
      case Kind::Eq:
        at = lhs == rhs ? node.yes : node.no;
        break;
      case Kind::Gt:
        at = lhs > rhs ? node.yes : node.no;
        break;
      case Kind::Ge:
        at = lhs >= rhs ? node.yes : node.no;
        break;
      case Kind::Set:
        at = (lhs & rhs) != 0 ? node.yes : node.no;
        break;
    }
  }
}

std::uint32_t evaluate(const FilterGraph& graph, const std::uint32_t (&words)[16]) {
  return evaluate_at(graph, words).word;
}

}  // namespace agp::model
