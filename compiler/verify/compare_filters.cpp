#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "compiler/linux/syscalls.hpp"
#include "compiler/model/filter_graph.hpp"
#include "compiler/verify/compare.hpp"
#include "compiler/verify/expression_terms.hpp"
#include "compiler/verify/facts.hpp"
#include "compiler/verify/witness.hpp"

// Comes in: two decision graphs. Goes out: three statements. A refutation counts only if both graphs, evaluated on its
// witness, give the difference.
namespace agp::verify {
namespace {

using Graph = model::FilterGraph;
using Kind = Graph::Node::Kind;
using GraphOp = Graph::Expr::Op;
using solver::Term;

/// The words that seccomp_data.arch can have on a machine (include/uapi/linux/audit.h; arch/*/include/asm/syscall.h).
std::vector<std::uint32_t> audit_words(linux::Arch machine) {
  constexpr std::uint32_t arm = 0x40000028, riscv32 = 0x400000f3;
  switch (machine) {
    case linux::Arch::aarch64:
      return {linux::audit_arch(machine), arm};
    case linux::Arch::riscv64:
      return {linux::audit_arch(machine), riscv32};
    default:
      return {linux::audit_arch(linux::Arch::x86_64), linux::audit_arch(linux::Arch::i386)};
  }
}

/// How much an answer permits.
int permits(std::uint32_t word) {
  const Reaction r = reaction(word);
  return r == Reaction::Runs ? 2 : r == Reaction::Supervised ? 1 : 0;
}
/// The answer without what the kernel does not look at: data of an allow, an errno above MAX_ERRNO.
std::uint32_t plain(std::uint32_t word) {
  constexpr std::uint32_t action = 0xffff0000, most_errno = 4095;
  switch (reaction(word)) {
    case Reaction::Runs:
      return word & action;
    case Reaction::Errno:
      return (word & action) | std::min(word & 0xffff, most_errno);
    case Reaction::Kill:
      return (word & action) == 0 ? 0 : 0x80000000;
    default:
      return word;
  }
}

/// A test of one graph on a word or some of its bits against a constant.
struct MaskedTest {
  std::size_t word;
  std::uint32_t mask, value;
};
std::optional<MaskedTest> masked_test(const Graph& g, const Graph::Node& n) {
  const auto constant = [&](std::uint32_t e) { return g.exprs[e].op == GraphOp::Const; };
  if (n.kind == Kind::Leaf || !constant(n.rhs)) return std::nullopt;
  const auto& lhs = g.exprs[n.lhs];
  if (lhs.op == GraphOp::Load) return MaskedTest{lhs.value / 4, 0xffffffff, g.exprs[n.rhs].value};
  if (lhs.op == GraphOp::And && g.exprs[lhs.a].op == GraphOp::Load && constant(lhs.b))
    return MaskedTest{g.exprs[lhs.a].value / 4, g.exprs[lhs.b].value, g.exprs[n.rhs].value};
  return std::nullopt;
}

/// Numbers at which some test on the number may change its outcome. False: a test is not of a form that has few.
bool breakpoints(const Graph& g, std::set<std::uint32_t>& out) {
  const auto looks = [&](std::uint32_t e) {
    std::vector<std::uint32_t> open{e};
    while (!open.empty()) {
      const auto& x = g.exprs[open.back()];
      open.pop_back();
      if (x.op == GraphOp::Load && x.value == 0) return true;
      if (x.op == GraphOp::Load || x.op == GraphOp::Const) continue;
      open.push_back(x.a);
      if (x.op != GraphOp::Neg) open.push_back(x.b);
    }
    return false;
  };
  const auto high_bits = [&](std::uint32_t mask) {  // only bits 30 and 31 (x32): four ranges
    if ((mask & 0x3fffffff) != 0) return false;
    for (std::uint32_t i = 0; i < 4; ++i) out.insert(i << 30);
    return true;
  };
  for (const Graph::Node& n : g.nodes) {
    const auto test = masked_test(g, n);
    if (test && test->word != 0) continue;
    if (!test) {
      if (looks(n.lhs) || (n.kind != Kind::Leaf && looks(n.rhs))) return false;
      continue;
    }
    if (test->mask != 0xffffffff) {
      if (!high_bits(test->mask)) return false;
    } else if (n.kind == Kind::Set) {
      if (!high_bits(test->value)) return false;
    } else {
      out.insert(test->value);
      if (test->value != 0xffffffff) out.insert(test->value + 1);
    }
  }
  return true;
}

class FilterComparison {
 public:
  FilterComparison(const Graph& first, const Graph& second, linux::Arch machine, const solver::Limits& limits)
      : graphs_{&first, &second}, machine_(machine), limits_(limits), variables_(call_variables(terms_)) {}

  std::vector<Comparison> run() {
    std::set<std::uint32_t> numbers{0};
    if (graphs_[0]->nodes.empty() || graphs_[1]->nodes.empty())
      all_unknown("a filter's registers take more distinct states than the limit");
    else if (!breakpoints(*graphs_[0], numbers) || !breakpoints(*graphs_[1], numbers))
      for (const std::uint32_t arch : audit_words(machine_)) walk(std::nullopt, arch);
    else
      for (const std::uint32_t arch : audit_words(machine_))
        for (const std::uint32_t number : numbers) walk(number, arch);
    return {comparison(Relation::Within, "every system call that the first permits, the second permits"),
            comparison(Relation::Covers, "every system call that the second permits, the first permits"),
            comparison(Relation::Answers, "what both treat alike they answer alike")};
  }

 private:
  struct Finding {
    std::optional<Difference> refuted;
    std::string unknown;
  };
  struct Open {
    std::array<std::uint32_t, 2> node;
    Facts facts;
    Term condition;
  };
  static constexpr std::size_t path_limit = 500'000;

  void all_unknown(const std::string& why) {
    for (Finding& f : findings_)
      if (f.unknown.empty()) f.unknown = why;
  }
  Finding& finding(Relation r) { return findings_[static_cast<std::size_t>(r)]; }

  Comparison comparison(Relation relation, std::string statement) {
    const Finding& f = finding(relation);
    const auto verdict = [&]() -> solver::Verdict<Difference> {
      if (f.refuted) return solver::Refuted<Difference>{*f.refuted};
      if (!f.unknown.empty()) return solver::Unknown{f.unknown};
      return solver::Proved{session_ ? session_->version() : "evaluation"};
    };
    return {"seccomp", std::string(linux::to_string(machine_)), relation, std::move(statement), verdict()};
  }

  /// Both graphs for one number, or for all of them, along every pair of paths that the facts do not rule out.
  void walk(std::optional<std::uint32_t> number, std::uint32_t arch) {
    std::array<ExpressionTerms, 2> expressions{ExpressionTerms(*graphs_[0], terms_, variables_, number, arch),
                                               ExpressionTerms(*graphs_[1], terms_, variables_, number, arch)};
    Open start{{graphs_[0]->root, graphs_[1]->root}, {}, terms_.boolean(true)};
    if (number) start.facts[0].learn(Kind::Eq, 0xffffffff, *number, true);
    start.facts[1].learn(Kind::Eq, 0xffffffff, arch, true);
    std::vector<Open> open{std::move(start)};
    while (!open.empty()) {
      if (++visited_ > path_limit) return all_unknown("the filters have more pairs of paths than the limit");
      Open at = std::move(open.back());
      open.pop_back();
      const auto& a = graphs_[0]->nodes[at.node[0]];
      const auto& b = graphs_[1]->nodes[at.node[1]];
      if (a.kind == Kind::Leaf && b.kind == Kind::Leaf)
        ends(at, {expressions[0].value(a.lhs), expressions[1].value(b.lhs)}, number, arch);
      else
        step(std::move(at), a.kind == Kind::Leaf ? 1 : 0, expressions, open);
    }
  }

  void step(Open at, std::size_t side, std::array<ExpressionTerms, 2>& expressions, std::vector<Open>& open) {
    const Graph& graph = *graphs_[side];
    const Graph::Node& n = graph.nodes[at.node[side]];
    const Term lhs = expressions[side].value(n.lhs), rhs = expressions[side].value(n.rhs);
    // A division by zero ends the program; decoders test for it first, so that no path goes on.
    const Term stop = terms_.either(expressions[side].stops(n.lhs), expressions[side].stops(n.rhs));
    if (!terms_.is_false(stop)) return all_unknown("a division without a test before it");
    const Term condition = test_term(terms_, n.kind, lhs, rhs);
    const auto test = masked_test(graph, n);
    const auto decided = test ? at.facts[test->word].decide(n.kind, test->mask, test->value) : std::nullopt;
    for (const bool outcome : {true, false}) {
      if (decided && *decided != outcome) continue;
      const Term taken =
          decided ? at.condition : terms_.both(at.condition, outcome ? condition : terms_.negate(condition));
      if (terms_.is_false(taken)) continue;
      Open next{at.node, at.facts, taken};
      next.node[side] = outcome ? n.yes : n.no;
      if (test && !decided) next.facts[test->word].learn(n.kind, test->mask, test->value, outcome);
      if (test && next.facts[test->word].empty()) continue;
      open.push_back(std::move(next));
    }
  }

  /// A pair of ends: what may differ there is asked for.
  void ends(const Open& at, std::array<Term, 2> words, std::optional<std::uint32_t> number, std::uint32_t arch) {
    const auto &a = terms_.node(words[0]), &b = terms_.node(words[1]);
    if (a.op != solver::Op::Const || b.op != solver::Op::Const)
      return ask(at.condition, number, arch, terms_.negate(terms_.equal(words[0], words[1])));
    const auto first = plain(static_cast<std::uint32_t>(a.value)), second = plain(static_cast<std::uint32_t>(b.value));
    if (first == second || known(first, second)) return;
    ask(at.condition, number, arch, terms_.boolean(true));
  }

  static Relation relation(std::uint32_t first, std::uint32_t second) {
    return permits(first) > permits(second)   ? Relation::Within
           : permits(first) < permits(second) ? Relation::Covers
                                              : Relation::Answers;
  }
  bool known(std::uint32_t first, std::uint32_t second) { return finding(relation(first, second)).refuted.has_value(); }

  void ask(Term where, std::optional<std::uint32_t> number, std::uint32_t arch, Term differ) {
    CallInput input;
    input.arch = arch;
    if (number) input.number = *number;
    const Term question = terms_.both(where, differ);
    if (terms_.is_false(question)) return;
    if (!terms_.is_true(question)) {
      if (!session_) session_ = std::make_unique<solver::Session>(terms_, limits_);
      const solver::Answer answer = session_->check(question);
      if (std::holds_alternative<solver::Unsat>(answer)) return;
      if (const auto* undecided = std::get_if<solver::Undecided>(&answer)) return all_unknown(undecided->reason);
      read(std::get<solver::Sat>(answer), input, number.has_value());
    }
    confirm(input);
  }

  void read(const solver::Sat& sat, CallInput& input, bool number_fixed) {
    const auto value = [&](Term t) {
      const auto it = sat.values.find(terms_.name(terms_.node(t)));
      return it == sat.values.end() ? std::uint64_t{0} : it->second;
    };
    for (std::size_t i = 0; i < 6; ++i) input.arguments[i] = value(variables_.arguments[i]);
    input.instruction_pointer = value(variables_.instruction_pointer);
    if (!number_fixed) input.number = static_cast<std::uint32_t>(value(variables_.number));
  }

  model::Evaluated run_on(std::size_t side, const CallInput& input) const {
    std::uint32_t words[16] = {input.number, input.arch, static_cast<std::uint32_t>(input.instruction_pointer),
                               static_cast<std::uint32_t>(input.instruction_pointer >> 32)};
    for (std::size_t i = 0; i < 6; ++i) {
      words[4 + 2 * i] = static_cast<std::uint32_t>(input.arguments[i]);
      words[5 + 2 * i] = static_cast<std::uint32_t>(input.arguments[i] >> 32);
    }
    return model::evaluate_at(*graphs_[side], words);
  }

  void confirm(CallInput input) {
    const auto differing = [&](const CallInput& c) -> std::optional<Relation> {
      const auto a = plain(run_on(0, c).word), b = plain(run_on(1, c).word);
      return a == b ? std::nullopt : std::optional(relation(a, b));
    };
    const auto found = differing(input);
    if (!found)
      return all_unknown(
          fmt::format("the solver's witness `{}` shows no difference when it is evaluated: this is a "
                      "bug in agp",
                      call_text(input, linux::ArchSet::all())));
    Finding& f = finding(*found);
    if (f.refuted) return;
    input = smallest(input, [&](const CallInput& c) { return differing(c) == found; });
    const model::Evaluated a = run_on(0, input), b = run_on(1, input);
    f.refuted = Difference{call_text(input, linux::ArchSet::all()), reaction_text(a.word), place(0, a),
                           reaction_text(b.word), place(1, b)};
  }
  std::string place(std::size_t side, const model::Evaluated& e) const {
    const std::uint32_t at = graphs_[side]->nodes[e.node].place;
    return at == Graph::default_place ? "the default action" : fmt::format("{} {}", graphs_[side]->place_name, at);
  }

  std::array<const Graph*, 2> graphs_;
  const linux::Arch machine_;
  const solver::Limits& limits_;
  solver::Terms terms_;
  CallVariables variables_;
  std::unique_ptr<solver::Session> session_;
  std::array<Finding, 3> findings_;
  std::size_t visited_ = 0;
};

}  // namespace

std::vector<Comparison> compare_filters(const Graph& first, const Graph& second, linux::Arch machine,
                                        const solver::Limits& limits) {
  return FilterComparison(first, second, machine, limits).run();
}

}  // namespace agp::verify
