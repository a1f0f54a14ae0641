#include "compiler/verify/container.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "backends/oci/backend.hpp"
#include "tests/support/file_policy.hpp"

// The sections of config.json beside its file tree: each wrong value is refuted in its direction and section, and what
// a runtime would read in another way than agp is refused by name.
namespace agp::test {
namespace {

using Json = nlohmann::ordered_json;
using verify::Direction;
using verify::Obligation;

FilePolicy example() {
  FilePolicy b;
  b.allow("read write", {"/workspace/**"}).tmpfs("/workspace");
  model::Policy& p = b.policy;
  p.name = "example";
  p.run.command = {"/bin/agent", "--task"};
  p.run.user = model::User{1000, 1001, {}};
  p.env_set = {{"PATH", "/usr/bin"}};
  p.limits.memory_bytes = {1 << 30, {}};
  p.limits.cpu_milli = {1500, {}};
  p.limits.pids = {64, {}};
  p.limits.files = {256, {}};
  model::Rule capability;
  capability.effect = model::Effect::Allow;
  capability.body = model::CapabilityBody{{{"CAP_NET_BIND_SERVICE", {}, ""}}};
  p.rules.push_back(std::move(capability));
  model::Rule env;
  env.effect = model::Effect::Allow;
  env.body = model::TextBody{model::TextBody::Sort::Env, {{"LC_*", {}, ""}}, {}};
  p.rules.push_back(std::move(env));
  return b;
}

Json config(const model::Policy& policy) {
  const backends::Artifact profile{"seccomp/profile.json", R"({"defaultAction":"SCMP_ACT_ERRNO"})"};
  const auto emitted = backends::oci::backend().emit(policy, debian12(), {&profile, 1});
  EXPECT_TRUE(emitted.problems.empty());
  return Json::parse(emitted.artifacts.at(0).bytes);
}

backends::Decoded decode(const std::string& text) {
  const backends::Artifact artifact{"oci/config.json", text};
  return backends::oci::backend().decode({&artifact, 1}, debian12());
}

/// "section direction" of every obligation that is refuted, and its witness.
std::vector<std::string> refuted(const Json& json) {
  const auto decoded = decode(json.dump());
  if (!decoded.container) return {decoded.problems.empty() ? "nothing read" : decoded.problems[0].message};
  std::vector<std::string> out;
  for (const Obligation& o : verify::verify_container(example().policy, debian12(), {}, *decoded.container))
    o.verdict.match([](const solver::Proved&) {},
                    [&](const verify::Witness& w) {
                      out.push_back(o.artifact.substr(o.artifact.find('#') + 1) + " " +
                                    std::string(verify::to_string(o.direction)) + ": " + w.action);
                    },
                    [&](const solver::Unknown& u) { out.push_back("unknown: " + u.reason); });
  return out;
}

using Refuted = std::vector<std::string>;

TEST(Container, WhatIsEmittedIsProved) {
  EXPECT_EQ(refuted(config(example().policy)), Refuted{});
  const auto decoded = decode(config(example().policy).dump());
  EXPECT_EQ(verify::verify_container(example().policy, debian12(), {}, *decoded.container).size(), 9u);
}

TEST(Container, EachWrongValueIsRefuted) {
  struct Case {
    const char* pointer;
    Json value;
    Refuted expected;
  };
  const std::string memory = "limit memory 1073741824", cpu = "limit cpu 1500m";
  const std::vector<Case> cases = {
      {"/process/capabilities/bounding",
       {"CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"},
       {"/process/capabilities no excess: capability CAP_SYS_ADMIN"}},
      {"/process/capabilities/ambient",
       Json::array(),
       {"/process/capabilities no loss: capability CAP_NET_BIND_SERVICE"}},
      {"/process/env", {"PATH=/usr/bin", "LC_ALL=C"}, {}},
      {"/process/env", {"PATH=/usr/bin", "LANG=C"}, {"/process/env no excess: env \"LANG\""}},
      {"/process/env", {"PATH=/bin"}, {"/process/env no excess: env \"PATH\"", "/process/env no loss: env \"PATH\""}},
      {"/process/env", Json::array(), {"/process/env no loss: env \"PATH\""}},
      {"/process/env", {"PATH=/usr/bin", "PATH=/usr/bin"}, {"/process/env no loss: env \"PATH\""}},
      {"/process/args",
       {"/bin/agent", "--task", "--more"},
       {"/process no excess: run command \"/bin/agent\", \"--task\"",
        "/process no loss: run command \"/bin/agent\", \"--task\""}},
      {"/process/user/uid", 0, {"/process no excess: run user 1000:1001", "/process no loss: run user 1000:1001"}},
      {"/process/user/additionalGids",
       {0},
       {"/process no excess: run user 1000:1001", "/process no loss: run user 1000:1001"}},
      {"/process/noNewPrivileges", false, {"/process no excess: privileges of a setuid program"}},
      {"/process/noNewPrivileges", nullptr, {"/process no excess: privileges of a setuid program"}},
      {"/linux/resources/memory/limit", (1 << 30) + 1, {"/linux/resources no excess: " + memory}},
      {"/linux/resources/memory/limit", (1 << 30) - 1, {"/linux/resources no loss: " + memory}},
      {"/linux/resources/memory/swap", -1, {"/linux/resources no excess: " + memory}},
      {"/linux/resources/memory/swap", nullptr, {"/linux/resources no excess: " + memory}},
      {"/linux/resources/cpu/quota", 150001, {"/linux/resources no excess: " + cpu}},
      {"/linux/resources/cpu/quota", 149999, {"/linux/resources no loss: " + cpu}},
      {"/linux/resources/cpu/period", 99999, {"/linux/resources no excess: " + cpu}},
      {"/linux/resources/cpu", nullptr, {"/linux/resources no excess: " + cpu}},
      {"/linux/resources/pids/limit", 0, {"/linux/resources no excess: limit pids 64"}},
      {"/process/rlimits/1/hard", 257, {"/linux/resources no excess: limit files 256"}},
      {"/process/rlimits/1/soft", 255, {"/linux/resources no loss: limit files 256"}},
      {"/linux/namespaces/0/path",
       "/proc/1/ns/pid",
       {"/linux/namespaces no excess: the pid namespace \"/proc/1/ns/pid\""}},
      {"/linux/namespaces/5/path",
       "/run/netns/agp-other",
       {"/linux/namespaces no excess: the network namespace \"/run/netns/agp-other\""}},
      {"/linux/namespaces/5/path", nullptr, {"/linux/namespaces no excess: the network namespace \"\""}},
      {"/linux/sysctl", {{"kernel.domainname", "x"}}, {"/linux/namespaces no excess: sysctl kernel.domainname = x"}},
  };
  for (const Case& c : cases) {
    Json json = config(example().policy);
    json[Json::json_pointer(c.pointer)] = c.value;
    EXPECT_EQ(refuted(json), c.expected) << c.pointer << " = " << c.value;
  }
  Json json = config(example().policy);
  json["linux"]["namespaces"].erase(1);
  EXPECT_EQ(refuted(json), Refuted{"/linux/namespaces no excess: the host's ipc namespace"});
}

TEST(Container, WhatIsNotModelledIsRefusedByName) {
  struct Case {
    const char* pointer;
    Json value;
    const char* expected;
  };
  const Json mount = {{"destination", "/x"}, {"type", "bind"}, {"source", "/x"}, {"options", {"rbind", "nodev"}}};
  const std::vector<Case> cases = {
      {"/hooks", {{"prestart", Json::array()}}, "`/hooks` is a field"},
      {"/annotations", {{"run.oci.seccomp_bpf_data", "AAAA"}}, "`/annotations` is a field"},
      {"/Process", Json::object(), "`/Process` is a field"},
      {"/process/oomScoreAdj", 1, "`/process/oomScoreAdj` is a field"},
      {"/process/apparmorProfile", "unconfined", "`/process/apparmorProfile` is a field"},
      {"/process/terminal", true, "`/process/terminal` gives"},
      {"/process/user/uid", -1, "`/process/user/uid` is not a whole number"},
      {"/process/user/uid", 4294967295u, "`/process/user/uid` is no user"},
      {"/process/env", {"PATH"}, "`/process/env/0` is not NAME=VALUE"},
      {"/root/path", "/", "`/root` is not the bundle's own empty root"},
      {"/root/readonly", false, "`/root` is not the bundle's own empty root"},
      {"/mounts/0", mount, "`/mounts/0/options/0` shows the mounts beneath its source too"},
      {"/mounts/0/destination", "/a/../etc", "`/mounts/0/destination` is not an absolute path"},
      {"/mounts/3/type", "overlay", "`/mounts/3` is of a type"},
      {"/linux/devices", Json::array(), "`/linux/devices` is a field"},
      {"/linux/rootfsPropagation", "shared", "`/linux/rootfsPropagation` is a field"},
      {"/linux/resources/unified", Json::object(), "`/linux/resources/unified` is a field"},
  };
  for (const Case& c : cases) {
    Json json = config(example().policy);
    json[Json::json_pointer(c.pointer)] = c.value;
    const auto decoded = decode(json.dump());
    ASSERT_EQ(decoded.problems.size(), 1u) << c.pointer;
    EXPECT_FALSE(decoded.container);
    EXPECT_EQ(decoded.problems[0].message.rfind("`oci/config.json`: " + std::string(c.expected), 0), 0u)
        << decoded.problems[0].message;
  }
  for (const char* text : {"", "[]", "{", "{\"process\":{},\"process\":{}}", "null"})
    EXPECT_EQ(decode(text).problems.size(), 1u) << text;
}

}  // namespace
}  // namespace agp::test
