#include "compiler/verify/paths.hpp"

#include <vector>

#include "compiler/verify/expression_terms.hpp"

namespace agp::verify {
namespace {

using Graph = model::FilterGraph;
using Kind = Graph::Node::Kind;
using GraphOp = Graph::Expr::Op;
using solver::Term;

/// A test on a word, or on some bits of it, against a constant: what facts can speak about.
struct WordTest {
  std::size_t word;
  std::uint32_t mask, value;
};

std::optional<WordTest> word_test(const Graph& g, const Graph::Node& n) {
  const auto constant = [&](std::uint32_t e) { return g.exprs[e].op == GraphOp::Const; };
  if (!constant(n.rhs)) return std::nullopt;
  const std::uint32_t value = g.exprs[n.rhs].value;
  const auto& lhs = g.exprs[n.lhs];
  if (lhs.op == GraphOp::Load) return WordTest{lhs.value / 4, 0xffffffff, value};
  if (lhs.op == GraphOp::And && g.exprs[lhs.a].op == GraphOp::Load && constant(lhs.b))
    return WordTest{g.exprs[lhs.a].value / 4, g.exprs[lhs.b].value, value};
  return std::nullopt;
}

}  // namespace

bool each_path(const Graph& graph, solver::Terms& terms, const CallVariables& variables, std::uint32_t number,
               std::uint32_t arch, std::size_t limit, const std::function<void(const FilterPath&)>& each) {
  struct Open {
    std::uint32_t node;
    Facts facts;
    Term condition;
  };
  ExpressionTerms expressions(graph, terms, variables, number, arch);
  Open start{graph.root, {}, terms.boolean(true)};
  start.facts[0].learn(Kind::Eq, 0xffffffff, number, true);
  start.facts[1].learn(Kind::Eq, 0xffffffff, arch, true);
  std::vector<Open> open{start};
  for (std::size_t visited = 0; !open.empty(); ++visited) {
    if (visited > limit) return false;
    Open at = std::move(open.back());
    open.pop_back();
    const Graph::Node& n = graph.nodes[at.node];
    const Term lhs = expressions.value(n.lhs);
    if (n.kind == Kind::Leaf) {
      // A division by zero on the way ends the program; decoders test for it first, so this is no path of theirs.
      const Term on = terms.both(at.condition, terms.negate(expressions.stops(n.lhs)));
      each({at.facts, on, leaf_terms(terms, lhs)});
      continue;
    }
    const Term rhs = expressions.value(n.rhs);
    const Term condition = test_term(terms, n.kind, lhs, rhs);
    const auto word = word_test(graph, n);
    const auto decided = word ? at.facts[word->word].decide(n.kind, word->mask, word->value) : std::nullopt;
    const Term stop = terms.either(expressions.stops(n.lhs), expressions.stops(n.rhs));
    for (const bool outcome : {true, false}) {
      const Term taken =
          terms.both(at.condition, terms.both(terms.negate(stop), outcome ? condition : terms.negate(condition)));
      if ((decided && *decided != outcome) || terms.is_false(taken)) continue;
      Open next{outcome ? n.yes : n.no, at.facts, taken};
      if (word && !decided) next.facts[word->word].learn(n.kind, word->mask, word->value, outcome);
      if (word && next.facts[word->word].empty()) continue;
      open.push_back(std::move(next));
    }
  }
  return true;
}

}  // namespace agp::verify
