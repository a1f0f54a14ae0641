#include "compiler/verify/filter_terms.hpp"

#include <vector>

#include <fmt/format.h>

// Comes in: a decision graph. Goes out: three formulas, each true for exactly the calls that the graph leads to such a
// leaf. Division by zero ends a program with 0 (SECCOMP_RET_KILL_THREAD); a decoder puts a test in front, and a graph
// without one is taken to end there too.
namespace agp::verify {
namespace {

using Graph = model::FilterGraph;
using Kind = Graph::Node::Kind;
using GraphOp = Graph::Expr::Op;
using solver::Op;
using solver::Term;

class Translator {
 public:
  Translator(const Graph& graph, solver::Terms& terms, const CallVariables& variables, std::optional<std::uint32_t> number,
             std::optional<std::uint32_t> arch)
      : graph_(graph), terms_(terms), variables_(variables), number_(number), arch_(arch),
        expressions_(graph.exprs.size()), stops_(graph.exprs.size()), nodes_(graph.nodes.size()) {}

  FilterOnCall run() {
    std::vector<std::uint32_t> open{graph_.root};
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      if (nodes_[at]) {
        open.pop_back();
        continue;
      }
      const auto& n = graph_.nodes[at];
      const Term lhs = value(n.lhs);
      if (n.kind == Kind::Leaf) {
        nodes_[at] = stopped(leaf(lhs), *stops_[n.lhs]);
        continue;
      }
      const Term rhs = value(n.rhs);
      const Term condition = test(n.kind, lhs, rhs);
      const bool need_yes = !terms_.is_false(condition) && !nodes_[n.yes], need_no = !terms_.is_true(condition) && !nodes_[n.no];
      if (need_yes) open.push_back(n.yes);
      if (need_no) open.push_back(n.no);
      if (need_yes || need_no) continue;
      const FilterOnCall result = terms_.is_true(condition)    ? *nodes_[n.yes]
                                  : terms_.is_false(condition) ? *nodes_[n.no]
                                                               : choose(condition, *nodes_[n.yes], *nodes_[n.no]);
      nodes_[at] = stopped(result, terms_.either(*stops_[n.lhs], *stops_[n.rhs]));
    }
    return *nodes_[graph_.root];
  }

 private:
  FilterOnCall choose(Term c, const FilterOnCall& yes, const FilterOnCall& no) {
    return {terms_.choose(c, yes.runs, no.runs), terms_.choose(c, yes.permitted, no.permitted), terms_.choose(c, yes.enosys, no.enosys)};
  }
  /// A division by zero on the way kills.
  FilterOnCall stopped(const FilterOnCall& f, Term stop) {
    const Term on = terms_.negate(stop);
    return {terms_.both(on, f.runs), terms_.both(on, f.permitted), terms_.both(on, f.enosys)};
  }

  FilterOnCall leaf(Term word) {
    const Term action = terms_.extract(word, 16, 16), data = terms_.extract(word, 0, 16);
    const auto is = [&](std::uint64_t v) { return terms_.equal(action, terms_.constant(16, v)); };
    const Term runs = terms_.either(is(0x7fff), is(0x7ffc));
    return {runs, terms_.either(runs, terms_.either(is(0x7fc0), is(0x7ff0))),
            terms_.both(is(0x0005), terms_.equal(data, terms_.constant(16, 38)))};
  }

  Term test(Kind kind, Term lhs, Term rhs) {
    switch (kind) {
      case Kind::Eq: return terms_.equal(lhs, rhs);
      case Kind::Gt: return terms_.less(rhs, lhs);
      case Kind::Ge: return terms_.less_equal(rhs, lhs);
      default: return terms_.negate(terms_.equal(terms_.binary(Op::BvAnd, lhs, rhs), terms_.constant(32, 0)));
    }
  }

  Term load(std::uint32_t offset) {
    if (offset == 0) return number_ ? terms_.constant(32, *number_) : variables_.number;
    if (offset == 4) return arch_ ? terms_.constant(32, *arch_) : variables_.arch;
    const Term whole = offset < 16 ? variables_.instruction_pointer : variables_.arguments[(offset - 16) / 8];
    return terms_.extract(whole, offset % 8 == 0 ? 0 : 32, 32);
  }

  /// Operands stand before what uses them: an upward sweep over the few that are needed.
  Term value(std::uint32_t root) {
    std::vector<std::uint32_t> open{root};
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      const auto& e = graph_.exprs[at];
      const bool leaf = e.op == GraphOp::Const || e.op == GraphOp::Load, one = e.op == GraphOp::Neg;
      if (expressions_[at]) {
        open.pop_back();
      } else if (!leaf && !expressions_[e.a]) {
        open.push_back(e.a);
      } else if (!leaf && !one && !expressions_[e.b]) {
        open.push_back(e.b);
      } else {
        compute(at, e, leaf, one);
        open.pop_back();
      }
    }
    return *expressions_[root];
  }

  void compute(std::uint32_t at, const Graph::Expr& e, bool leaf, bool one) {
    Term stop = terms_.boolean(false);
    if (leaf) {
      expressions_[at] = e.op == GraphOp::Const ? terms_.constant(32, e.value) : load(e.value);
    } else if (one) {
      stop = *stops_[e.a];
      expressions_[at] = terms_.minus(*expressions_[e.a]);
    } else {
      stop = terms_.either(*stops_[e.a], *stops_[e.b]);
      if (e.op == GraphOp::Div || e.op == GraphOp::Mod)
        stop = terms_.either(stop, terms_.equal(*expressions_[e.b], terms_.constant(32, 0)));
      expressions_[at] = arithmetic(e.op, *expressions_[e.a], *expressions_[e.b]);
    }
    stops_[at] = stop;
  }

  Term arithmetic(GraphOp op, Term a, Term b) {
    const auto low_five = [&] { return terms_.binary(Op::BvAnd, b, terms_.constant(32, 31)); };
    switch (op) {
      case GraphOp::Add: return terms_.binary(Op::Add, a, b);
      case GraphOp::Sub: return terms_.binary(Op::Sub, a, b);
      case GraphOp::Mul: return terms_.binary(Op::Mul, a, b);
      case GraphOp::Div: return terms_.binary(Op::Udiv, a, b);
      case GraphOp::Mod: return terms_.binary(Op::Urem, a, b);
      case GraphOp::And: return terms_.binary(Op::BvAnd, a, b);
      case GraphOp::Or: return terms_.binary(Op::BvOr, a, b);
      case GraphOp::Xor: return terms_.binary(Op::BvXor, a, b);
      case GraphOp::Lsh: return terms_.binary(Op::Shl, a, low_five());
      default: return terms_.binary(Op::Lshr, a, low_five());
    }
  }

  const Graph& graph_;
  solver::Terms& terms_;
  const CallVariables& variables_;
  std::optional<std::uint32_t> number_, arch_;
  std::vector<std::optional<Term>> expressions_, stops_;
  std::vector<std::optional<FilterOnCall>> nodes_;
};

}  // namespace

Reaction reaction(std::uint32_t word) {
  switch (word & 0xffff0000) {
    case 0x7fff0000: case 0x7ffc0000: return Reaction::Runs;
    case 0x7ff00000: case 0x7fc00000: return Reaction::Supervised;
    case 0x00050000: return Reaction::Errno;
    case 0x00030000: return Reaction::Trap;
    default: return Reaction::Kill;
  }
}

std::string reaction_text(std::uint32_t word) {
  switch (reaction(word)) {
    case Reaction::Runs: return (word & 0xffff0000) == 0x7ffc0000 ? "permitted and logged" : "permitted";
    case Reaction::Supervised: return "left to a supervisor, which may permit it";
    case Reaction::Trap: return "SIGSYS";
    case Reaction::Kill: return "killed";
    case Reaction::Errno: break;
  }
  const auto name = linux::errno_name(static_cast<int>(word & 0xffff));
  return name ? std::string(*name) : fmt::format("errno {}", word & 0xffff);
}

FilterOnCall filter_terms(const model::FilterGraph& graph, solver::Terms& terms, const CallVariables& variables,
                          std::optional<std::uint32_t> number, std::optional<std::uint32_t> arch) {
  return Translator(graph, terms, variables, number, arch).run();
}

}  // namespace agp::verify
