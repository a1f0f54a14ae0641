#include <gtest/gtest.h>

#include <functional>

#include "compiler/analysis/difference.hpp"

// What is run and with what is no set of actions. A change of it is never "the same", and in one direction only where
// it is plainly more or less.
namespace agp::analysis {
namespace {

using model::Mount;
using model::Policy;

constexpr std::uint64_t mib = 1 << 20;

Policy policy() {
  Policy p;
  p.name = "p";
  p.env_set = {{"PATH", "/usr/bin"}};
  p.run.command = {"/usr/bin/true"};
  p.run.workdir = "/w";
  p.run.hostname = "a";
  p.run.cgroup = "/agp/p";
  p.run.user = model::User{1000, 1000, {}};
  p.run.mounts = {{std::nullopt, "/w", true, mib, {}}, {"/srv/data", "/data", false, std::nullopt, {}}};
  return p;
}

/// `+` for each change that is wider, `-` for each that is not.
std::string signs(const Policy& before, const Policy& after) {
  std::string out;
  const Difference found = difference(before, after);
  EXPECT_TRUE(found.wider.empty() && found.narrower.empty());
  EXPECT_EQ(found.same(), found.others.empty());
  for (const OtherChange& o : found.others) out += o.wider ? '+' : '-';
  return out;
}

TEST(DifferenceRun, NothingChanged) { EXPECT_EQ(signs(policy(), policy()), ""); }

TEST(DifferenceRun, WhatIsNeitherMoreNorLessIsBoth) {
  const std::pair<const char*, std::function<void(Policy&)>> changes[] = {
      {"rootfs", [](Policy& p) { p.run.rootfs = "/srv/root"; }},
      {"gid", [](Policy& p) { p.run.user->gid = 0; }},
      {"uid and gid",
       [](Policy& p) {
         p.run.user = model::User{2000, 2000, {}};
       }},
      {"root",
       [](Policy& p) {
         p.run.user = model::User{0, 0, {}};
       }},
      {"no user", [](Policy& p) { p.run.user.reset(); }},
      {"argument", [](Policy& p) { p.run.command.push_back("-c"); }},
      {"another split into words",
       [](Policy& p) {
         p.run.command = {"/usr/bin/true", ""};
       }},
      {"no command", [](Policy& p) { p.run.command.clear(); }},
      {"workdir", [](Policy& p) { p.run.workdir = "/data"; }},
      {"no workdir", [](Policy& p) { p.run.workdir.reset(); }},
      {"hostname", [](Policy& p) { p.run.hostname = "b"; }},
      {"cgroup", [](Policy& p) { p.run.cgroup = "/agp/q"; }},
      {"no cgroup", [](Policy& p) { p.run.cgroup.reset(); }},
      {"interface", [](Policy& p) { p.run.interface = "eth0"; }},
      {"a variable's value", [](Policy& p) { p.env_set["PATH"] = "/bin"; }},
      {"a mount's source", [](Policy& p) { p.run.mounts[1].source = "/etc"; }},
      {"a mount's target", [](Policy& p) { p.run.mounts.pop_back(); }},
      {"a tmpfs for a directory", [](Policy& p) { p.run.mounts[1].source.reset(); }},
  };
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    Policy other = policy();
    change(other);
    EXPECT_EQ(signs(policy(), other), "+-");
    EXPECT_EQ(signs(other, policy()), "+-");
  }
}

TEST(DifferenceRun, ASizeIsABound) {
  const auto sized = [](std::optional<std::uint64_t> size) {
    Policy p = policy();
    p.run.mounts[0].size_bytes = size;
    return p;
  };
  EXPECT_EQ(signs(sized(mib), sized(2 * mib)), "+");
  EXPECT_EQ(signs(sized(2 * mib), sized(mib)), "-");
  EXPECT_EQ(signs(sized(mib), sized(std::nullopt)), "+");
  EXPECT_EQ(signs(sized(std::nullopt), sized(mib)), "-");
  EXPECT_EQ(signs(sized(std::nullopt), sized(std::nullopt)), "");
}

TEST(DifferenceRun, TheOrderOfMountsIsNone) {
  Policy other = policy();
  std::swap(other.run.mounts[0], other.run.mounts[1]);
  EXPECT_EQ(signs(policy(), other), "");
}

}  // namespace
}  // namespace agp::analysis
