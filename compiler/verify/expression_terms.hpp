#pragma once
#include <optional>
#include <vector>

#include "compiler/model/filter_graph.hpp"
#include "compiler/verify/filter_terms.hpp"

namespace agp::verify {

/// The expressions of a filter graph as bit-vectors, each translated once, when it is asked for. With a number or an
/// architecture given, loads of it are that constant.
class ExpressionTerms {
 public:
  ExpressionTerms(const model::FilterGraph& graph, solver::Terms& terms, const CallVariables& variables,
                  std::optional<std::uint32_t> number, std::optional<std::uint32_t> arch);
  solver::Term value(std::uint32_t expression);
  /// When computing it divides by zero, which ends the program with 0. Precondition: value() was asked for.
  solver::Term stops(std::uint32_t expression) const { return *stops_[expression]; }

 private:
  void compute(std::uint32_t at, const model::FilterGraph::Expr& e, bool leaf, bool one);
  solver::Term load(std::uint32_t offset);
  solver::Term arithmetic(model::FilterGraph::Expr::Op op, solver::Term a, solver::Term b);

  const model::FilterGraph& graph_;
  solver::Terms& terms_;
  const CallVariables& variables_;
  std::optional<std::uint32_t> number_, arch_;
  std::vector<std::optional<solver::Term>> values_, stops_;
};

/// `lhs KIND rhs`, and what a return word means.
solver::Term test_term(solver::Terms& terms, model::FilterGraph::Node::Kind kind, solver::Term lhs, solver::Term rhs);
FilterOnCall leaf_terms(solver::Terms& terms, solver::Term word);

}  // namespace agp::verify
