#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/analysis/conflicts.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/solver/solver.hpp"
#include "tests/support/tier.hpp"
#include "tests/unit/analysis/universe.hpp"

// A sample of the questions about addresses, ports and arguments, decided again by Z3 from the rules as formulas over
// 32, 16 and 64 bits: no cell takes part.
namespace agp {
namespace {

using namespace model;
using solver::Op;
using solver::Term;
using solver::Terms;

struct Question {
  Terms terms;

  Term between(Term x, unsigned width, std::uint64_t first, std::uint64_t last) {
    return terms.both(terms.less_equal(terms.constant(width, first), x),
                      terms.less_equal(x, terms.constant(width, last)));
  }

  Term endpoint(const NetBody& body, const EndpointPattern& e) {
    const Term address = terms.variable("address", 32), port = terms.variable("port", 16);
    const Term protocol = terms.variable("protocol", 2), listens = terms.variable("listens", 0);
    Term any_address = terms.boolean(false), any_port = terms.boolean(false), any_protocol = terms.boolean(false);
    for (const auto& r : e.addresses.ranges())
      any_address = terms.either(any_address, between(address, 32, r.first.v4_bits(), r.last.v4_bits()));
    for (const auto& r : e.ports.ranges()) any_port = terms.either(any_port, between(port, 16, r.first, r.last));
    for (std::uint64_t p = 0; p < 2; ++p)
      if ((body.protocols >> p & 1) != 0)
        any_protocol = terms.either(any_protocol, terms.equal(protocol, terms.constant(2, p)));
    const Term direction = body.direction == Direction::Listen ? listens : terms.negate(listens);
    const Term all[] = {any_address, any_port, any_protocol, direction};
    return terms.all(all);
  }

  Term call(const SyscallPattern& p) {
    const linux::Syscall* call = linux::find_syscall(linux::Arch::x86_64, p.name);
    Term out = terms.equal(terms.variable("number", 16), terms.constant(16, call->number));
    for (const ArgTest& t : p.tests) {
      const auto i = static_cast<std::size_t>(t.index);
      const Term x = terms.binary(Op::BvAnd, terms.variable("arg" + std::to_string(i), 64),
                                  terms.constant(64, call->arguments[i].effective_mask));
      const Term v = terms.constant(64, t.values[0]);
      Term holds = terms.boolean(false);
      switch (t.op) {
        case ArgTest::Op::Eq:
          holds = terms.equal(x, v);
          break;
        case ArgTest::Op::Ne:
          holds = terms.negate(terms.equal(x, v));
          break;
        case ArgTest::Op::Lt:
          holds = terms.less(x, v);
          break;
        case ArgTest::Op::Le:
          holds = terms.less_equal(x, v);
          break;
        case ArgTest::Op::Gt:
          holds = terms.less(v, x);
          break;
        case ArgTest::Op::Ge:
          holds = terms.less_equal(v, x);
          break;
        case ArgTest::Op::In:
          for (const std::uint64_t w : t.values) holds = terms.either(holds, terms.equal(x, terms.constant(64, w)));
          break;
        case ArgTest::Op::Masked:
          holds = terms.equal(terms.binary(Op::BvAnd, x, terms.constant(64, t.mask)), v);
          break;
      }
      out = terms.both(out, holds);
    }
    return out;
  }

  /// The rule without names; false for the sorts that are not asked about here.
  Term rule(const Rule& r, std::optional<std::size_t> one = std::nullopt) {
    Term in = terms.boolean(false), out = terms.boolean(false);
    if (const auto* net = std::get_if<NetBody>(&r.body)) {
      for (std::size_t i = 0; i < net->endpoints.size(); ++i)
        if ((!one || *one == i) && !net->endpoints[i].pattern.name)
          in = terms.either(in, endpoint(*net, net->endpoints[i].pattern));
      for (const auto& e : net->except)
        if (!e.pattern.name) out = terms.either(out, endpoint(*net, e.pattern));
    } else if (const auto* calls = std::get_if<SyscallBody>(&r.body)) {
      for (std::size_t i = 0; i < calls->patterns.size(); ++i)
        if (!one || *one == i) in = terms.either(in, call(calls->patterns[i].pattern));
      for (const auto& e : calls->except) out = terms.either(out, call(e.pattern));
    }
    return terms.both(in, terms.negate(out));
  }

  bool possible(Term t) {
    solver::Session session(terms);
    const solver::Answer answer = session.check(t);
    EXPECT_FALSE(std::holds_alternative<solver::Undecided>(answer));
    return std::holds_alternative<solver::Sat>(answer);
  }
};

TEST(Z3Sample, DecidesTheSame) {
  analysis_test::Random random(test::seed(23));
  analysis_test::Universe universe;
  const std::size_t policies = test::long_tier() ? 1000 : 40;
  std::size_t questions = 0;
  for (std::size_t n = 0; n < policies; ++n) {
    const Policy policy = universe.policy(random, 8);
    diagnostics::Sink sink;
    ASSERT_TRUE(analysis::find_conflicts(policy, analysis::Space(policy), 0, sink));
    const auto said = [&](const diagnostics::Kind& k, source::Span span) {
      return std::any_of(sink.all().begin(), sink.all().end(), [&](const auto& d) {
        return d.kind == &k &&
               (d.primary == span || std::any_of(d.elsewhere.begin(), d.elsewhere.end(),
                                                 [&](const auto& place) { return place.span == span; }));
      });
    };
    for (const Rule& r : policy.rules) {
      std::vector<source::Span> spans;
      bool named = false;
      if (const auto* net = std::get_if<NetBody>(&r.body))
        for (const auto& e : net->endpoints) {
          spans.push_back(e.span);
          named = named || e.pattern.name;
        }
      if (const auto* calls = std::get_if<SyscallBody>(&r.body))
        for (const auto& p : calls->patterns) spans.push_back(p.span);
      if (named || r.effect == Effect::Deny) continue;
      for (std::size_t i = 0; i < spans.size(); ++i) {
        Question q;
        Term denied = q.terms.boolean(false);
        for (const Rule& other : policy.rules)
          if (other.effect == Effect::Deny) denied = q.terms.either(denied, q.rule(other));
        const Term own = q.rule(r, i);
        const bool some = q.possible(own);
        const bool left = some && q.possible(q.terms.both(own, q.terms.negate(denied)));
        EXPECT_EQ(said(diagnostics::kind::empty_rule, spans[i]), !some) << r.text;
        const auto& hidden = r.effect == Effect::Ask ? diagnostics::kind::hidden_ask : diagnostics::kind::denied_grant;
        EXPECT_EQ(said(hidden, spans[i]), some && !left) << r.text;
        ++questions;
      }
    }
    ASSERT_FALSE(HasFailure());
  }
  test::result(std::to_string(questions) + " patterns decided again by Z3");
}

}  // namespace
}  // namespace agp
