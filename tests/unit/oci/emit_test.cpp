#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/file_policy.hpp"

namespace agp::test {
namespace {

using Json = nlohmann::ordered_json;
using model::Effect;

backends::Emitted emit(const FilePolicy& p, std::vector<backends::Artifact> earlier = {}) {
  return backends::oci::backend().emit(p.policy, debian12(), earlier);
}

Json config(const FilePolicy& p, std::vector<backends::Artifact> earlier = {}) {
  const auto e = emit(p, std::move(earlier));
  EXPECT_TRUE(e.problems.empty()) << (e.problems.empty() ? "" : e.problems[0].message);
  return e.artifacts.empty() ? Json() : Json::parse(e.artifacts[0].bytes);
}

std::vector<std::string> destinations(const Json& c) {
  std::vector<std::string> out;
  for (const auto& m : c["mounts"]) out.push_back(m["destination"]);
  return out;
}

/// "type source option,option" of the mount at `destination`; empty when there is none.
std::string mount(const Json& c, const std::string& destination) {
  for (const auto& m : c["mounts"]) {
    if (m["destination"] != destination) continue;
    std::string out = m["type"].get<std::string>() + " " + m["source"].get<std::string>();
    for (const auto& o : m["options"]) out += (out.find(' ') == out.rfind(' ') ? " " : ",") + o.get<std::string>();
    return out;
  }
  return "";
}

const std::vector<std::string> always{"/dev", "/dev/null", "/proc"};

TEST(OciEmit, NothingIsMountedThatNoRulePermits) {
  FilePolicy p;
  p.deny("read", {"/etc/**"}).tmpfs("/unused").mount("/srv", "/srv");
  EXPECT_EQ(destinations(config(p)), always);
}

TEST(OciEmit, EverySubtreeIsOneMountWithTheRightsOfItsRules) {
  FilePolicy p;
  p.allow("read", {"/config/**"})
      .allow("read exec", {"/usr/lib/**"})
      .allow("read write", {"/w/**", "/data/**"})
      .allow("read write exec", {"/w/bin/**"});
  p.tmpfs("/w", 4096).mount("/srv/data", "/data", true).mount("/srv/config", "/config");
  p.policy.run.rootfs = "/srv/image";
  const Json c = config(p);
  EXPECT_EQ(mount(c, "/config"), "bind /srv/config bind,rprivate,ro,nosuid,nodev,noexec");
  EXPECT_EQ(mount(c, "/usr/lib"), "bind /srv/image/usr/lib bind,rprivate,ro,nosuid,nodev");
  EXPECT_EQ(mount(c, "/data"), "bind /srv/data bind,rprivate,rw,nosuid,nodev,noexec");
  EXPECT_EQ(mount(c, "/w"), "tmpfs tmpfs rw,nosuid,nodev,noexec,mode=0700,uid=65534,gid=65534,size=4096");
  EXPECT_EQ(mount(c, "/w/bin"), "tmpfs tmpfs rw,nosuid,nodev,mode=0700,uid=65534,gid=65534,size=4096");
}

TEST(OciEmit, EveryDirectoryBetweenIsPinned) {
  FilePolicy p;
  p.allow("read write", {"/w/**"}).deny("write", {"/w/a/b/c/**", "/w/a/d/**"}).mount("/srv/w", "/w", true);
  const Json c = config(p);
  const std::vector<std::string> expected{"/dev", "/dev/null", "/proc", "/w", "/w/a", "/w/a/b", "/w/a/b/c", "/w/a/d"};
  EXPECT_EQ(destinations(c), expected);
  EXPECT_EQ(mount(c, "/w/a/b"), "bind /srv/w/a/b bind,rprivate,rw,nosuid,nodev,noexec");
  EXPECT_EQ(mount(c, "/w/a/b/c"), "bind /srv/w/a/b/c bind,rprivate,ro,nosuid,nodev,noexec");
}

TEST(OciEmit, PinsAreNotNeededWhereTheParentCantBeWritten) {
  FilePolicy p;
  p.allow("read", {"/c/**"}).allow("read write", {"/c/a/b/**"}).deny("read", {"/c/x/y/**"}).mount("/srv/c", "/c", true);
  const std::vector<std::string> expected{"/c", "/c/a/b", "/c/x/y", "/dev", "/dev/null", "/proc"};
  EXPECT_EQ(destinations(config(p)), expected);
}

TEST(OciEmit, AMaskIsReadOnlyAndShowsNothing) {
  FilePolicy p;
  p.allow("read write", {"/w/**"}).deny("read write", {"/w/keys/**", "/w/token"}).tmpfs("/w");
  const Json c = config(p);
  EXPECT_EQ(mount(c, "/w/keys"), "bind denied-directory bind,rprivate,ro,nosuid,nodev,noexec");
  EXPECT_EQ(mount(c, "/w/token"), "bind denied-file bind,rprivate,ro,nosuid,nodev,noexec");
}

TEST(OciEmit, AMountHidesTheRootBeneathIt) {
  FilePolicy p;  // what a rule names in /task belongs to the mount, not to the root
  p.allow("read", {"/task/in/**"}).allow("read", {"/tasks/**"}).mount("/srv/task", "/task");
  const Json c = config(p);
  EXPECT_EQ(mount(c, "/task/in").substr(0, 18), "bind /srv/task/in ");
  EXPECT_EQ(mount(c, "/tasks").substr(0, 12), "bind /tasks ");
  EXPECT_EQ(mount(c, "/task"), "");
}

TEST(OciEmit, OrderPutsADirectoryBeforeItsContent) {
  FilePolicy p;  // '-' and '.' sort before '/': by bytes /a-b would stand between /a and /a/b
  p.allow("read", {"/a/**", "/a-b/**"}).allow("read exec", {"/a/b/**"}).allow("read", {"/a.c/**"});
  const std::vector<std::string> expected{"/a", "/a/b", "/a-b", "/a.c", "/dev", "/dev/null", "/proc"};
  EXPECT_EQ(destinations(config(p)), expected);
}

TEST(OciEmit, RulesThatEndOrComeFromOtherFilesDontChangeTheBytes) {
  FilePolicy p, q;
  p.allow("read", {"/a/**"}).deny("read", {"/a/b/**"});
  q.deny("read", {"/a/b/**"}).allow("read", {"/a/**"}).allow("read", {"/late/**"});
  q.policy.rules.back().expired = true;
  EXPECT_EQ(emit(p).artifacts[0].bytes, emit(q).artifacts[0].bytes);
  EXPECT_EQ(emit(p).artifacts[0].bytes, emit(p).artifacts[0].bytes);
}

TEST(OciEmit, Process) {
  FilePolicy p;
  p.capability("CAP_SYS_NICE").capability("CAP_CHOWN");
  model::CapabilityBody body;
  body.names.push_back({"CAP_CHOWN", {}, "CAP_CHOWN"});
  p.rule(Effect::Deny, body);
  p.policy.env_set = {{"B", "2"}, {"A", "1"}};
  const Json c = config(p);
  EXPECT_EQ(c["process"]["env"].dump(), R"(["A=1","B=2"])");
  for (const char* set : {"bounding", "effective", "inheritable", "permitted", "ambient"})
    EXPECT_EQ(c["process"]["capabilities"][set].dump(), R"(["CAP_SYS_NICE"])") << set;
  EXPECT_EQ(c["process"]["user"]["uid"], 65534);
  EXPECT_EQ(c["process"]["noNewPrivileges"], true);
  EXPECT_EQ(c["hostname"], "test");
  EXPECT_EQ(c["linux"]["namespaces"].back()["path"], "/run/netns/agp-test");
  EXPECT_FALSE(c.contains("hooks"));
}

TEST(OciEmit, MemoryLimitIncludesSwap) {
  FilePolicy p;
  p.policy.limits.memory_bytes = {{4ull << 30, {}}};
  p.policy.limits.cpu_milli = {{500, {}}};
  const Json r = config(p)["linux"]["resources"];
  EXPECT_EQ(r["memory"]["limit"], 4294967296);
  EXPECT_EQ(r["memory"]["swap"], 4294967296);
  EXPECT_EQ(r["cpu"].dump(), R"({"quota":50000,"period":100000})");
}

TEST(OciEmit, TheProfileIsEmbeddedAsItIs) {
  FilePolicy p;
  EXPECT_FALSE(config(p)["linux"].contains("seccomp"));
  const Json c =
      config(p, {{"seccomp/profile.json", R"({"defaultAction":"SCMP_ACT_ERRNO","z":1,"a":[18446744073709551615]})"}});
  EXPECT_EQ(c["linux"]["seccomp"].dump(), R"({"defaultAction":"SCMP_ACT_ERRNO","z":1,"a":[18446744073709551615]})");
  for (const char* broken : {"", "[]", "{\"defaultAction\":"})
    EXPECT_FALSE(emit(p, {{"seccomp/profile.json", broken}}).problems.empty()) << broken;
}

TEST(OciEmit, WhatNoConfigurationCanCarryIsAProblem) {
  const auto problem = [](auto change) {
    FilePolicy p;
    change(p.policy);
    const auto e = emit(p);
    EXPECT_TRUE(e.artifacts.empty());
    return e.problems.empty() ? std::string() : e.problems[0].message;
  };
  EXPECT_NE(problem([](model::Policy& p) { p.run.command.clear(); }).find("command"), std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) { p.run.command.push_back("\xff"); }).find("UTF-8"), std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) { p.run.command.push_back("\xed\xa0\x80"); }).find("UTF-8"),
            std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) { p.env_set["A"] = std::string("a\0b", 3); }).find("zero byte"),
            std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) { p.limits.pids = {{0, {}}}; }).find("no limit"), std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) { p.limits.memory_bytes = {{0, {}}}; }).find("no limit"), std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) { p.limits.cpu_milli = {{0, {}}}; }).find("no limit"), std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) {
              p.run.mounts.push_back({{}, "/t", true, 0, {}});
            }).find("no limit"),
            std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) { p.env_set["A=B"] = ""; }).find("A=B"), std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) {
              p.run.mounts.push_back({"/a/../etc", "/x", false, {}, {}});
            }).find("/a/../etc"),
            std::string::npos);
  EXPECT_NE(problem([](model::Policy& p) {
              p.run.mounts.push_back({"/srv", "/{run}/x", false, {}, {}});
            }).find("{run}"),
            std::string::npos);
}

TEST(OciEmit, EveryRuleHasAPlaceThatExists) {
  FilePolicy p;
  p.allow("read write", {"/w/**"})
      .deny("write", {"/w/a/b/**"})
      .deny("read", {"/root/**"})
      .capability("CAP_CHOWN")
      .tmpfs("/w");
  const auto e = emit(p);
  const Json c = Json::parse(e.artifacts[0].bytes);
  std::map<std::string, std::vector<std::string>> places;
  for (const auto& m : e.map) {
    EXPECT_EQ(m.artifact, "oci/config.json");
    EXPECT_TRUE(c.contains(Json::json_pointer(m.place))) << m.place;
    places[m.rule].push_back(m.place);
  }
  ASSERT_EQ(places["r1"].size(), 2u);  // the pinned directory and the read-only one
  EXPECT_EQ(c[Json::json_pointer(places["r1"][0])]["destination"], "/w/a");
  EXPECT_EQ(c[Json::json_pointer(places["r1"][1])]["destination"], "/w/a/b");
  EXPECT_EQ(places["r2"], std::vector<std::string>{"/mounts"});
  EXPECT_EQ(places["r3"], std::vector<std::string>{"/process/capabilities"});
}

}  // namespace
}  // namespace agp::test
