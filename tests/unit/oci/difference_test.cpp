#include "backends/containers/mounts/difference.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <set>

#include "backends/containers/mounts/shaped_rules.hpp"
#include "tests/support/file_policy.hpp"

// Random policies over a small universe, every action of it enumerated: what the mounts do and what the rules say may
// differ only where some fact's answer says so. That is the promise that nothing is widened or dropped in silence.
namespace agp::test {
namespace {

using backends::Holds;
using backends::containers::Cause;
using backends::containers::Grant;
using model::Effect;
using model::Verb;

constexpr Verb verbs_list[] = {Verb::Read, Verb::List, Verb::Exec, Verb::Modify, Verb::Create, Verb::Delete};

std::vector<std::string> universe() {
  std::vector<std::string> out{"/"}, level{""};
  for (int depth = 0; depth < 4; ++depth) {
    std::vector<std::string> next;
    for (const auto& base : level)
      for (const char* name : {"a", "b", "q"}) next.push_back(base + "/" + name);
    out.insert(out.end(), next.begin(), next.end());
    level = next;
  }
  return out;
}

FilePolicy random_policy(std::mt19937& random) {
  const auto pick = [&](const auto& list) { return list[random() % std::size(list)]; };
  const auto path = [&] {
    std::string out;
    for (std::size_t i = 0, n = 1 + random() % 3; i < n; ++i) out += random() % 2 ? "/a" : "/b";
    return out;
  };
  FilePolicy p;
  static const char* const words[] = {"read",        "read write", "read exec", "read write exec", "write", "list",
                                      "read modify", "create",     "exec"};
  static const char* const tails[] = {"/**", "/**", "/**", "", "/*", "/**/b", "/?"};
  const std::size_t rules = 1 + random() % 5;
  for (std::size_t i = 0; i < rules; ++i) {
    const Effect effect = i == 0 || random() % 2 ? Effect::Allow : random() % 4 ? Effect::Deny : Effect::Ask;
    std::vector<std::string> except;
    if (random() % 4 == 0) except.push_back(path() + "/**");
    p.file(effect, i == 0 ? words[random() % 4] : pick(words), {path() + pick(tails)}, except);
  }
  if (random() % 2) p.tmpfs(path());
  if (random() % 2) p.mount("/srv/x", path(), random() % 2);
  p.call(Effect::Allow, "read");
  return p;
}

class Answers {
 public:
  explicit Answers(const FilePolicy& p) : policy_(p.policy), facts_(model::facts(p.policy)) {
    capabilities_ = backends::oci::backend().capabilities(p.policy, facts_, debian12());
  }
  /// Some fact that concerns the action says that it is not held exactly in that direction.
  bool says(Holds direction, const Cause& cause) const {
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      if (capabilities_.facts[i].holds != direction) continue;
      if (cause.run_mount != Cause::none
              ? facts_[i].kind == model::Fact::Kind::Mount && facts_[i].mount == cause.run_mount
              : facts_[i].kind == model::Fact::Kind::Pattern && facts_[i].rule == cause.rule &&
                    facts_[i].pattern == cause.pattern)
        return true;
    }
    return false;
  }
  bool derived(const std::string& action) const {
    for (const auto& d : capabilities_.derived)
      if (d.grant == action) return true;
    return false;
  }
  std::string text() const {
    std::string out;
    for (std::size_t i = 0; i < facts_.size(); ++i)
      out += facts_[i].text + " (" + std::to_string(static_cast<int>(capabilities_.facts[i].holds)) + ")\n";
    for (const auto& r : policy_.rules)
      if (const auto* f = std::get_if<model::FileBody>(&r.body))
        out += std::string(model::to_string(r.effect)) + " " + f->patterns[0].text +
               (f->except.empty() ? "" : " except " + f->except[0].text) + "\n";
    for (const auto& m : policy_.run.mounts)
      out += "mount " + m.source.value_or("tmpfs") + " at " + m.target + (m.writable ? " writable\n" : "\n");
    return out;
  }
  const std::vector<model::Fact>& facts() const { return facts_; }
  const std::vector<backends::Capability>& capabilities() const { return capabilities_.facts; }

 private:
  const model::Policy& policy_;
  std::vector<model::Fact> facts_;
  backends::Capabilities capabilities_;
};

/// The share of a short run; AGP_TEST_ROUNDS for a long one.
int rounds() {
  const char* const text = std::getenv("AGP_TEST_ROUNDS");
  return text ? std::atoi(text) : 400;
}

TEST(OciDifference, NothingDiffersInSilence) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  const auto paths = universe();
  int exact = 0, gaps = 0;
  for (int n = 0; n < rounds(); ++n) {
    const FilePolicy p = random_policy(random);
    const auto tree = backends::containers::mount_tree(p.policy);
    const Answers answers(p);
    for (const auto& c : answers.capabilities()) ++(c.holds == Holds::Exact ? exact : gaps);
    for (const std::string& path : paths)
      for (const Verb verb : verbs_list) {
        const model::FileAction action{verb, path};
        const auto verdict = model::decide(p.policy, action);
        const std::size_t i = backends::containers::governing(tree, path);
        Grant grant = Grant::No;
        if (i != Cause::none)
          grant = backends::containers::granted(tree.mounts[i], tree.mounts[i].target == path, verb);
        else if (backends::containers::is_scaffold(tree, path))
          grant = verb == Verb::List ? Grant::Yes : Grant::Any;
        const bool allowed = verdict.decision == model::Decision::Allow;
        const std::string text = backends::containers::action_text(action);
        if (grant == Grant::Yes && !allowed && !answers.derived(text)) {
          // An explicit refusal must answer for itself; otherwise one of the patterns that the mount serves.
          bool said = false;
          if (!verdict.rules.empty())
            for (const std::size_t r : verdict.rules) said = said || answers.says(Holds::Wider, {r, 0, Cause::none});
          else
            for (const Cause& c : tree.mounts[i].grants) said = said || answers.says(Holds::Wider, c);
          ASSERT_TRUE(said) << "seed " << seed << " policy " << n << ": " << text << " slips through in silence\n"
                            << answers.text();
        }
        if (grant == Grant::No && allowed) {
          bool said = false;
          for (const std::size_t r : verdict.rules)
            said = said || answers.says(Holds::Narrower, {r, 0, Cause::none}) ||
                   answers.says(Holds::Wider, {r, 0, Cause::none});
          if (i != Cause::none)
            for (const Cause& c : tree.mounts[i].causes)
              said = said || answers.says(Holds::Narrower, c) || answers.says(Holds::Wider, c);
          ASSERT_TRUE(said) << "seed " << seed << " policy " << n << ": " << text << " is lost in silence\n"
                            << answers.text();
        }
      }
  }
  EXPECT_GT(exact, 100);
  EXPECT_GT(gaps, 100);
}

// What is looked up in sorted lists, as by asking every rule and every mount.

/// The patterns or exceptions of a rule that a mount can have, and that have the path.
std::vector<std::size_t> hits(const std::vector<model::Placed<model::PathPattern>>& list, const std::string& path,
                              bool listing) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const model::PathPattern& p = list[i].pattern;
    if (p.shape() != model::PathPattern::Shape::Other && (listing ? p.matches_list(path) : p.matches(path)))
      out.push_back(i);
  }
  return out;
}

struct Direct {
  model::Verbs permitted = 0, refused = 0;
  bool connects = false, connect_denied = false;
  std::set<Cause> allowing, refusing;
};

Direct ask_every_rule(const model::Policy& policy, const std::string& path) {
  Direct out;
  for (std::size_t r = 0; r < policy.rules.size(); ++r) {
    const bool allow = policy.rules[r].effect == Effect::Allow;
    if (const auto* file = std::get_if<model::FileBody>(&policy.rules[r].body))
      for (const Verb v : verbs_list) {
        if (!model::has(file->verbs, v)) continue;
        const auto in = hits(file->patterns, path, v == Verb::List), except = hits(file->except, path, v == Verb::List);
        if (!in.empty() && except.empty()) (allow ? out.permitted : out.refused) |= static_cast<model::Verbs>(v);
        for (const std::size_t i : in)
          if (allow || except.empty())
            (allow && except.empty() ? out.allowing : out.refusing).insert({r, i, Cause::none});
      }
    const auto* sock = std::get_if<model::UnixBody>(&policy.rules[r].body);
    if (!sock || sock->direction != model::Direction::Connect) continue;
    const auto in = hits(sock->paths, path, false), except = hits(sock->except, path, false);
    if (!in.empty() && except.empty()) (allow ? out.connects : out.connect_denied) = true;
    for (const std::size_t i : in)
      if (except.empty()) (allow ? out.allowing : out.refusing).insert({r, i, Cause::none});
  }
  out.permitted &= static_cast<model::Verbs>(~out.refused);
  out.connects = out.connects && !out.connect_denied;
  return out;
}

FilePolicy with_sockets(std::mt19937& random) {
  FilePolicy p = random_policy(random);
  p.file(random() % 2 ? Effect::Allow : Effect::Deny, "read write", {"/a/**", "/a/b", "/a/b/**"}, {"/a/b/a"});
  for (std::size_t i = random() % 3; i > 0; --i)
    p.sock(random() % 2 ? Effect::Allow : Effect::Deny,
           random() % 4 ? model::Direction::Connect : model::Direction::Listen,
           std::string(random() % 2 ? "/a" : "/b") + (random() % 2 ? "/a" : "/**"));
  return p;
}

TEST(OciDifference, RulesAreFoundAsByAskingEachOfThem) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  auto paths = universe();
  for (std::size_t i = paths.size(); i-- > 0;) paths.push_back((paths[i] == "/" ? "" : paths[i]) + "/\x01");
  int permitted = 0, refusals = 0, sockets = 0;
  for (int n = 0; n < rounds(); ++n) {
    const FilePolicy p = with_sockets(random);
    const backends::containers::ShapedRules rules(p.policy, {});
    const std::string text = Answers(p).text();
    for (const std::string& path : paths) {
      const Direct expected = ask_every_rule(p.policy, path);
      const auto at = rules.at(path);
      const auto allowing = at.allowing(), refusing = at.refusing(model::verbs_all);
      const std::string about = path + "; seed " + std::to_string(seed) + "\n" + text;
      ASSERT_EQ(at.permitted(), expected.permitted) << about;
      ASSERT_EQ(at.refused(), expected.refused) << about;
      ASSERT_EQ(at.connects(), expected.connects) << about;
      ASSERT_EQ(at.connect_denied(), expected.connect_denied) << about;
      ASSERT_EQ(std::set<Cause>(allowing.begin(), allowing.end()), expected.allowing) << about;
      ASSERT_EQ(std::set<Cause>(refusing.begin(), refusing.end()), expected.refusing) << about;
      ASSERT_EQ(allowing.size(), expected.allowing.size()) << about;  // each once
      permitted += expected.permitted != 0, refusals += !refusing.empty(), sockets += expected.connects;
    }
  }
  EXPECT_GT(permitted, rounds());
  EXPECT_GT(refusals, rounds());
  EXPECT_GT(sockets, rounds());
}

TEST(OciDifference, MountsAndDecisionsAreFoundAsByAskingAll) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  const auto paths = universe();
  int shown = 0, scaffolds = 0, allowed = 0;
  for (int n = 0; n < rounds(); ++n) {
    const FilePolicy p = random_policy(random);
    const auto tree = backends::containers::mount_tree(p.policy);
    const backends::containers::Comparison comparison(p.policy, tree);
    for (const std::string& path : paths) {
      std::size_t innermost = Cause::none;
      bool leads = false;
      for (std::size_t i = 0; i < tree.mounts.size(); ++i) {
        const std::string& target = tree.mounts[i].target;
        leads = leads || model::is_beneath(target, path);
        if ((target == path || model::is_beneath(path, target)) &&
            (innermost == Cause::none || target.size() > tree.mounts[innermost].target.size()))
          innermost = i;
      }
      const bool scaffold = innermost == Cause::none && leads;
      ASSERT_EQ(backends::containers::governing(tree, path), innermost) << path << "; seed " << seed;
      ASSERT_EQ(backends::containers::is_scaffold(tree, path), scaffold) << path << "; seed " << seed;
      for (const Verb verb : verbs_list) {
        const auto decision = model::decide(p.policy, model::FileAction{verb, path}).decision;
        ASSERT_EQ(comparison.decide({verb, path}), decision)
            << path << " " << static_cast<int>(verb) << "; seed " << seed << "\n"
            << Answers(p).text();
        allowed += decision == model::Decision::Allow;
      }
      shown += innermost != Cause::none, scaffolds += scaffold;
    }
  }
  EXPECT_GT(shown, rounds());
  EXPECT_GT(scaffolds, rounds());
  EXPECT_GT(allowed, rounds());
}

/// For `list`, `D/*` includes D: a deny one level up decides it.
TEST(OciDifference, ListingMeetsAPatternOneLevelUp) {
  FilePolicy p;
  p.file(Effect::Ask, "list", {"/a/b/*"}).deny("read", {"/a/*"});
  const Answers answers(p);
  EXPECT_EQ(answers.capabilities()[0].slips.substr(0, 11), "list \"/a/b/");  // and not /a/b, which is denied
}

/// The other direction: every example that an answer gives is one.
TEST(OciDifference, EveryExampleIsOne) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  for (int n = 0; n < rounds(); ++n) {
    const FilePolicy p = random_policy(random);
    const auto tree = backends::containers::mount_tree(p.policy);
    const Answers answers(p);
    for (std::size_t k = 0; k < answers.facts().size(); ++k) {
      const auto& c = answers.capabilities()[k];
      if (answers.facts()[k].kind != model::Fact::Kind::Pattern || answers.facts()[k].block != "file" ||
          c.holds == Holds::Exact)
        continue;
      const std::size_t quote = c.slips.find(" \"");
      ASSERT_NE(quote, std::string::npos) << c.slips;
      const std::string word = c.slips.substr(0, quote), path = c.slips.substr(quote + 2, c.slips.size() - quote - 3);
      const model::FileAction action{word == "read" ? Verb::Read : static_cast<Verb>(verbs(word)), path};
      const std::size_t i = backends::containers::governing(tree, path);
      Grant grant =
          i == Cause::none
              ? backends::containers::is_scaffold(tree, path) && action.verb == Verb::List ? Grant::Yes : Grant::No
              : backends::containers::granted(tree.mounts[i], tree.mounts[i].target == path, action.verb);
      const auto decision = model::decide(p.policy, action).decision;
      const std::string about =
          answers.facts()[k].text + ": " + c.slips + "; seed " + std::to_string(seed) + "\n" + answers.text();
      if (c.holds == Holds::Wider) {
        ASSERT_TRUE(grant == Grant::Yes && decision != model::Decision::Allow) << about;
      }
      if (c.holds == Holds::Narrower) {
        ASSERT_TRUE(decision == model::Decision::Ask ? grant != Grant::Yes
                                                     : grant == Grant::No && decision == model::Decision::Allow)
            << about;
      }
    }
  }
}

}  // namespace
}  // namespace agp::test
