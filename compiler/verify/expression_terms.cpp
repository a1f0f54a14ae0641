#include "compiler/verify/expression_terms.hpp"

namespace agp::verify {
namespace {

using Kind = model::FilterGraph::Node::Kind;
using GraphOp = model::FilterGraph::Expr::Op;
using solver::Op;
using solver::Term;

}  // namespace

ExpressionTerms::ExpressionTerms(const model::FilterGraph& graph, solver::Terms& terms, const CallVariables& variables,
                                 std::optional<std::uint32_t> number, std::optional<std::uint32_t> arch)
    : graph_(graph),
      terms_(terms),
      variables_(variables),
      number_(number),
      arch_(arch),
      values_(graph.exprs.size()),
      stops_(graph.exprs.size()) {}

Term ExpressionTerms::load(std::uint32_t offset) {
  if (offset == 0) return number_ ? terms_.constant(32, *number_) : variables_.number;
  if (offset == 4) return arch_ ? terms_.constant(32, *arch_) : variables_.arch;
  const Term whole = offset < 16 ? variables_.instruction_pointer : variables_.arguments[(offset - 16) / 8];
  return terms_.extract(whole, offset % 8 == 0 ? 0 : 32, 32);
}

Term ExpressionTerms::value(std::uint32_t root) {
  // Operands stand before what uses them: an upward sweep over the few that are needed.
  std::vector<std::uint32_t> open{root};
  while (!open.empty()) {
    const std::uint32_t at = open.back();
    const auto& e = graph_.exprs[at];
    const bool leaf = e.op == GraphOp::Const || e.op == GraphOp::Load, one = e.op == GraphOp::Neg;
    if (values_[at]) {
      open.pop_back();
    } else if (!leaf && !values_[e.a]) {
      open.push_back(e.a);
    } else if (!leaf && !one && !values_[e.b]) {
      open.push_back(e.b);
    } else {
      compute(at, e, leaf, one);
      open.pop_back();
    }
  }
  return *values_[root];
}

void ExpressionTerms::compute(std::uint32_t at, const model::FilterGraph::Expr& e, bool leaf, bool one) {
  Term stop = terms_.boolean(false);
  if (leaf) {
    values_[at] = e.op == GraphOp::Const ? terms_.constant(32, e.value) : load(e.value);
  } else if (one) {
    stop = *stops_[e.a];
    values_[at] = terms_.minus(*values_[e.a]);
  } else {
    stop = terms_.either(*stops_[e.a], *stops_[e.b]);
    if (e.op == GraphOp::Div || e.op == GraphOp::Mod)
      stop = terms_.either(stop, terms_.equal(*values_[e.b], terms_.constant(32, 0)));
    values_[at] = arithmetic(e.op, *values_[e.a], *values_[e.b]);
  }
  stops_[at] = stop;
}

Term ExpressionTerms::arithmetic(GraphOp op, Term a, Term b) {
  const auto low_five = [&] { return terms_.binary(Op::BvAnd, b, terms_.constant(32, 31)); };
  switch (op) {
    case GraphOp::Add:
      return terms_.binary(Op::Add, a, b);
    case GraphOp::Sub:
      return terms_.binary(Op::Sub, a, b);
    case GraphOp::Mul:
      return terms_.binary(Op::Mul, a, b);
    case GraphOp::Div:
      return terms_.binary(Op::Udiv, a, b);
    case GraphOp::Mod:
      return terms_.binary(Op::Urem, a, b);
    case GraphOp::And:
      return terms_.binary(Op::BvAnd, a, b);
    case GraphOp::Or:
      return terms_.binary(Op::BvOr, a, b);
    case GraphOp::Xor:
      return terms_.binary(Op::BvXor, a, b);
    case GraphOp::Lsh:
      return terms_.binary(Op::Shl, a, low_five());
    default:
      return terms_.binary(Op::Lshr, a, low_five());
  }
}

Term test_term(solver::Terms& terms, Kind kind, Term lhs, Term rhs) {
  switch (kind) {
    case Kind::Eq:
      return terms.equal(lhs, rhs);
    case Kind::Gt:
      return terms.less(rhs, lhs);
    case Kind::Ge:
      return terms.less_equal(rhs, lhs);
    default:
      return terms.negate(terms.equal(terms.binary(Op::BvAnd, lhs, rhs), terms.constant(32, 0)));
  }
}

FilterOnCall leaf_terms(solver::Terms& terms, Term word) {
  const Term action = terms.extract(word, 16, 16), data = terms.extract(word, 0, 16);
  const auto is = [&](std::uint64_t v) { return terms.equal(action, terms.constant(16, v)); };
  const Term logged = is(0x7ffc), runs = terms.either(is(0x7fff), logged);
  return {runs, terms.either(runs, terms.either(is(0x7fc0), is(0x7ff0))),
          terms.both(is(0x0005), terms.equal(data, terms.constant(16, 38))), logged};
}

}  // namespace agp::verify
