#include "compiler/verify/files.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "backends/landlock/backend.hpp"
#include "tests/support/file_policy.hpp"

namespace agp::verify {
namespace {

using Json = nlohmann::json;

struct Case {
  Case() {
    target = test::debian12();
    target.stack = "launcher";
    target.landlock_abi = 7;
    p.call(model::Effect::Allow, "execve").allow("read exec", {"/bin/true"});
  }
  Json emitted() const {
    const auto out = backends::landlock::backend().emit(p.policy, target, {});
    return Json::parse(out.artifacts.at(0).bytes);
  }
  std::vector<Obligation> check(const Json& artifact) const {
    const backends::Artifact file{"landlock/ruleset.json", artifact.dump()};
    diagnostics::Sink sink;
    const plan::Plan plan = plan::make_plan(p.policy, target, sink);
    const auto readings =
        std::vector<Reading>{{"landlock", backends::landlock::backend().decode(std::span(&file, 1), target)}};
    auto out = verify_files(p.policy, target, plan, readings[0].decoded.inodes);
    for (auto& o : verify_ports(p.policy, target, plan, readings)) out.push_back(o);
    return out;
  }
  /// `proved`, or what refutes it.
  static std::string verdict(const std::vector<Obligation>& all, Direction d) {
    std::string out = "nothing";
    for (const auto& o : all) {
      if (o.direction != d || (out != "nothing" && out != "proved")) continue;
      out = o.verdict.match([](const solver::Proved&) { return std::string("proved"); },
                            [](const Witness& w) { return w.action; },
                            [](const solver::Unknown& u) { return "unknown: " + u.reason; });
    }
    return out;
  }

  test::FilePolicy p;
  model::Target target;
};

/// The rule whose paths include `path`.
Json& rule_on(Json& file, const std::string& path) {
  for (auto& rule : file["pathBeneath"])
    for (const auto& parent : rule["parent"])
      if (parent == path) return rule;
  throw std::out_of_range(path);
}

TEST(VerifyFiles, WhatWeMakeIsProved) {
  Case c;
  c.p.allow("read write", {"/w/**"}).allow("read", {"/usr/**", "/etc/hosts"}).deny("write", {"/home/**"});
  const auto out = c.check(c.emitted());
  EXPECT_EQ(Case::verdict(out, Direction::Excess), "proved");
  EXPECT_EQ(Case::verdict(out, Direction::Loss), "proved");
}

TEST(VerifyFiles, ARightTooManyIsFoundWithItsPlace) {
  Case c;
  c.p.allow("read write", {"/w/**"}).allow("read", {"/usr/**"});
  Json file = c.emitted();
  rule_on(file, "/usr/")["allowedAccess"].push_back("make_reg");
  EXPECT_EQ(Case::verdict(c.check(file), Direction::Excess).rfind("create \"/usr/", 0), 0u);
  file = c.emitted();
  rule_on(file, "/usr/")["allowedAccess"].push_back("write_file");
  const auto out = c.check(file);
  EXPECT_EQ(Case::verdict(out, Direction::Excess).rfind("modify \"/usr/", 0), 0u);
  for (const auto& o : out)
    o.verdict.match([](const solver::Proved&) {},
                    [](const Witness& w) { EXPECT_EQ(w.place.rfind("/pathBeneath/", 0), 0u) << w.place; },
                    [](const solver::Unknown&) {});
}

TEST(VerifyFiles, ARightTooFewIsALoss) {
  for (const char* right : {"write_file", "truncate", "make_fifo", "remove_dir", "refer", "read_dir"}) {
    Case c;
    c.p.allow("read write", {"/w/**"});
    Json file = c.emitted();
    Json& rights = rule_on(file, "/w/")["allowedAccess"];
    for (std::size_t i = 0; i < rights.size(); ++i)
      if (rights[i] == right) rights.erase(i);
    const auto out = c.check(file);
    EXPECT_NE(Case::verdict(out, Direction::Loss), "proved") << right;
    EXPECT_EQ(Case::verdict(out, Direction::Excess), "proved") << right;
  }
}

TEST(VerifyFiles, ARightThatIsNotHandledIsOpenEverywhere) {
  for (const char* right : {"make_sym", "execute", "remove_file", "truncate"}) {
    Case c;
    c.p.allow("read", {"/w/**"});
    Json file = c.emitted();
    Json& handled = file["ruleset"][0]["handledAccessFs"];
    for (std::size_t i = 0; i < handled.size(); ++i)
      if (handled[i] == right) handled.erase(i);
    for (auto& rule : file["pathBeneath"])
      for (std::size_t i = 0; i < rule["allowedAccess"].size(); ++i)
        if (rule["allowedAccess"][i] == right) rule["allowedAccess"].erase(i);
    EXPECT_NE(Case::verdict(c.check(file), Direction::Excess), "proved") << right;
  }
}

TEST(VerifyFiles, AnotherDirectoryIsBoth) {
  Case c;
  c.p.allow("read write", {"/w/**"});
  Json file = c.emitted();
  rule_on(file, "/w/")["parent"] = {"/w2/"};
  const auto out = c.check(file);
  EXPECT_EQ(Case::verdict(out, Direction::Excess).find("\"/w2"), Case::verdict(out, Direction::Excess).find('"'));
  EXPECT_NE(Case::verdict(out, Direction::Loss).find("\"/w"), std::string::npos);
}

TEST(VerifyFiles, ARefusalBeneathAPermittedDirectoryIsAnExcessUnlessItWasAccepted) {
  Case c;
  c.p.allow("read write", {"/w/**"}).deny("write", {"/w/.git/hooks/**"});
  EXPECT_NE(Case::verdict(c.check(c.emitted()), Direction::Excess).find("/w/.git/hooks/"), std::string::npos);
  model::Accept accept;
  accept.kind = model::Accept::Kind::Wider;
  accept.fact = "write \"/w/.git/hooks/**\"";
  accept.because = "x";
  c.p.policy.accepts.push_back(accept);
  EXPECT_EQ(Case::verdict(c.check(c.emitted()), Direction::Excess), "proved");
  // and no more than that: the same right one directory further is found
  Json file = c.emitted();
  rule_on(file, "/w/")["parent"].push_back("/v/");
  EXPECT_NE(Case::verdict(c.check(file), Direction::Excess).find("\"/v"), std::string::npos);
}

TEST(VerifyFiles, AttributesAreAnExcessWhereTheirCallsArePermitted) {
  Case c;
  c.p.allow("read write", {"/w/**"}).call(model::Effect::Allow, "chmod");
  EXPECT_EQ(Case::verdict(c.check(c.emitted()), Direction::Excess).rfind("modify ", 0), 0u);
  c.p.call(model::Effect::Deny, "chmod");
  EXPECT_EQ(Case::verdict(c.check(c.emitted()), Direction::Excess), "proved");
}

TEST(VerifyFiles, InAContainerAnExcessOfOneLayerIsNotTheStacks) {
  Case c;
  c.target.stack = "oci+landlock";
  c.p.allow("read write", {"/w/**"}).deny("write", {"/w/.git/hooks/**"});
  const auto out = c.check(c.emitted());
  EXPECT_EQ(Case::verdict(out, Direction::Excess), "nothing") << "the mounts were not read: neither proved nor refuted";
  EXPECT_EQ(Case::verdict(out, Direction::Loss), "proved");
}

TEST(VerifyFiles, APortThatIsMissingIsALoss) {
  Case c;
  c.p.name_rule("registry.internal");
  EXPECT_EQ(Case::verdict(c.check(c.emitted()), Direction::Loss), "proved");
  Json file = c.emitted();
  file["netPort"][0]["port"] = {53};
  EXPECT_EQ(Case::verdict(c.check(file), Direction::Loss), "connect tcp registry.internal:443");
}

TEST(VerifyPorts, AbstractSocketsOutside) {
  Case c;
  const Json right = c.emitted();
  ASSERT_TRUE(right["ruleset"][0].contains("scoped")) << right.dump();
  Json without = right;
  without["ruleset"][0].erase("scoped");
  EXPECT_EQ(Case::verdict(c.check(right), Direction::Excess), "proved");
  EXPECT_EQ(Case::verdict(c.check(without), Direction::Excess), "connect unix @abstract");
  // a policy that allows them loses them by the scope
  model::Rule rule;
  rule.effect = model::Effect::Allow;
  model::UnixBody body;
  body.abstract = true;
  rule.body = body;
  c.p.policy.rules.push_back(rule);
  EXPECT_FALSE(c.emitted()["ruleset"][0].dump().find("abstract") != std::string::npos);
  EXPECT_EQ(Case::verdict(c.check(right), Direction::Loss), "connect unix @abstract");
  EXPECT_EQ(Case::verdict(c.check(without), Direction::Loss), "proved");
  // kernels before the scopes: nothing of this stack decides, and nothing says that it does
  Case old;
  old.target.landlock_abi = 5;
  const Json before = old.emitted();
  EXPECT_FALSE(before["ruleset"][0].contains("scoped"));
  EXPECT_EQ(Case::verdict(old.check(before), Direction::Excess), "proved");
}

}  // namespace
}  // namespace agp::verify
