#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/file_policy.hpp"
#include "tests/support/stack_commands.hpp"

namespace agp::test {
namespace {

bool starts(const std::vector<Command>& list, const Command& words) {
  return std::any_of(list.begin(), list.end(), [&](const Command& c) {
    return c.size() >= words.size() && std::equal(words.begin(), words.end(), c.begin());
  });
}

TEST(Stacks, OnlyTheThreeWordsInBracesAndNoShell) {
  FilePolicy p;
  p.allow("read write", {"/w/**"})
      .deny("read write", {"/w/a/keys/**", "/w/token"})
      .name_rule("registry.internal")
      .tmpfs("/w");
  p.policy.limits.time_ms = {{600000, {}}};
  expect_plain_words(plan::stack_commands(p.policy, debian12()));
}

TEST(Stacks, RunIsTheTimedFormOfTheContract) {
  FilePolicy p;
  p.policy.limits.time_ms = {{600000, {}}};
  const Command expected{"timeout", "-s",           "KILL",         "600",  "unshare", "--pid",
                         "--fork",  "--kill-child", "--mount-proc", "runc", "--root",  "{run}/state",
                         "run",     "--bundle",     "{run}",        "{id}"};
  EXPECT_EQ(plan::stack_commands(p.policy, debian12()).run, std::vector<Command>{expected});
  p.policy.limits.time_ms = {{1050, {}}};
  EXPECT_EQ(plan::stack_commands(p.policy, debian12()).run[0][3], "1.050");
  p.policy.limits.time_ms.reset();
  EXPECT_EQ(plan::stack_commands(p.policy, debian12()).run[0][0], "unshare");
}

TEST(Stacks, NothingWritesToTheBuiltDirectory) {
  FilePolicy p;
  p.name_rule("registry.internal");
  for (const Command& c : all(plan::stack_commands(p.policy, debian12())))
    for (std::size_t i = 0; i < c.size(); ++i)
      if (c[i].find("{dir}") != std::string::npos) {
        const bool copied = i + 2 == c.size() && (c[0] == "cp" || c[0] == "install");
        EXPECT_TRUE(copied || c[i - 1] == "-f" || c[i].rfind("--conf-file=", 0) == 0) << c[i];
      }
}

TEST(Stacks, TheResolverRunsOnlyWhereNamesArePermitted) {
  FilePolicy p;
  const auto without = all(plan::stack_commands(p.policy, debian12()));
  EXPECT_FALSE(starts(without, {"ip", "netns", "exec", "agp-test", "dnsmasq"}));
  EXPECT_FALSE(starts(without, {"pkill"}));
  p.name_rule("registry.internal");
  const auto with = plan::stack_commands(p.policy, debian12());
  EXPECT_TRUE(starts(with.prepare, {"ip", "netns", "exec", "agp-test", "dnsmasq"}));
  EXPECT_TRUE(starts(with.finally, {"pkill"}));
}

TEST(Stacks, PacketRulesAreLoadedBeforeTheLoopbackComesUp) {
  FilePolicy p;
  const auto prepare = plan::stack_commands(p.policy, debian12()).prepare;
  const auto at = [&](const std::string& word) {
    return std::find_if(prepare.begin(), prepare.end(),
                        [&](const Command& c) { return std::find(c.begin(), c.end(), word) != c.end(); }) -
           prepare.begin();
  };
  EXPECT_LT(at("nft"), at("up"));
  EXPECT_LT(at("net.mptcp.enabled=0"), at("up"));
}

TEST(Stacks, TargetsOfAWritableHostDirectoryAreCheckedBeforeTheyAreMade) {
  FilePolicy p;
  p.allow("read write", {"/w/**"}).deny("write", {"/w/.git/hooks/**"}).mount("/srv/w", "/w", true);
  const auto prepare = plan::stack_commands(p.policy, debian12()).prepare;
  std::vector<Command> about;
  for (const Command& c : prepare)
    if (c.back().rfind("/srv/w", 0) == 0) about.push_back(c);
  const std::vector<Command> expected{{"test", "!", "-L", "/srv/w/.git"},
                                      {"mkdir", "-p", "--", "/srv/w/.git"},
                                      {"chown", "--no-dereference", "--from=0:0", "65534:65534", "--", "/srv/w/.git"},
                                      {"test", "!", "-L", "/srv/w/.git/hooks"},
                                      {"mkdir", "-p", "--", "/srv/w/.git/hooks"}};
  EXPECT_EQ(about, expected);
}

TEST(Stacks, AStackThatNobodyKnowsHasNoCommands) {
  auto target = debian12();
  target.stack = "other";
  EXPECT_TRUE(all(plan::stack_commands(FilePolicy().policy, target)).empty());
}

TEST(Stacks, WithLandlockTheLauncherAndItsRulesAreMountedAndStartTheCommand) {
  FilePolicy p;
  p.capability("CAP_NET_BIND_SERVICE");
  auto target = debian12();
  target.stack = "oci+landlock";
  const auto prepare = plan::stack_commands(p.policy, target).prepare;
  EXPECT_TRUE(starts(prepare, {"install", "-m", "0555", "--", "{launcher}", "{run}/landlock-launch"}));
  EXPECT_TRUE(starts(prepare, {"touch", "--", "{run}/rootfs/.agp/landlock-launch", "{run}/rootfs/.agp/ruleset.json"}));
  const auto config = nlohmann::json::parse(backends::oci::backend().emit(p.policy, target, {}).artifacts.at(0).bytes);
  EXPECT_EQ(config["process"]["args"],
            (nlohmann::json{"/.agp/landlock-launch", "--ruleset", "/.agp/ruleset.json", "--pass-env", "*",
                            "--capability", "CAP_NET_BIND_SERVICE", "--", "/bin/true"}));
  const auto& last = config["mounts"].back();
  EXPECT_EQ(last["destination"], "/.agp/ruleset.json");
  EXPECT_EQ(last["options"], (nlohmann::json{"bind", "rprivate", "ro", "nosuid", "nodev", "noexec"}));
}

TEST(Stacks, TheLauncherGetsItAllAndPacketRulesComeFirst) {
  FilePolicy p;
  p.policy.run.user = model::User{1000, 1001, {}};
  p.policy.run.cgroup = "/agents/one";
  p.policy.run.workdir = "/srv";
  p.policy.limits.time_ms = {{5000, {}}};
  p.policy.limits.files = {{64, {}}};
  p.policy.env_set["A"] = "b";
  auto target = debian12();
  target.stack = "launcher";
  const auto commands = plan::stack_commands(p.policy, target);
  EXPECT_EQ(commands.prepare, (std::vector<Command>{{"mkdir", "-p", "--", "/sys/fs/cgroup/agents/one"},
                                                    {"nft", "-f", "{dir}/nftables/egress.nft"}}));
  const Command expected{"timeout",      "-s",
                         "KILL",         "5",
                         "unshare",      "--pid",
                         "--fork",       "--kill-child",
                         "--mount-proc", "{launcher}",
                         "--ruleset",    "{dir}/landlock/ruleset.json",
                         "--seccomp",    "{dir}/seccomp/filter.x86_64.bpf",
                         "--user",       "1000:1001",
                         "--cgroup",     "/sys/fs/cgroup/agents/one",
                         "--rlimit",     "core=0",
                         "--rlimit",     "nofile=64",
                         "--directory",  "/srv",
                         "--env",        "A=b",
                         "--",           "/bin/true"};
  EXPECT_EQ(commands.run, std::vector<Command>{expected});
  EXPECT_EQ(plan::loaded_files(p.policy, target),
            (std::vector<std::string>{"nftables/egress.nft", "landlock/ruleset.json", "seccomp/filter.x86_64.bpf"}));
}

TEST(Stacks, AProcessIsStartedByTheLauncherUnlessTheTargetNamesAnotherStack) {
  model::Policy p;
  p.isolation = model::Isolation::Process;
  EXPECT_EQ(plan::target_for(p, debian12()).stack, "launcher");
  auto other = debian12();
  other.stack = "oci+landlock";
  EXPECT_EQ(plan::target_for(p, other).stack, "oci+landlock");
  p.isolation = model::Isolation::Container;
  EXPECT_EQ(plan::target_for(p, debian12()).stack, "oci");
}

}  // namespace
}  // namespace agp::test
