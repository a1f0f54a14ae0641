#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "backends/landlock/decode/config.hpp"
#include "backends/landlock/decode/layer.hpp"
#include "tests/unit/landlock/support.hpp"

namespace agp::test {
namespace {

using namespace backends::landlock;
namespace inode = model::inode;

backends::Decoded decode(const std::string& text, int abi = 7) {
  const backends::Artifact artifact{"landlock/ruleset.json", text};
  return backend().decode(std::span(&artifact, 1), landlock_target(abi));
}

model::InodeCell cell(const model::InodeLayer& layer, const std::string& base) {
  for (const auto& c : layer.cells)
    if (c.base == base) return c;
  ADD_FAILURE() << base;
  return {};
}

std::string rule(const std::string& rights, const std::string& path, const std::string& handled = "\"abi.all\"") {
  return R"({"abi":5,"ruleset":[{"handledAccessFs":[)" + handled + R"(]}],"pathBeneath":[{"allowedAccess":[)" + rights +
         R"(],"parent":[")" + path + R"("]}]})";
}

TEST(LandlockDecode, ARightHoldsOnTheNodeAndBeneathIt) {
  const auto out = decode(rule(R"("read_file","read_dir")", "/a/b/"));
  ASSERT_EQ(out.inodes.size(), 1u);
  const auto& layer = *out.inodes[0];
  EXPECT_EQ(cell(layer, "/a").at & (inode::read | inode::list), 0u);
  EXPECT_EQ(cell(layer, "/a/b").beneath & (inode::read | inode::list), inode::read | inode::list);
  EXPECT_NE(cell(layer, "/a/b").absent_at & inode::read, 0u) << "a directory is not read";
  EXPECT_NE(cell(layer, "/").at & inode::attributes, 0u) << "no right decides attributes";
}

TEST(LandlockDecode, MakingAndRemovingAreDecidedOnTheParent) {
  const auto out = decode(rule(R"("make_reg","remove_file","refer")", "/a/"));
  const auto& c = cell(*out.inodes[0], "/a");
  const auto entry = inode::make_regular | inode::remove_file | inode::refer;
  EXPECT_EQ(c.at & entry, 0u) << "/a itself lies in /";
  EXPECT_EQ(c.beneath & entry, entry);
}

TEST(LandlockDecode, WhatIsNotHandledIsFreeButReferIsRefused) {
  const auto out = decode(rule(R"("write_file")", "/a/", R"("write_file")"));
  const auto& root = cell(*out.inodes[0], "/");
  EXPECT_NE(root.at & inode::read, 0u);
  EXPECT_EQ(root.beneath & inode::open_write, 0u);
  EXPECT_NE(root.beneath & inode::make_device, 0u);
  EXPECT_EQ(root.beneath & inode::refer, 0u);
}

TEST(LandlockDecode, RightsOfARuleAreHandledThoughTheListLacksThem) {
  const auto out = decode(R"({"pathBeneath":[{"allowedAccess":["read_file"],"parent":["/a/"]}]})");
  EXPECT_EQ(cell(*out.inodes[0], "/").beneath & inode::read, 0u);
}

TEST(LandlockDecode, ExecNeedsReadingToo) {
  EXPECT_EQ(cell(*decode(rule(R"("execute")", "/a/")).inodes[0], "/a").beneath & inode::exec, 0u);
  EXPECT_NE(cell(*decode(rule(R"("execute","read_file")", "/a/")).inodes[0], "/a").beneath & inode::exec, 0u);
}

TEST(LandlockDecode, NothingLiesBeneathAFile) {
  const auto& c = cell(*decode(rule(R"("read_file")", "/etc/hosts")).inodes[0], "/etc/hosts");
  EXPECT_EQ(c.absent_beneath, inode::all);
  EXPECT_NE(c.absent_at & inode::list, 0u);
}

TEST(LandlockDecode, VariablesAndDollars) {
  const auto out = decode(R"({"abi":5,"variable":[{"name":"h","literal":["/x","/y"]}],
    "pathBeneath":[{"allowedAccess":["abi.read_write"],"parent":["${h}/$${h}/"]}]})");
  ASSERT_EQ(out.inodes.size(), 1u);
  EXPECT_NE(cell(*out.inodes[0], "/x/${h}").beneath & inode::open_write, 0u);
  EXPECT_NE(cell(*out.inodes[0], "/y/${h}").beneath & inode::open_write, 0u);
}

TEST(LandlockDecode, PortsOnlyWhereTheRightIsHandled) {
  const auto out = decode(
      R"({"ruleset":[{"handledAccessNet":["connect_tcp"]}],"netPort":[{"allowedAccess":["connect_tcp"],"port":[443,0]}]})");
  ASSERT_EQ(out.ports.size(), 1u);
  EXPECT_EQ(*out.ports[0]->connect_tcp, model::PortSet::range(443, 443));
  EXPECT_FALSE(out.ports[0]->listen_tcp);
}

TEST(LandlockDecode, WhatTheLauncherRefusesIsRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"ruleset":[{"handledAccessFs":["read_file"],"x":1}]})", "unknown key `x`"},
      {R"({"rulesets":[]})", "unknown key `rulesets`"},
      {R"({"ruleset":[{"handledAccessFs":["fly"]}]})", "unknown right `fly`"},
      {R"({"ruleset":[{"handledAccessFs":["abi.all"]}]})", "needs an `abi`"},
      {R"({"abi":11,"ruleset":[{"handledAccessFs":["abi.all"]}]})", "above 10"},
      {R"({"abi":1,"abi":5,"ruleset":[{"handledAccessFs":["abi.all"]}]})", "stands twice"},
      {R"({"ruleset":[]})", "not a list with content"},
      {R"({"abi":3,"ruleset":[{"handledAccessNet":["abi.all"]}]})", "restricts nothing"},
      {R"({"pathBeneath":[{"allowedAccess":["read_file"],"parent":["a/b"]}]})", "not an absolute path"},
      {R"({"pathBeneath":[{"allowedAccess":["read_file"],"parent":["/a/../b"]}]})", "not an absolute path"},
      {R"({"pathBeneath":[{"allowedAccess":["read_file"],"parent":["/${x}"]}]})", "variable"},
      {R"({"pathBeneath":[{"allowedAccess":["read_file"],"parent":["/a","/a/"]}]})", "a directory by one rule"},
      {R"({"netPort":[{"allowedAccess":["bind_tcp"],"port":[65536]}]})", "no port"},
      {R"({"ruleset":[{"handledAccessFs":["resolve_unix"]}]})", "needs Landlock ABI 9"},
      {"[1]", "not an object"},
      {"{", "not JSON"},
      {"", "not JSON"},
  };
  for (const auto& [text, why] : cases) {
    const auto out = decode(text);
    EXPECT_TRUE(out.inodes.empty()) << text;
    ASSERT_EQ(out.problems.size(), 1u) << text;
    EXPECT_NE(out.problems[0].message.find(why), std::string::npos) << out.problems[0].message;
  }
  std::string deep(100000, '[');
  EXPECT_EQ(decode(deep).problems.size(), 1u);
}

TEST(LandlockDecode, OnlyTheFileThatTheStackLoads) {
  const backends::Artifact other{"landlock/extra.json", rule("\"read_file\"", "/a/")};
  EXPECT_TRUE(backend().decode(std::span(&other, 1), landlock_target(7)).inodes.empty());
}

// landlockconfig's compose: what both handle, with the rules of either. Two files that each protect something else
// protect nothing together.
TEST(LandlockCompose, AnotherFileCanPermitMore) {
  const auto a = read_config(rule(R"("read_file")", "/a/", R"("read_file","write_file")")).config;
  const auto b = read_config(rule(R"("execute")", "/b/", R"("execute","read_file")")).config;
  ASSERT_TRUE(a && b);
  const Config both = compose(*a, *b);
  const auto alone = layers_of(*a, "x").files, joined = layers_of(both, "x").files;
  EXPECT_EQ(cell(*alone, "/").beneath & inode::open_write, 0u);
  EXPECT_NE(cell(*joined, "/").beneath & inode::open_write, 0u);
  const Config turned = compose(*b, *a);
  EXPECT_EQ(turned.handled_fs, both.handled_fs);
  EXPECT_EQ(turned.paths.size(), both.paths.size());
}

// The composition that landlockconfig's own test states (s1.toml has no JSON twin for s2: written out here).
TEST(LandlockCompose, TheProjectsOwnExample) {
  const std::string folder = std::string(AGP_SOURCE_DIR) + "/../shared/data/landlockconfig/tests/composition/";
  std::ifstream one(folder + "source/s1.json"), whole(folder + "s.json");
  if (!one || !whole) GTEST_SKIP() << "landlockconfig's tests are not beside the checkout";
  std::stringstream s1, s;
  s1 << one.rdbuf();
  s << whole.rdbuf();
  const auto a = read_config(s1.str()).config;
  const auto b = read_config(R"({"abi":4,"variable":[{"name":"rw","literal":["/home/user/tmp"]}],
    "ruleset":[{"handledAccessFs":["abi.all"]}],
    "pathBeneath":[{"allowedAccess":["abi.read_execute"],"parent":["/home/user/bin"]}]})")
                     .config;
  const auto expected = read_config(s.str()).config;
  ASSERT_TRUE(a && b && expected);
  const Config made = compose(*a, *b);
  EXPECT_EQ(made.abi, expected->abi);
  EXPECT_EQ(made.handled_fs, expected->handled_fs);
  EXPECT_EQ(made.variables, expected->variables);
  ASSERT_EQ(made.paths.size(), expected->paths.size());
  for (const auto& [path, r] : expected->paths) EXPECT_EQ(made.paths.at(path).rights, r.rights) << path;
}

}  // namespace
}  // namespace agp::test
