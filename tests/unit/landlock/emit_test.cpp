#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/linux/landlock.hpp"
#include "tests/unit/landlock/support.hpp"

namespace agp::test {
namespace {

using Words = std::vector<std::string>;

TEST(LandlockEmit, EveryRightOfTheAbiIsHandledSoThatWhatNoRuleNamesIsRefused) {
  FilePolicy p;
  p.allow("read", {"/usr/**"});
  const std::size_t fs[] = {0, 13, 14, 15, 15, 16, 16, 16, 16, 17, 17};
  for (int abi = 1; abi <= 10; ++abi) {
    const auto handled = ruleset(p.policy, abi)["ruleset"][0];
    EXPECT_EQ(handled["handledAccessFs"].size(), fs[abi]) << abi;
    EXPECT_EQ(handled.contains("handledAccessNet") ? handled["handledAccessNet"].size() : 0, abi < 4    ? 0u
                                                                                             : abi < 10 ? 2u
                                                                                                        : 4u)
        << abi;
    EXPECT_EQ(handled.contains("scoped") ? handled["scoped"].size() : 0, abi < 6 ? 0u : 2u) << abi;
  }
  EXPECT_EQ(ruleset(p.policy, 14), ruleset(p.policy, 10)) << "an ABI above the table is the highest known";
}

TEST(LandlockEmit, ADirectoryHasASlashAndAFileOnlyTheRightsOfAFile) {
  FilePolicy p;
  p.allow("read write", {"/w/**"}).allow("read exec", {"/usr/bin/python3"}).allow("read modify", {"/dev/null"});
  const auto file = ruleset(p.policy, 5);
  EXPECT_EQ(rights_at(file, "/w/"),
            (Words{"write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_dir", "make_reg",
                   "make_sock", "make_fifo", "make_sym", "refer", "truncate", "ioctl_dev"}));
  EXPECT_EQ(rights_at(file, "/usr/bin/python3"), (Words{"execute", "read_file", "ioctl_dev"}));
  EXPECT_EQ(rights_at(file, "/dev/null"), (Words{"write_file", "read_file", "truncate", "ioctl_dev"}));
  for (const auto& rule : file["pathBeneath"])
    for (const std::string right : rule["allowedAccess"]) EXPECT_NE(right.substr(0, 8), "make_cha") << "no devices";
}

TEST(LandlockEmit, AnOlderKernelGetsNoRightThatItDoesNotKnow) {
  FilePolicy p;
  p.allow("read write", {"/w/**"});
  for (int abi = 1; abi <= 10; ++abi) {
    const auto rights = rights_at(ruleset(p.policy, abi), "/w/");
    for (const std::string& right : rights)
      EXPECT_LE(linux::landlock::find_right(linux::landlock::Sort::Fs, right)->abi, abi) << right;
    EXPECT_EQ(std::count(rights.begin(), rights.end(), "refer"), abi >= 2) << abi;
  }
}

TEST(LandlockEmit, ANodeWithSomethingBeneathItIsADirectory) {
  FilePolicy p;
  p.allow("read", {"/etc", "/etc/ssl/**"});
  const auto file = ruleset(p.policy, 5);
  EXPECT_EQ(rights_at(file, "/etc/"), Words{"read_dir"}) << "reading a directory is listing it";
  EXPECT_TRUE(rights_at(file, "/etc").empty()) << "the launcher takes it for a file";
}

TEST(LandlockEmit, WhatARefusalTakesAwayAsAWholeGetsNoRight) {
  FilePolicy p;
  p.allow("read write", {"/w/**"}).deny("write", {"/w/**"});
  EXPECT_EQ(rights_at(ruleset(p.policy, 5), "/w/"), (Words{"read_file", "read_dir", "ioctl_dev"}));
}

TEST(LandlockEmit, AWildcardIsWidenedToItsDirectoryAndNeverToTheRoot) {
  FilePolicy p;
  p.allow("read", {"/srv/*.txt", "/**/.profile"});
  const auto file = ruleset(p.policy, 5);
  EXPECT_FALSE(rights_at(file, "/srv/").empty());
  EXPECT_TRUE(rights_at(file, "/").empty());
}

TEST(LandlockEmit, DollarsAreNoVariables) {
  FilePolicy p;
  p.allow("read", {"/srv/${x}$/**"});
  EXPECT_FALSE(rights_at(ruleset(p.policy, 5), "/srv/$${x}$$/").empty());
}

TEST(LandlockEmit, TextThatJsonCantCarryIsAProblem) {
  FilePolicy p;
  p.allow("read", {"/srv/\xff/**"});
  const auto out = backends::landlock::backend().emit(startable(p.policy), landlock_target(5), {});
  EXPECT_TRUE(out.artifacts.empty());
  ASSERT_EQ(out.problems.size(), 1u);
  EXPECT_EQ(out.problems[0].rule, 0u);
}

model::NetBody ports(model::Direction direction, model::PortSet set, model::Protocol protocol = model::Protocol::Tcp) {
  model::NetBody body;
  body.direction = direction;
  body.protocols = static_cast<model::Protocols>(protocol);
  model::EndpointPattern e;
  e.addresses = model::AddressSet::all();
  e.ports = set;
  body.endpoints.push_back({e, {}, "connect"});
  return body;
}

TEST(LandlockEmit, PortsFromFour) {
  FilePolicy p;
  p.rule(model::Effect::Allow, ports(model::Direction::Connect, model::PortSet::range(443, 444)))
      .rule(model::Effect::Allow, ports(model::Direction::Listen, model::PortSet::range(80, 80)))
      .rule(model::Effect::Allow,
            ports(model::Direction::Connect, model::PortSet::range(53, 53), model::Protocol::Udp));
  EXPECT_FALSE(ruleset(p.policy, 3).contains("netPort"));
  const auto four = ruleset(p.policy, 4)["netPort"];
  ASSERT_EQ(four.size(), 2u);
  EXPECT_EQ(four[0], (nlohmann::json{{"allowedAccess", {"connect_tcp"}}, {"port", {443, 444}}}));
  EXPECT_EQ(four[1], (nlohmann::json{{"allowedAccess", {"bind_tcp"}}, {"port", {80}}}));
  EXPECT_EQ(ruleset(p.policy, 10)["netPort"][2],
            (nlohmann::json{{"allowedAccess", {"connect_send_udp"}}, {"port", {53}}}));
}

TEST(LandlockEmit, EveryPortIsNoRuleAndTheRightIsNotHandled) {
  FilePolicy p;
  p.rule(model::Effect::Allow, ports(model::Direction::Connect, model::PortSet::all()));
  const auto file = ruleset(p.policy, 4);
  EXPECT_EQ(file["ruleset"][0]["handledAccessNet"], (nlohmann::json{"bind_tcp"}));
  EXPECT_FALSE(file.contains("netPort"));
}

TEST(LandlockEmit, AbstractSocketsAreOutOfReachUnlessARulePermitsThem) {
  FilePolicy p;
  p.allow("read", {"/usr/**"}).sock(model::Effect::Allow, model::Direction::Connect, "@abstract");
  EXPECT_EQ(ruleset(p.policy, 6)["ruleset"][0]["scoped"], (nlohmann::json{"signal"}));
}

TEST(LandlockEmit, SocketsByPathFromNine) {
  FilePolicy p;
  p.allow("read", {"/usr/**"}).sock(model::Effect::Allow, model::Direction::Connect, "/run/x.sock");
  EXPECT_TRUE(rights_at(ruleset(p.policy, 8), "/run/x.sock").empty());
  EXPECT_EQ(rights_at(ruleset(p.policy, 9), "/run/x.sock"), Words{"resolve_unix"});
}

TEST(LandlockEmit, TheResolversAddressIsReadableWhereTheStackMountsIt) {
  FilePolicy p;
  p.allow("read", {"/usr/**"}).name_rule("registry.internal");
  EXPECT_FALSE(rights_at(ruleset(p.policy, 4, "oci+landlock"), "/etc/resolv.conf").empty());
  EXPECT_TRUE(rights_at(ruleset(p.policy, 4), "/etc/resolv.conf").empty());
  EXPECT_EQ(ruleset(p.policy, 4, "oci+landlock")["netPort"][0]["port"], (nlohmann::json{53, 443}));
}

TEST(LandlockEmit, RulesAreFoundByTheirIds) {
  FilePolicy p;
  p.allow("read", {"/a/**", "/b/**"}).deny("read", {"/a/c/**"});
  const auto out = backends::landlock::backend().emit(startable(p.policy), landlock_target(5), {});
  const auto json = nlohmann::json::parse(out.artifacts.at(0).bytes);
  std::size_t hits = 0;
  for (const auto& m : out.map) {
    ASSERT_TRUE(json.contains(nlohmann::json::json_pointer(m.place))) << m.place;
    if (m.rule == "r0") hits += json[nlohmann::json::json_pointer(m.place)].is_string();
  }
  EXPECT_EQ(hits, 2u);
}

TEST(LandlockEmit, ACommandThatTheLauncherCouldNotStartIsAProblem) {
  const auto problems = [](const model::Policy& p) {
    std::string out;
    for (const auto& one : backends::landlock::backend().emit(p, landlock_target(5), {}).problems)
      out += one.message + ";";
    return out;
  };
  FilePolicy p;
  p.call(model::Effect::Allow, "execve");
  EXPECT_NE(problems(p.policy).find("executes `/bin/true` under the rules"), std::string::npos);
  p.allow("read exec", {"/bin/*"});
  EXPECT_EQ(problems(p.policy), "");
  p.policy.run.command.push_back("{dir}/x");
  EXPECT_NE(problems(p.policy).find("`{dir}`"), std::string::npos);
  EXPECT_NE(problems(FilePolicy().policy).find("`execve`"), std::string::npos);
}

TEST(LandlockEmit, OnlyStacksThatLoadItGetIt) {
  FilePolicy p;
  p.allow("read", {"/usr/**"});
  EXPECT_TRUE(ruleset(p.policy, 5, "oci").is_null());
  EXPECT_FALSE(ruleset(p.policy, 5, "oci+landlock").is_null());
}

}  // namespace
}  // namespace agp::test
