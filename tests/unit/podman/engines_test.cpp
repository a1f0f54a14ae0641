#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/podman/decode/decode.hpp"
#include "compiler/model/container.hpp"
#include "compiler/plan/plan.hpp"
#include "tests/support/net_policy.hpp"
#include "tests/support/stack_commands.hpp"

// What the same words mean to Podman 4.3 and to Docker 20.10 (docs/decisions/0018). tests/runtime/podman/engine.py
// tries the second in a daemon.
namespace agp::test {
namespace {

namespace format = backends::podman::format;
using model::Container;
using model::ContainerMount;
using Content = ContainerMount::Content;

/// Lines that an engine starts a container of, which no test is about.
std::string least(const format::Engine& engine, const std::string& more = "") {
  const bool docker = &engine == &format::docker;
  return fmt::format(
      "--pull=never\n--read-only\n{}--network=none\n--ipc=none\n--user=65534:65534\n--security-opt=no-new-privileges\n"
      "--security-opt=seccomp=profile.json\n--cap-drop=ALL\n{}localhost/agp-root:{}\n/bin/true\n",
      docker ? "" : "--read-only-tmpfs=false\n", more, docker ? "policy" : "latest");
}

backends::Decoded decoded(const format::Engine& engine, const std::string& bytes) {
  const std::vector<backends::Artifact> one{{std::string(engine.artifact), bytes}};
  return backends::podman::decode(one, engine);
}

Container container(const format::Engine& engine, const std::string& more) {
  const auto out = decoded(engine, least(engine, more));
  EXPECT_TRUE(out.problems.empty()) << out.problems.front().message;
  return out.container ? *out.container : Container{};
}

/// Why the lines are refused; empty where they are read.
std::string refusal(const format::Engine& engine, const std::string& more) {
  const auto out = decoded(engine, least(engine, more));
  EXPECT_NE(out.problems.empty(), out.container == nullptr);
  return out.problems.empty() ? "" : out.problems.front().message;
}

/// What shows the path.
const ContainerMount& at(const Container& c, const std::string& path) {
  static const ContainerMount none;
  const ContainerMount* m = model::mount_at(c, path);
  EXPECT_NE(m, nullptr) << path;
  return m ? *m : none;
}

bool shows(const Container& c, const std::string& path) { return model::mount_at(c, path) != nullptr; }

TEST(Engines, ATmpfsWithoutAWordIsNoexecInDockerAlone) {
  const std::string silent = "--tmpfs=/w:rw,nosuid,nodev,mode=0777\n", exec = "--tmpfs=/w:rw,nosuid,nodev,exec\n";
  EXPECT_TRUE(at(container(format::podman, silent), "/w").exec);
  EXPECT_FALSE(at(container(format::docker, silent), "/w").exec);
  for (const auto* engine : {&format::podman, &format::docker}) {
    EXPECT_TRUE(at(container(*engine, exec), "/w").exec);
    EXPECT_FALSE(at(container(*engine, "--tmpfs=/w:rw,nosuid,nodev,noexec\n"), "/w").exec);
    EXPECT_NE(refusal(*engine, "--tmpfs=/w:rw,nosuid,nodev,noexec,exec\n"), "");
    EXPECT_NE(refusal(*engine, "--tmpfs=/w:rw,nodev\n"), "");
  }
}

TEST(Engines, ABindMountOfDockerIsExecutableAndHasNoFlags) {
  const std::string bare = "--mount=type=bind,src=/srv,dst=/srv,bind-nonrecursive,readonly";
  const Container docker = container(format::docker, bare + "\n");
  EXPECT_TRUE(at(docker, "/srv").exec);
  EXPECT_TRUE(at(docker, "/srv").setuid);
  EXPECT_FALSE(at(docker, "/srv").writable);
  EXPECT_NE(refusal(format::podman, bare + "\n"), "");
  EXPECT_FALSE(at(container(format::podman, bare + ",nosuid,nodev,noexec\n"), "/srv").exec);
  for (const char* flag : {",nosuid", ",nodev", ",noexec"}) EXPECT_NE(refusal(format::docker, bare + flag + "\n"), "");
  EXPECT_NE(refusal(format::docker, "--cap-add=CAP_MKNOD\n" + bare + "\n"), "");
}

/// What `prepare` makes is not executable by its mode, and its owner is root.
TEST(Engines, WhatTheStackMakes) {
  for (const auto* engine : {&format::podman, &format::docker}) {
    const bool docker = engine == &format::docker;
    const auto mount = [&](const char* name, const char* options) {
      return fmt::format("--mount=type=bind,src={}/{},dst=/x,bind-nonrecursive{}{}\n",
                         docker ? "/var/lib/agp/policy" : ".", name, options, docker ? "" : ",nosuid,nodev,noexec");
    };
    for (const char* name : {"resolv.conf", "empty-file", "denied-file"})
      EXPECT_FALSE(at(container(*engine, mount(name, ",readonly")), "/x").exec) << name;
    for (const char* name : {"denied-file", "denied-directory"})
      EXPECT_NE(refusal(*engine, mount(name, "")), "") << name;
  }
}

TEST(Engines, CapAddIsRootsAloneInDocker) {
  const std::set<std::string> one{"CAP_NET_RAW"};
  const auto sets = [&](const format::Engine& engine, std::string user) {
    std::string bytes = least(engine, "--cap-add=CAP_NET_RAW\n");
    bytes.replace(bytes.find("65534:65534"), 11, user);
    const auto out = decoded(engine, bytes);
    std::string given;
    for (const auto& set : out.container->capabilities) given += set == one ? "x" : set.empty() ? "-" : "?";
    return given;
  };
  EXPECT_EQ(sets(format::podman, "65534:65534"), "xxxxx");
  EXPECT_EQ(sets(format::docker, "65534:65534"), "x----");
  EXPECT_EQ(sets(format::docker, "0:0"), "xxxxx");
}

/// Podman 4.3.1 without a configuration keeps fourteen in the bounding set, and none for a user other than root.
TEST(Engines, WhatIsKeptWhenNothingIsDroppedIsNotRead) {
  for (const auto* engine : {&format::podman, &format::docker}) {
    std::string bytes = least(*engine);
    bytes.erase(bytes.find("--cap-drop=ALL\n"), 15);
    const auto out = decoded(*engine, bytes);
    ASSERT_FALSE(out.problems.empty());
    EXPECT_NE(out.problems[0].message.find("without `--cap-drop=ALL`"), std::string::npos);
  }
}

/// The engines take the next line for the value of an option without one: what it says is gone.
TEST(Engines, AnOptionWithoutItsValue) {
  for (const auto* engine : {&format::podman, &format::docker})
    for (const char* option : {"--hostname\n", "--workdir\n", "--cgroupns\n", "--pids-limit\n", "--env\n", "--unknown\n"})
      EXPECT_NE(refusal(*engine, option).find("takes the next line"), std::string::npos) << option;
}

/// With these neither engine starts a container, or with another number.
TEST(Engines, NumbersThatAreTakenOtherwise) {
  for (const auto* engine : {&format::podman, &format::docker}) {
    for (const char* option : {"--ulimit=core=5:0\n", "--ulimit=nproc=40000:32768\n", "--cpu-quota=9223372036854775808\n",
                               "--ulimit=core=18446744073709551615:18446744073709551615\n", "--pids-limit=032\n",
                               "--cpu-period=0100000\n", "--cpu-period=999\n", "--cpu-period=1000001\n", "--cpu-quota=1\n"})
      EXPECT_NE(refusal(*engine, option), "") << option;
    EXPECT_EQ(refusal(*engine, "--ulimit=core=0:5\n--cpu-period=1000\n--cpu-quota=1000\n"), "");
  }
}

TEST(Engines, WithoutABoundOnProcesses) {
  EXPECT_EQ(container(format::podman, "").pids, 2048u);
  EXPECT_EQ(container(format::docker, "").pids, std::nullopt);
  for (const auto* engine : {&format::podman, &format::docker}) {
    EXPECT_EQ(container(*engine, "--pids-limit=32\n").pids, 32u);
    EXPECT_EQ(container(*engine, "--pids-limit=-1\n").pids, std::nullopt);
  }
}

TEST(Engines, DockersOwnMountsComeFirst) {
  const std::string sys = "--tmpfs=/sys:ro,nosuid,nodev,noexec,mode=0555\n";
  EXPECT_EQ(at(container(format::docker, sys), "/sys/fs/cgroup").content, Content::EmptyTree);
  EXPECT_EQ(at(container(format::podman, sys), "/sys/fs/cgroup").content, Content::Host);  // over it: a cover for each
  for (const auto* engine : {&format::podman, &format::docker})
    EXPECT_EQ(at(container(*engine, ""), "/sys/fs").content, Content::Host);
}

TEST(Engines, AMountAtDevLeavesOutWhatDockerHasInIt) {
  constexpr std::string_view dev = "--mount=type=bind,src={},dst=/dev,bind-nonrecursive,readonly{}\n";
  const Container docker = container(format::docker, fmt::format(dev, "/var/lib/agp/policy/dev", ""));
  for (const char* path : {"/dev/pts", "/dev/mqueue", "/dev/zero"})
    EXPECT_EQ(at(docker, path).content, Content::EmptyTree) << path;
  const Container podman = container(format::podman, fmt::format(dev, "./dev", ",nosuid,nodev"));
  EXPECT_EQ(at(podman, "/dev/zero").content, Content::EmptyTree);
  for (const char* path : {"/dev/pts", "/dev/mqueue"}) EXPECT_EQ(at(podman, path).content, Content::Tmpfs) << path;
  for (const auto* engine : {&format::podman, &format::docker}) {
    const Container bare = container(*engine, "");
    EXPECT_EQ(at(bare, "/dev/zero").content, Content::Device);
    EXPECT_TRUE(at(bare, "/dev/new").writable);  // by root
    EXPECT_EQ(at(bare, "/dev/new").mode, 0755u);
  }
}

TEST(Engines, WhatIsMadeWhereNothingCoversIt) {
  const Container docker = container(format::docker, ""), podman = container(format::podman, "");
  EXPECT_TRUE(shows(docker, "/.dockerenv"));
  EXPECT_FALSE(shows(podman, "/.dockerenv"));
  EXPECT_TRUE(shows(podman, "/run/.containerenv"));
  EXPECT_FALSE(shows(docker, "/run/.containerenv"));
  EXPECT_FALSE(shows(docker, "/etc/passwd"));
  EXPECT_EQ(at(docker, "/proc/asound").content, Content::Nothing);
  EXPECT_EQ(at(podman, "/proc/asound").content, Content::Processes);
  const std::string cover =
      "--mount=type=bind,src=/var/lib/agp/policy/denied-file,dst=/.dockerenv,bind-nonrecursive,readonly\n";
  EXPECT_EQ(at(container(format::docker, cover), "/.dockerenv").content, Content::Nothing);
}

/// The network, the files of the stack and the image are one policy's.
TEST(Engines, DockerJoinsTheContainerThatTheStackHasStarted) {
  const auto network = [](const format::Engine& engine, const std::string& word) {
    std::string bytes = least(engine);
    bytes.replace(bytes.find("network=none"), 12, "network=" + word);
    const auto out = decoded(engine, bytes);
    return out.container ? out.container->namespaces.at("network") : "refused";
  };
  EXPECT_EQ(network(format::docker, "container:agp-policy"), "/run/netns/agp-policy");
  EXPECT_EQ(network(format::podman, "ns:/run/netns/agp-policy"), "/run/netns/agp-policy");
  for (const char* word : {"container:agp-other", "container:policy", "container:agp-policy2",
                           "container:", "ns:/run/netns/agp-policy", "host", "bridge"})
    EXPECT_EQ(network(format::docker, word), "refused") << word;
  EXPECT_EQ(network(format::podman, "container:agp-policy"), "refused");
  EXPECT_NE(refusal(format::docker, "--hostname=policy\n"), "");
  EXPECT_EQ(refusal(format::podman, "--hostname=policy\n"), "");
  EXPECT_NE(refusal(format::docker, "--read-only-tmpfs=false\n"), "");

  constexpr std::string_view other = "--mount=type=bind,src=/var/lib/agp/{},dst=/x,bind-nonrecursive,readonly\n";
  EXPECT_EQ(at(container(format::docker, fmt::format(other, "policy/denied-directory")), "/x").content,
            Content::Nothing);
  EXPECT_EQ(at(container(format::docker, fmt::format(other, "other/denied-directory")), "/x").content, Content::Host);
  EXPECT_NE(refusal(format::docker, fmt::format(other, "policy/owned")), "");
}

TEST(Engines, NoOtherImage) {
  const auto image = [](const format::Engine& engine, const std::string& name) {
    std::string bytes = least(engine);
    const std::size_t from = bytes.find("localhost"), to = bytes.find('\n', from);
    return decoded(engine, bytes.replace(from, to - from, name)).container != nullptr;
  };
  EXPECT_TRUE(image(format::podman, "localhost/agp-root:latest"));
  EXPECT_TRUE(
      image(format::docker, "localhost/agp-root:another"));  // and then nothing of the policy's joins or shows it
  for (const char* name : {"localhost/agp-root", "localhost/agp-root:", "localhost/agp-root:a/b", "agp-root:latest"})
    for (const auto* engine : {&format::podman, &format::docker}) EXPECT_FALSE(image(*engine, name)) << name;
  EXPECT_FALSE(image(format::podman, "localhost/agp-root:another"));
}

std::vector<std::string> words(const std::vector<std::vector<std::string>>& commands) {
  std::vector<std::string> out;
  for (const auto& command : commands) out.push_back(fmt::format("{}", fmt::join(command, " ")));
  return out;
}
plan::StackCommands docker_commands() {
  PolicyBuilder p("p");
  p.get().run.command = {"/bin/true"};
  auto target = debian_12();
  target.stack = "docker";
  return plan::stack_commands(p.get(), target);
}
bool has(const std::vector<std::string>& lines, std::string_view text) {
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(text) != line.npos; });
}

TEST(Engines, TheContainerEndsAfterItsClient) {
  const auto stack = docker_commands();
  expect_plain_words(stack);
  EXPECT_EQ(words(stack.finally).front(), "docker --config={run}/client rm --force {id}");
  EXPECT_TRUE(has(words(stack.run), "docker --config={run}/client run --name={id}"));
  // and what it has made for itself, if it was this run that made it
  for (const char* own : {"-exec docker --config={run}/client rm --force agp-p ;",
                          "-exec docker --config={run}/client rmi --force localhost/agp-root:p ;",
                          "-exec rm -rf --one-file-system -- /var/lib/agp/p ;", "-exec ip netns del agp-p ;"})
    EXPECT_TRUE(has(words(stack.finally), own)) << own;
  EXPECT_EQ(words(stack.prepare)[1], "ip netns add agp-p");
}

TEST(Engines, TheClientHasNoConfiguration) {
  const auto stack = docker_commands();
  for (const auto* commands : {&stack.prepare, &stack.run, &stack.finally})
    for (const std::string& line : words(*commands))
      if (const auto at = line.find("docker "); at != line.npos && line.find("/docker/") == line.npos) {
        EXPECT_EQ(line.find("docker --config={run}/client "), at) << line;
      }
}

}  // namespace
}  // namespace agp::test
