#include "compiler/verify/filter_terms.hpp"

#include <fmt/format.h>

#include <vector>

#include "compiler/verify/expression_terms.hpp"

// Comes in: a decision graph. Goes out: four formulas, each true for exactly the calls that the graph leads to such a
// leaf. Division by zero ends a program with 0 (SECCOMP_RET_KILL_THREAD); a decoder puts a test in front, and a graph
// without one is taken to end there too.
namespace agp::verify {
namespace {

using Graph = model::FilterGraph;
using Kind = Graph::Node::Kind;
using solver::Term;

class Translator {
 public:
  Translator(const Graph& graph, solver::Terms& terms, const CallVariables& variables,
             std::optional<std::uint32_t> number, std::optional<std::uint32_t> arch)
      : graph_(graph), terms_(terms), expressions_(graph, terms, variables, number, arch), nodes_(graph.nodes.size()) {}

  FilterOnCall run() {
    std::vector<std::uint32_t> open{graph_.root};
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      if (nodes_[at]) {
        open.pop_back();
        continue;
      }
      const auto& n = graph_.nodes[at];
      const Term lhs = expressions_.value(n.lhs);
      if (n.kind == Kind::Leaf) {
        nodes_[at] = stopped(leaf_terms(terms_, lhs), expressions_.stops(n.lhs));
        continue;
      }
      const Term rhs = expressions_.value(n.rhs);
      const Term condition = test_term(terms_, n.kind, lhs, rhs);
      const bool need_yes = !terms_.is_false(condition) && !nodes_[n.yes],
                 need_no = !terms_.is_true(condition) && !nodes_[n.no];
      if (need_yes) open.push_back(n.yes);
      if (need_no) open.push_back(n.no);
      if (need_yes || need_no) continue;
      const FilterOnCall result = terms_.is_true(condition)    ? *nodes_[n.yes]
                                  : terms_.is_false(condition) ? *nodes_[n.no]
                                                               : choose(condition, *nodes_[n.yes], *nodes_[n.no]);
      nodes_[at] = stopped(result, terms_.either(expressions_.stops(n.lhs), expressions_.stops(n.rhs)));
    }
    return *nodes_[graph_.root];
  }

 private:
  FilterOnCall choose(Term c, const FilterOnCall& yes, const FilterOnCall& no) {
    return {terms_.choose(c, yes.runs, no.runs), terms_.choose(c, yes.permitted, no.permitted),
            terms_.choose(c, yes.enosys, no.enosys), terms_.choose(c, yes.logged, no.logged)};
  }
  /// A division by zero on the way kills.
  FilterOnCall stopped(const FilterOnCall& f, Term stop) {
    const Term on = terms_.negate(stop);
    return {terms_.both(on, f.runs), terms_.both(on, f.permitted), terms_.both(on, f.enosys),
            terms_.both(on, f.logged)};
  }

  const Graph& graph_;
  solver::Terms& terms_;
  ExpressionTerms expressions_;
  std::vector<std::optional<FilterOnCall>> nodes_;
};

}  // namespace

Reaction reaction(std::uint32_t word) {
  switch (word & 0xffff0000) {
    case 0x7fff0000:
    case 0x7ffc0000:
      return Reaction::Runs;
    case 0x7ff00000:
    case 0x7fc00000:
      return Reaction::Supervised;
    case 0x00050000:
      return Reaction::Errno;
    case 0x00030000:
      return Reaction::Trap;
    default:
      return Reaction::Kill;
  }
}

std::string reaction_text(std::uint32_t word) {
  switch (reaction(word)) {
    case Reaction::Runs:
      return (word & 0xffff0000) == 0x7ffc0000 ? "permitted and logged" : "permitted";
    case Reaction::Supervised:
      return "left to a supervisor, which may permit it";
    case Reaction::Trap:
      return "SIGSYS";
    case Reaction::Kill:
      return "killed";
    case Reaction::Errno:
      break;
  }
  const auto name = linux::errno_name(static_cast<int>(word & 0xffff));
  return name ? std::string(*name) : fmt::format("errno {}", word & 0xffff);
}

FilterOnCall filter_terms(const model::FilterGraph& graph, solver::Terms& terms, const CallVariables& variables,
                          std::optional<std::uint32_t> number, std::optional<std::uint32_t> arch) {
  return Translator(graph, terms, variables, number, arch).run();
}

}  // namespace agp::verify
