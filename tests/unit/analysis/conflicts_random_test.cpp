#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/analysis/conflicts.hpp"
#include "compiler/analysis/permissiveness.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "tests/support/tier.hpp"
#include "tests/unit/analysis/universe.hpp"

// Random policies over a small universe: what `find_conflicts` says of each unit against trying every action with the
// definition of a match, model::matches. The engine's cells take no part in the answer it is compared with.
namespace agp {
namespace {

using namespace model;
namespace kind = diagnostics::kind;

struct Trial {
  const Policy& policy;
  const std::vector<Action>& actions;

  struct One {
    std::size_t rule;
    source::Span span;
    bool except, named;
    std::vector<bool> in;  ///< by action: the pattern, exceptions taken away
  };
  std::vector<One> units;
  std::vector<Decision> decisions;

  Trial(const Policy& p, const std::vector<Action>& a) : policy(p), actions(a) {
    for (std::size_t r = 0; r < policy.rules.size(); ++r)
      std::visit([&](const auto& body) { split(r, body); }, policy.rules[r].body);
    for (const Action& action : actions) decisions.push_back(decide(policy, action).decision);
  }

  std::vector<bool> matched(const Rule& rule) const {
    std::vector<bool> out;
    for (const Action& action : actions) out.push_back(matches(rule, action));
    return out;
  }

  template <class Body>
  void split(std::size_t r, const Body& body) {
    if constexpr (std::is_same_v<Body, UnixBody> || std::is_same_v<Body, CapabilityBody>) {
      FAIL() << "not drawn";
    } else {
      const auto& list = [&]() -> const auto& {
        if constexpr (std::is_same_v<Body, NetBody>)
          return body.endpoints;
        else
          return body.patterns;
      }
      ();
      const auto one = [&](const auto& placed, bool except) {
        Rule rule = policy.rules[r];
        Body& alone = std::get<Body>(rule.body);
        if constexpr (std::is_same_v<Body, NetBody>)
          alone.endpoints = {placed};
        else
          alone.patterns = {placed};
        if (except) alone.except.clear();
        bool named = false;
        if constexpr (std::is_same_v<Body, NetBody>) named = placed.pattern.name.has_value();
        units.push_back({r, placed.span, except, named, matched(rule)});
      };
      for (const auto& p : list) one(p, false);
      for (const auto& p : body.except) one(p, true);
    }
  }

  Effect effect(const One& u) const { return policy.rules[u.rule].effect; }
  bool strict(const One& u) const {
    const auto* body = std::get_if<SyscallBody>(&policy.rules[u.rule].body);
    return body && body->denial.kind != Denial::Kind::Errno;
  }
  bool granted(std::size_t a) const {
    return std::any_of(units.begin(), units.end(),
                       [&](const One& u) { return !u.except && effect(u) != Effect::Deny && u.in[a]; });
  }

  /// The units that keep the decision on `a` if `u` goes; nothing: it changes. True: it never depended on `u`.
  bool keepers(const One& u, std::size_t a, const std::vector<bool>& gone, std::vector<std::size_t>& out) const {
    const Effect e = effect(u);
    if (e == Effect::Deny && !granted(a) && !strict(u)) return true;
    const auto some = [&](Effect by, bool alike) {
      for (std::size_t o = 0; o < units.size(); ++o) {
        if (gone[o] || &units[o] == &u || units[o].except || effect(units[o]) != by || !units[o].in[a]) continue;
        if (alike && e == Effect::Deny && strict(u) && !strict(units[o])) continue;
        // without a rule on it a name does not resolve, whatever a rule on addresses says about connections
        if (by != Effect::Deny && e != Effect::Deny && u.named && !units[o].named) continue;
        out.push_back(o);
      }
    };
    const auto by_any = [&](Effect by) {
      return std::any_of(units.begin(), units.end(),
                         [&](const One& o) { return !o.except && effect(o) == by && o.in[a]; });
    };
    if (e != Effect::Deny && by_any(Effect::Deny))
      some(Effect::Deny, false);
    else if (e == Effect::Allow && by_any(Effect::Ask)) {
      some(Effect::Ask, false);
      if (u.named) some(e, true);
    } else
      some(e, true);
    return false;
  }

  bool redundant(const One& u, const std::vector<bool>& gone) const {
    bool needed = false;
    for (std::size_t a = 0; a < actions.size(); ++a) {
      if (!u.in[a]) continue;
      std::vector<std::size_t> out;
      if (keepers(u, a, gone, out)) continue;
      needed = true;
      if (out.empty()) return false;
    }
    return needed;
  }
};

/// Is there a choice of `size` units with one of each list? Tries them all.
bool covers(const std::vector<std::vector<std::size_t>>& lists, std::size_t size, std::vector<std::size_t>& chosen) {
  const auto open = std::find_if(lists.begin(), lists.end(), [&](const auto& list) {
    return std::none_of(list.begin(), list.end(),
                        [&](std::size_t o) { return std::find(chosen.begin(), chosen.end(), o) != chosen.end(); });
  });
  if (open == lists.end()) return true;
  if (chosen.size() == size) return false;
  for (const std::size_t o : *open) {
    chosen.push_back(o);
    const bool found = covers(lists, size, chosen);
    chosen.pop_back();
    if (found) return true;
  }
  return false;
}

/// The rules that a finding names: one of them over each action of the unit, and no fewer would do.
void smallest(const Trial& t, const Trial::One& u, Effect effect, const diagnostics::Diagnostic& d) {
  std::vector<std::vector<std::size_t>> lists;
  std::vector<std::size_t> named, none;
  for (std::size_t o = 0; o < t.units.size(); ++o)
    for (const auto& label : d.related)
      if (label.span == t.units[o].span) named.push_back(o);
  for (std::size_t a = 0; a < t.actions.size(); ++a) {
    if (!u.in[a]) continue;
    lists.emplace_back();
    for (std::size_t o = 0; o < t.units.size(); ++o)
      if (!t.units[o].except && t.effect(t.units[o]) == effect && t.units[o].in[a]) lists.back().push_back(o);
  }
  EXPECT_TRUE(covers(lists, named.size(), named));
  ASSERT_FALSE(named.empty());
  EXPECT_FALSE(covers(lists, named.size() - 1, none));
}

using Found = std::map<std::uint32_t, const diagnostics::Diagnostic*>;  // by the beginning of the span

/// All places of a finding: each is told once, and every format that shows related places shows it.
Found places_of(const diagnostics::Kind& k, const diagnostics::Sink& sink) {
  Found out;
  for (const auto& d : sink.all()) {
    if (d.kind != &k) continue;
    EXPECT_TRUE(out.emplace(d.primary.begin, &d).second);
    for (const auto& [place, text] : d.elsewhere) {
      EXPECT_TRUE(out.emplace(place.begin, &d).second);
      EXPECT_LT(d.primary.begin, place.begin);
      const source::Span span = place;
      EXPECT_TRUE(
          std::any_of(d.related.begin(), d.related.end(), [&](const auto& label) { return label.span == span; }));
    }
  }
  return out;
}

/// What is of no use for one reason is told once: for a block, for a rule.
void told_once(const Trial& t, const diagnostics::Diagnostic& d, std::set<std::string>& told) {
  if (d.kind != &kind::idle_deny && d.kind != &kind::idle_except) return;
  const auto unit = std::find_if(t.units.begin(), t.units.end(),
                                 [&](const Trial::One& u) { return u.span.begin == d.primary.begin; });
  ASSERT_NE(unit, t.units.end());
  const std::string where =
      d.kind == &kind::idle_deny ? fact_block(t.policy.rules[unit->rule].body) : "rule " + std::to_string(unit->rule);
  EXPECT_TRUE(told.insert(std::string(d.kind->name) + " " + where).second);
}

void compare(const Trial& t, const diagnostics::Sink& sink) {
  std::map<const diagnostics::Kind*, Found> found;
  std::set<std::string> told;
  for (const auto& d : sink.all()) {
    if (found[d.kind].empty()) found[d.kind] = places_of(*d.kind, sink);
    told_once(t, d, told);
  }
  const auto said = [&](const diagnostics::Kind& k, const Trial::One& u) {
    const auto at = found[&k].find(u.span.begin);
    return at == found[&k].end() ? nullptr : at->second;
  };
  std::vector<bool> gone(t.units.size());
  for (std::size_t i = 0; i < t.units.size(); ++i) gone[i] = said(kind::redundant_rule, t.units[i]) != nullptr;

  for (std::size_t i = 0; i < t.units.size(); ++i) {
    const Trial::One& u = t.units[i];
    SCOPED_TRACE("unit " + std::to_string(i) + " of " + t.policy.rules[u.rule].text);
    if (u.except) {
      bool useful = false;
      for (const Trial::One& p : t.units) {
        if (p.rule != u.rule || p.except) continue;
        // the pattern before its exceptions were taken away: where the rule lacks `u`, or `u` and it meet
        Rule bare = t.policy.rules[u.rule];
        std::visit(
            [](auto& body) {
              if constexpr (requires { body.except; }) body.except.clear();
            },
            bare.body);
        const auto in = t.matched(bare);
        for (std::size_t a = 0; a < in.size(); ++a) useful = useful || (in[a] && u.in[a]);
      }
      EXPECT_EQ(said(kind::idle_except, u) == nullptr, useful);
      continue;
    }
    std::size_t matched = 0, denied = 0, live = 0;
    for (std::size_t a = 0; a < t.actions.size(); ++a) {
      if (!u.in[a]) continue;
      ++matched;
      denied += t.decisions[a] == Decision::Deny;
      live += t.granted(a);
    }
    const bool deny = t.effect(u) == Effect::Deny;
    const bool ask = t.effect(u) == Effect::Ask;
    EXPECT_EQ(said(kind::empty_rule, u) != nullptr, matched == 0);
    EXPECT_EQ(said(kind::denied_grant, u) != nullptr, !deny && !ask && matched > 0 && denied == matched);
    EXPECT_EQ(said(kind::hidden_ask, u) != nullptr, ask && matched > 0 && denied == matched);
    if (const auto* d = ask ? said(kind::hidden_ask, u) : said(kind::denied_grant, u)) smallest(t, u, Effect::Deny, *d);
    EXPECT_EQ(said(kind::idle_deny, u) != nullptr, deny && matched > 0 && live == 0 && !t.strict(u));
    if (matched == 0 || (deny ? live == 0 : denied == matched)) continue;
    auto others = gone;
    others[i] = false;
    EXPECT_EQ(t.redundant(u, others), gone[i]);
  }

  // all that is redundant goes: nothing changes
  for (std::size_t a = 0; a < t.actions.size(); ++a) {
    Decision left = Decision::Deny;
    bool ask = false, allow = false, deny = false;
    for (std::size_t i = 0; i < t.units.size(); ++i) {
      if (gone[i] || t.units[i].except || !t.units[i].in[a]) continue;
      (t.effect(t.units[i]) == Effect::Deny ? deny : t.effect(t.units[i]) == Effect::Ask ? ask : allow) = true;
    }
    left = deny ? Decision::Deny : ask ? Decision::Ask : allow ? Decision::Allow : Decision::Deny;
    EXPECT_EQ(left, t.decisions[a]) << to_string(t.actions[a]);
  }
}

TEST(ConflictsRandom, AgreeWithTryingEveryAction) {
  const std::size_t policies = test::long_tier() ? 20'000 : 250;
  analysis_test::Random random(test::seed(7));
  analysis_test::Universe universe;
  std::map<std::string, std::size_t> kinds;
  for (std::size_t n = 0; n < policies; ++n) {
    const Policy policy = universe.policy(random, 2 + n % 7);
    std::string all;
    for (const Rule& rule : policy.rules) all += "\n  " + rule.text;
    SCOPED_TRACE("policy " + std::to_string(n) + all);
    diagnostics::Sink sink;
    ASSERT_TRUE(analysis::find_conflicts(policy, analysis::Space(policy), 0, sink));
    compare(Trial(policy, universe.actions()), sink);
    for (const auto& d : sink.all()) kinds[std::string(d.kind->name)] += 1 + d.elsewhere.size();
    ASSERT_FALSE(HasFailure());
  }
  for (const char* name : {"denied-grant", "hidden-ask", "idle-deny", "idle-except", "redundant-rule", "empty-rule"})
    EXPECT_GT(kinds[name], policies / 200) << name << " was hardly ever drawn";
  std::string line = std::to_string(policies) + " policies, every unit as by trying all " +
                     std::to_string(universe.actions().size()) + " actions;";
  for (const auto& [name, count] : kinds) line += " " + std::to_string(count) + " " + name;
  test::result(line);
}

/// The places of the findings of one kind.
std::vector<std::uint32_t> places(const diagnostics::Sink& sink, const diagnostics::Kind& k) {
  std::vector<std::uint32_t> out;
  for (const auto& d : sink.all())
    if (d.kind == &k) out.push_back(d.primary.begin);
  std::sort(out.begin(), out.end());
  return out;
}

/// Of calls with more cells than is worth it only the telling ones are made: what they say must be what all cells say.
TEST(ConflictsRandom, TellingCellsAgreeWithTryingEveryAction) {
  const std::size_t policies = test::long_tier() ? 20'000 : 150;
  analysis_test::Random random(test::seed(29));
  analysis_test::Universe universe;
  std::vector<Action> actions;
  for (const Action& action : universe.actions())
    if (std::holds_alternative<SyscallAction>(action)) actions.push_back(action);
  analysis::SpaceLimits limits;
  limits.call_work = 0;
  std::size_t fewer = 0, partly = 0, redundant = 0;
  for (std::size_t n = 0; n < policies; ++n) {
    Policy policy = universe.policy(random, 8 + n % 40);
    std::erase_if(policy.rules, [](const Rule& rule) { return !std::holds_alternative<SyscallBody>(rule.body); });
    if (policy.rules.empty()) continue;
    // one call has them all: conditions on two arguments multiply
    for (Rule& rule : policy.rules)
      for (auto* list : {&std::get<SyscallBody>(rule.body).patterns, &std::get<SyscallBody>(rule.body).except})
        for (auto& p : *list)
          if (n % 2 == 0) p.pattern.name = "socket";
    std::string all;
    for (const Rule& rule : policy.rules) all += "\n  " + rule.text;
    SCOPED_TRACE("policy " + std::to_string(n) + all);
    const analysis::Space whole(policy), telling(policy, limits);
    diagnostics::Sink sink, expected;
    ASSERT_TRUE(analysis::find_conflicts(policy, telling, 0, sink));
    ASSERT_TRUE(analysis::find_conflicts(policy, whole, 0, expected));
    compare(Trial(policy, actions), sink);
    EXPECT_EQ(places(sink, kind::partly_denied), places(expected, kind::partly_denied));
    EXPECT_EQ(analysis::permissiveness(telling).rows(), analysis::permissiveness(whole).rows());
    fewer += telling.size() < whole.size();
    partly += places(sink, kind::partly_denied).size();
    redundant += places(sink, kind::redundant_rule).size();
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(fewer, policies / 4);
  EXPECT_GT(partly, policies / 50);
  EXPECT_GT(redundant, policies / 4);
}

}  // namespace
}  // namespace agp
