#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/analysis/invariants.hpp"
#include "compiler/analysis/why.hpp"
#include "tests/support/tier.hpp"
#include "tests/unit/analysis/universe.hpp"

namespace agp {
namespace {

using namespace model;

/// `never A` and `only A` for random sets: the verdict against trying every action with `decide` and `includes`.
TEST(InvariantsRandom, AgreeWithTryingEveryAction) {
  analysis_test::Random random(test::seed(17));
  analysis_test::Universe universe;
  const std::size_t policies = test::long_tier() ? 20'000 : 200;
  std::size_t broken = 0;
  for (std::size_t n = 0; n < policies; ++n) {
    const Policy policy = universe.policy(random, 2 + n % 6);
    Rule drawn = universe.rule(random);
    if (auto* net = std::get_if<NetBody>(&drawn.body)) net->within.reset();
    ActionSet set;
    std::visit(
        [&](auto& body) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(body)>, CapabilityBody>) set.body = body;
        },
        drawn.body);
    set.text = drawn.text;
    Invariant invariant;
    invariant.name = "drawn";
    const bool never = n % 2 == 0;
    if (never)
      invariant.lines.push_back({Never{set}, {}, "never"});
    else
      invariant.lines.push_back({Only{{set}}, {}, "only"});
    std::string all;
    for (const Rule& r : policy.rules) all += "\n  " + r.text;
    SCOPED_TRACE((never ? "never " : "only ") + set.text + all);

    const auto of_verb = [&](const Action& a) {
      if (never) return true;
      if (const auto* file = std::get_if<FileAction>(&a))
        return std::holds_alternative<FileBody>(set.body) && has(std::get<FileBody>(set.body).verbs, file->verb);
      if (const auto* net = std::get_if<NetAction>(&a))
        return std::holds_alternative<NetBody>(set.body) && std::get<NetBody>(set.body).direction == net->direction;
      if (std::holds_alternative<SyscallAction>(a)) return std::holds_alternative<SyscallBody>(set.body);
      return std::holds_alternative<TextBody>(set.body);
    };
    bool breaks = false;
    for (const Action& a : universe.actions())
      breaks =
          breaks || (of_verb(a) && includes(set, a, never) == never && decide(policy, a).decision != Decision::Deny);
    const Invariant* const list[] = {&invariant};
    analysis::SpaceLimits telling;
    telling.call_work = 0;
    for (const analysis::SpaceLimits& limits : {analysis::SpaceLimits{}, telling}) {
      diagnostics::Sink sink;
      EXPECT_TRUE(analysis::check_invariants(policy, list, sink, limits));
      EXPECT_EQ(!sink.all().empty(), breaks);
    }
    broken += breaks;
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(broken, policies / 10);
  test::result(std::to_string(policies) + " policies against a random invariant, " + std::to_string(broken) +
               " broken, as by trying every action");
}

/// The core keeps the decision, and no rule of it can go.
TEST(Why, IsMinimal) {
  analysis_test::Random random(19);
  analysis_test::Universe universe;
  for (int n = 0; n < 60; ++n) {
    const Policy policy = universe.policy(random, 6);
    for (int k = 0; k < 10; ++k) {
      const auto& actions = universe.actions();
      const Action some[] = {actions[analysis_test::below(random, actions.size())],
                             actions[analysis_test::below(random, actions.size())]};
      const auto together = [&](const Policy& p) {
        return std::min(decide(p, some[0]).decision, decide(p, some[1]).decision);
      };
      const auto core = analysis::why(policy, some);
      const Decision decision = together(policy);
      const auto with = [&](const std::vector<std::size_t>& kept) {
        Policy p = policy;
        for (std::size_t r = 0; r < p.rules.size(); ++r)
          if ((p.rules[r].effect == Effect::Deny) == (decision == Decision::Deny) &&
              std::find(kept.begin(), kept.end(), r) == kept.end())
            p.rules[r].expired = true;
        return together(p);
      };
      EXPECT_EQ(with(core), decision);
      for (std::size_t i = 0; i < core.size(); ++i) {
        if (core.size() == 1) break;
        auto less = core;
        less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_NE(with(less), decision);
      }
    }
  }
}

}  // namespace
}  // namespace agp
