#include <gtest/gtest.h>

#include "tests/support/container.hpp"
#include "tests/support/file_policy.hpp"

// The stack `oci+landlock`: the launcher is the container's first process. What the mounts leave open is closed, what
// they permit still works, and the launcher itself is out of reach.
namespace agp::test {
namespace {

TEST(OciLandlock, WhatTheMountsLeaveOpenIsClosedAndNothingIsLost) {
  const Scratch host;
  host.directory("task", 0777);
  host.file("task/main", "task", 0666);
  FilePolicy p;
  p.allow("read exec", {"/bin/busybox"})
      .mount("/bin/busybox", "/bin/busybox")
      .allow("read write", {"/workspace/**"})
      .allow("read", {"/task/**"})
      .allow("read modify", {"/dev/null"})
      .deny("write", {"/workspace/.git/hooks/**"})
      .call(model::Effect::Allow, "execve");
  p.tmpfs("/workspace", 1 << 20).mount(host.path("task"), "/task");
  const std::vector<std::pair<std::string, std::string>> attempts{
      {"read", "read x < /task/main || [ -n \"$x\" ]"},
      {"write", "echo x > /workspace/a && read x < /workspace/a"},
      {"mkdir", "$b mkdir /workspace/d && $b mv /workspace/a /workspace/d/b"},
      {"hook", "$b touch /workspace/.git/hooks/pre-commit"},
      {"proc", "read x < /proc/self/mountinfo"},
      {"launcher", "$b ls /.agp"},
      {"rules", "read x < /.agp/ruleset.json"},
      {"start", "/.agp/landlock-launch --help"},
      {"root", "$b ls /"},
  };
  const auto plain = attempt(p.policy, attempts);
  const auto both = attempt(p.policy, attempts, {}, "oci+landlock");
  for (const char* name : {"read", "write", "mkdir"}) EXPECT_EQ(both.at(name), 0) << name;
  for (const char* name : {"hook", "proc", "launcher", "rules", "start", "root"}) EXPECT_NE(both.at(name), 0) << name;
  for (const char* name : {"proc", "root"}) EXPECT_EQ(plain.at(name), 0) << "without Landlock: " << name;
}

}  // namespace
}  // namespace agp::test
