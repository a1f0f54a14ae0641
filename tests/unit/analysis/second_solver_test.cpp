#include <gtest/gtest.h>
#include <unistd.h>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/verify/cells.hpp"
#include "tests/support/tier.hpp"
#include "tests/unit/analysis/universe.hpp"

// The cells of random policies, decided again by cvc5. That it would notice: cells made before a rule was changed.
namespace agp {
namespace {

using namespace model;

const solver::SecondSolver cvc5{"/usr/bin/cvc5"};

std::size_t disagreements(const Policy& policy, const analysis::Space& space) {
  diagnostics::Sink sink;
  verify::redecide_cells(policy, space, cvc5, sink);
  std::size_t out = 0;
  for (const auto& d : sink.all()) {
    EXPECT_EQ(d.kind, &diagnostics::kind::solvers_disagree) << d.message;
    ++out;
  }
  return out;
}

TEST(SecondSolver, FindsTheSameCells) {
  if (::access(cvc5.program.c_str(), X_OK) != 0) GTEST_SKIP() << "cvc5 is not installed";
  analysis_test::Random random(test::seed(29));
  analysis_test::Universe universe;
  const std::size_t policies = test::long_tier() ? 1000 : 30;
  std::size_t cells = 0;
  for (std::size_t n = 0; n < policies; ++n) {
    const Policy policy = universe.policy(random, 8);
    const analysis::Space space(policy);
    cells += space.size();
    EXPECT_EQ(disagreements(policy, space), 0u);
    ASSERT_FALSE(HasFailure());
  }
  test::result(std::to_string(policies) + " policies, " + std::to_string(cells) + " cells decided again by cvc5");
}

TEST(SecondSolver, NoticesAWrongCell) {
  if (::access(cvc5.program.c_str(), X_OK) != 0) GTEST_SKIP() << "cvc5 is not installed";
  Policy policy;
  policy.name = "one";
  const auto add = [&](RuleBody body) {
    Rule rule;
    rule.effect = Effect::Allow;
    rule.body = std::move(body);
    policy.rules.push_back(std::move(rule));
  };
  NetBody net;
  net.protocols = 1;
  EndpointPattern e;
  e.addresses = AddressSet::range(Address::v4(0x0a000000), Address::v4(0x0a0000ff));
  e.ports = PortSet::range(443, 443);
  net.endpoints.push_back({e, {}, "connect tcp 10.0.0.0/24:443"});
  add(net);
  SyscallBody call;
  ArgTest test;
  test.index = 0;
  test.op = ArgTest::Op::Le;
  test.values = {7};
  call.patterns.push_back({{"personality", {test}}, {}, "personality(persona <= 7)"});
  add(call);
  const analysis::Space space(policy);
  EXPECT_EQ(disagreements(policy, space), 0u);

  auto& endpoint = std::get<NetBody>(policy.rules[0].body).endpoints[0].pattern;
  endpoint.addresses = AddressSet::range(Address::v4(0x0a000000), Address::v4(0x0a000100));  // one more than the cell
  EXPECT_EQ(disagreements(policy, space), 0u) << "a cell that is too small for its pattern is no other set of patterns";
  endpoint.addresses = AddressSet::range(Address::v4(0x0a000001), Address::v4(0x0a0000ff));  // without the witness
  EXPECT_EQ(disagreements(policy, space), 1u);
  endpoint = e;
  auto& condition = std::get<SyscallBody>(policy.rules[1].body).patterns[0].pattern.tests[0];
  condition.op = ArgTest::Op::Gt;
  EXPECT_EQ(disagreements(policy, space), 1u);
}

}  // namespace
}  // namespace agp
