#include "compiler/plan/stack.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/stack_commands.hpp"
#include "tests/unit/kubernetes/support.hpp"

// The commands of the stack, as words: none is run here, because there is no cluster.
namespace agp::test {
namespace {

model::Policy with_devices() {
  FilePolicy p = example();
  p.allow("read modify", {"/dev/urandom"}).tmpfs("/dev/shm").allow("read write exec", {"/dev/shm/**"});
  return p.policy;
}

TEST(KubernetesStack, WordsInBracesAreTheStartersAndThereIsNoShell) {
  expect_plain_words(plan::stack_commands(with_devices(), kubernetes()));
}

TEST(KubernetesStack, ThePolicyIsThereBeforeThePod) {
  const auto stack = plan::stack_commands(with_devices(), kubernetes());
  EXPECT_EQ(stack.prepare.back(), (Command{"kubectl", "create", "-f", "{dir}/kubernetes/network-policy.json"}));
  EXPECT_EQ(stack.run.front(), (Command{"kubectl", "create", "-f", "{dir}/kubernetes/pod.json"}));
  EXPECT_EQ(
      plan::loaded_files(with_devices(), kubernetes()),
      (std::vector<std::string>{"seccomp/profile.json", "kubernetes/network-policy.json", "kubernetes/pod.json"}));
}

/// What the pod shows of the policy's directory of the node, and the mount points in it, is what `prepare` makes.
TEST(KubernetesStack, WhatThePodShowsOfTheNodeIsMade) {
  std::set<std::string> made;
  for (const Command& c : plan::stack_commands(with_devices(), kubernetes()).prepare)
    if (c[0] == "install" || c[0] == "touch")
      for (const std::string& w : c) made.insert(w);
  const Json pod = files(with_devices()).pod;
  const std::string node = "/var/lib/agp/example/";
  std::size_t looked = 0;
  const auto is_made = [&](const std::string& path) {
    ++looked;
    const auto within = [&](const std::string& m) { return m == path || m.rfind(path + "/", 0) == 0; };
    EXPECT_TRUE(std::any_of(made.begin(), made.end(), within)) << path;
  };
  for (const Json& v : pod["spec"]["volumes"])
    if (v.contains("hostPath") && v["hostPath"]["path"].get<std::string>().rfind(node, 0) == 0)
      is_made(v["hostPath"]["path"]);
  for (const Json& m : pod["spec"]["containers"][0]["volumeMounts"]) {
    const std::string path = m["mountPath"];
    if (path.rfind("/dev/", 0) == 0 || path.rfind("/sys/", 0) == 0) is_made(node + path.substr(1));
  }
  is_made(node + "dev/termination-log");
  EXPECT_TRUE(made.contains("/var/lib/kubelet/seccomp/" +
                            pod["spec"]["securityContext"]["seccompProfile"]["localhostProfile"].get<std::string>()));
  EXPECT_GE(looked, 9u);
}

TEST(KubernetesStack, OtherLayersAreNotWritten) {
  for (const backends::Backend* backend : backends::all()) {
    const bool advisory = backend->name() == "approvals" || backend->name() == "alerts";
    const bool here = backend->name() == "seccomp" || backend->name() == "kubernetes";
    EXPECT_EQ(plan::writes_for(*backend, "kubernetes"), here || advisory) << backend->name();
    EXPECT_EQ(backend->name() == "kubernetes" && plan::writes_for(*backend, "oci"), false);
  }
}

}  // namespace
}  // namespace agp::test
