#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/analysis/difference.hpp"
#include "tests/support/tier.hpp"
#include "tests/unit/analysis/universe.hpp"

namespace agp {
namespace {

using namespace model;

/// Two random policies that share rules: their regions against deciding every action twice.
TEST(DifferenceRandom, AgreesWithTryingEveryAction) {
  analysis_test::Random random(test::seed(11));
  analysis_test::Universe universe;
  const std::size_t pairs = test::long_tier() ? 20'000 : 200;
  std::size_t same = 0, regions = 0;
  for (std::size_t n = 0; n < pairs; ++n) {
    const Policy before = universe.policy(random, 2 + n % 6);
    Policy after = before;
    for (std::size_t edits = n % 3; edits-- > 0;) {
      const std::size_t at = analysis_test::below(random, after.rules.size() + 1);
      if (at == after.rules.size())
        after.rules.push_back(universe.rule(random));
      else if (analysis_test::below(random, 2) == 0 && after.rules.size() > 1)
        after.rules.erase(after.rules.begin() + static_cast<std::ptrdiff_t>(at));
      else
        after.rules[at] = universe.rule(random);
    }
    std::string all;
    for (const Rule& r : before.rules) all += "\n- " + r.text;
    for (const Rule& r : after.rules) all += "\n+ " + r.text;
    SCOPED_TRACE(all);
    const auto found = analysis::difference(before, after);
    ASSERT_TRUE(found.undecided.empty());
    bool wider = false, narrower = false;
    for (const Action& a : universe.actions()) {
      const Decision was = decide(before, a).decision, is = decide(after, a).decision;
      wider = wider || is > was;
      narrower = narrower || is < was;
    }
    bool resolves = false, resolved = false;
    for (const char* name : {"n.example", "m.example", "x.example"}) {
      const Decision was = decide(before, ResolveAction{name}).decision;
      const Decision is = decide(after, ResolveAction{name}).decision;
      resolves = resolves || is > was;
      resolved = resolved || is < was;
    }
    EXPECT_EQ(wider, !found.wider.empty());
    EXPECT_EQ(narrower, !found.narrower.empty());
    const auto other = [&](bool w) {
      return std::any_of(found.others.begin(), found.others.end(), [&](const auto& o) { return o.wider == w; });
    };
    EXPECT_EQ(wider || resolves, !found.wider.empty() || other(true));
    EXPECT_EQ(narrower || resolved, !found.narrower.empty() || other(false));
    same += found.same();
    regions += found.wider.size() + found.narrower.size();
    ASSERT_FALSE(HasFailure());
  }
  test::result(std::to_string(pairs) + " pairs of policies: " + std::to_string(same) + " equal, " +
               std::to_string(regions) + " regions, as by deciding every action twice");
}

/// One change of one pattern is one region in each direction at most.
TEST(DifferenceRandom, OneEditOfOnePatternIsOneRegion) {
  analysis_test::Random random(test::seed(13));
  analysis_test::Universe universe;
  std::size_t edits = 0, changed = 0;
  while (edits < 50) {
    const Policy before = universe.policy(random, 6);
    Policy after = before;
    Rule& rule = after.rules[analysis_test::below(random, 6)];
    const Rule other = universe.rule(random);
    if (rule.body.index() != other.body.index()) continue;
    // the first pattern of another rule of the same kind takes the place of the first one
    const bool done = std::visit(
        [&](auto& body) {
          using B = std::decay_t<decltype(body)>;
          const B& drawn = std::get<B>(other.body);
          if constexpr (requires { body.endpoints; }) {
            if (body.protocols != drawn.protocols || body.direction != drawn.direction ||
                body.endpoints[0].pattern.name.has_value() != drawn.endpoints[0].pattern.name.has_value())
              return false;
            body.endpoints[0] = drawn.endpoints[0];
          } else if constexpr (requires { body.patterns; }) {
            if constexpr (requires { body.verbs; })
              if (body.verbs != drawn.verbs) return false;
            body.patterns[0] = drawn.patterns[0];
          }
          return true;
        },
        rule.body);
    if (!done) continue;
    ++edits;
    std::string all;
    for (const Rule& r : before.rules) all += "\n- " + r.text;
    all += "\n+ " + other.text;
    SCOPED_TRACE(all);
    const auto found = analysis::difference(before, after);
    EXPECT_LE(found.wider.size(), 1u);
    EXPECT_LE(found.narrower.size(), 1u);
    changed += !found.same();
    for (const auto& r : found.wider) EXPECT_LE(r.text.size(), 400u) << r.text;
  }
  EXPECT_GE(changed, 10u);
}

}  // namespace
}  // namespace agp
