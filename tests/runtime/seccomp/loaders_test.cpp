#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "backends/seccomp/backend.hpp"
#include "tests/support/container.hpp"
#include "tests/support/policies.hpp"

// The files as their loaders take them: the raw filter by bwrap, the profile as the section of a bundle by runc and as
// Podman's own option. Each attempt is made without the filter first, where it must get another answer.
namespace agp::test {
namespace {

using Json = nlohmann::ordered_json;
using model::Effect;
using Op = model::ArgTest::Op;

/// What a static C program needs, and conditions that other filters got wrong. Nothing of runc's own needs beyond
/// `write` and `execve`: without the derived grants the container would not start.
model::Policy policy() {
  model::Policy p;
  add_rule(p, Effect::Allow,
           {call("read"),
            call("write"),
            call("execve"),
            call("exit_group"),
            call("brk"),
            call("arch_prctl"),
            call("set_tid_address"),
            call("set_robust_list"),
            call("rseq"),
            call("prlimit64"),
            call("readlink"),
            call("readlinkat"),
            call("getrandom"),
            call("mprotect"),
            call("newfstatat"),
            call("fstat"),
            call("ioctl"),
            call("chmod"),
            call("socket", {in(0, {1, 2, 10})}),
            call("clone"),
            call("wait4"),
            call("rt_sigprocmask"),
            call("mmap"),
            call("munmap"),
            call("rt_sigaction"),
            call("exit")});
  add_rule(p, Effect::Deny,
           {call("ioctl", {is(1, Op::Eq, 0x5412)}), call("chmod", {masked(1, 06000, 04000)}),
            call("clone", {masked(0, 0x10000000, 0x10000000)}), call("socket", {masked(1, 0xf, 3)})});
  return p;
}

struct Expectation {
  std::string attempt;
  int without, with;  ///< errno
};
const std::vector<Expectation>& expectations() {
  static const std::vector<Expectation> list = {
      {"29:2:1:0", 0, 0},                  // socket(AF_INET, SOCK_STREAM, 0)
      {"29:10:3:0", -1, EPERM},            // AF_PACKET
      {"29:28:1:0", -1, EPERM},            // AF_VSOCK
      {"29:100000028:1:0", -1, EPERM},     // AF_VSOCK + 2^32
      {"29:100000002:1:0", 0, 0},          // AF_INET + 2^32: the same action as AF_INET
      {"29:2:80003:1", -1, EPERM},         // SOCK_RAW | SOCK_CLOEXEC
      {"10:63:5412:0", -1, EPERM},         // ioctl on descriptor 99, TIOCSTI
      {"10:63:100005412:0", -1, EPERM},    // … + 2^32
      {"10:63:5413:0", EBADF, EBADF},      // another command
      {"5a:@/none:9ed", ENOENT, EPERM},    // chmod 04755
      {"5a:@/none:109ed", ENOENT, EPERM},  // with bits above the sixteen of umode_t
      {"5a:@/none:1ed", ENOENT, ENOENT},
      {"38:10000000", -1, EPERM},    // clone(CLONE_NEWUSER)
      {"1b3:0:0", EINVAL, ENOSYS},   // clone3
      {"65:ffff:0:0:0", -1, EPERM},  // ptrace
      {"110:10000000", -1, EPERM},   // unshare(CLONE_NEWUSER)
  };
  return list;
}

std::vector<int> numbers(const std::string& text) {
  std::istringstream in(text);
  std::vector<int> out;
  for (int n; in >> n;) out.push_back(n);
  return out;
}

void compare(const Outcome& without, const Outcome& with) {
  ASSERT_EQ(with.status, 0) << with.failed << with.err;
  const auto before = numbers(without.out), after = numbers(with.out);
  ASSERT_EQ(after.size(), expectations().size()) << with.out << with.err;
  ASSERT_EQ(before.size(), expectations().size()) << without.out << without.err;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const Expectation& e = expectations()[i];
    EXPECT_EQ(after[i], e.with) << e.attempt;
    if (e.without >= 0)
      EXPECT_EQ(before[i], e.without) << e.attempt << " without the filter";
    else
      EXPECT_NE(before[i], e.with) << e.attempt << " without the filter: the refusal would not be the filter's";
  }
}

std::string artifact(const char* path) {
  const auto emitted = backends::seccomp::backend().emit(policy(), debian12(), {});
  for (const auto& p : emitted.problems) ADD_FAILURE() << p.message;
  for (const auto& a : emitted.artifacts)
    if (a.path == path) return a.bytes;
  ADD_FAILURE() << path;
  return {};
}

std::vector<std::string> words(std::vector<std::string> before) {
  before.push_back("/attempts");
  for (const auto& e : expectations()) before.push_back(e.attempt);
  return before;
}

/// The attempts that harm nothing when they are not refused.
bool harmless(const std::string& attempt) { return attempt.rfind("38:", 0) != 0 && attempt.rfind("110:", 0) != 0; }

Json bundle(bool filtered) {
  Json config = {
      {"ociVersion", "1.0.2"},
      {"root", {{"path", "rootfs"}, {"readonly", true}}},
      {"process",
       {{"terminal", false},
        {"cwd", "/"},
        {"args", words({})},
        {"user", {{"uid", 0}, {"gid", 0}}},
        {"noNewPrivileges", true},
        {"capabilities",
         {{"bounding", {"CAP_NET_RAW"}}, {"effective", {"CAP_NET_RAW"}}, {"permitted", {"CAP_NET_RAW"}}}}}},
      {"mounts", {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}}}},
      {"linux",
       {{"namespaces",
         {{{"type", "pid"}}, {{"type", "mount"}}, {{"type", "network"}}, {{"type", "ipc"}}, {{"type", "uts"}}}}}}};
  if (filtered) config["linux"]["seccomp"] = Json::parse(artifact("seccomp/profile.json"));
  return config;
}

Outcome run_bundle(bool filtered, const std::function<void(Json&)>& change = {}) {
  const Scratch scratch;
  scratch.directory("rootfs");
  std::filesystem::copy_file(AGP_ATTEMPTS, scratch.path("rootfs/attempts"));
  Json config = bundle(filtered);
  if (!filtered) {  // attempts that would fork or leave the namespaces are given a number that does nothing (getpid)
    for (auto& a : config["process"]["args"])
      if (a != "/attempts" && !harmless(a.get<std::string>())) a = "27";
  }
  if (change) change(config);
  scratch.file("config.json", config.dump());
  const std::string id = "agp-seccomp-" + std::to_string(getpid()) + (filtered ? "-f" : "-o");
  Outcome out = execute({"runc", "run", "--bundle", scratch.path(), id});
  execute({"runc", "delete", "--force", id});
  return out;
}

TEST(Loaders, RuncTakesTheProfileAsTheSectionOfABundle) {
  if (geteuid() != 0) GTEST_SKIP() << "runc needs root";
  const Outcome without = run_bundle(false), with = run_bundle(true);
  ASSERT_EQ(without.status, 0) << without.err;
  compare(without, with);
}

TEST(Loaders, WhatRuncNeedsIsReallyNeeded) {
  // The rows of compiler/linux/loader_needs.cpp that do not come by chance, each taken out of the profile alone.
  if (geteuid() != 0) GTEST_SKIP() << "runc needs root";
  for (const std::string name : {"close", "execve", "fstatfs", "getdents64", "openat", "write"}) {
    const Outcome out = run_bundle(true, [&](Json& config) {
      for (auto& entry : config["linux"]["seccomp"]["syscalls"]) {
        Json kept = Json::array();
        for (const auto& n : entry["names"])
          if (n != name) kept.push_back(n);
        entry["names"] = kept;
      }
    });
    EXPECT_NE(out.status, 0) << name;
  }
}

TEST(Loaders, BwrapTakesTheRawFilter) {
  if (execute({"bwrap", "--ro-bind", "/", "/", "true"}).status != 0) GTEST_SKIP() << "bwrap does not run here";
  const Scratch scratch;
  std::filesystem::copy_file(AGP_ATTEMPTS, scratch.path("attempts"));
  std::ofstream(scratch.path("filter"), std::ios::binary) << artifact("seccomp/filter.x86_64.bpf");
  const auto run = [&](bool filtered) {
    // The descriptor is opened by sh, which is only a convenience of this test.
    std::string line = "exec bwrap --unshare-all --ro-bind " + scratch.path("attempts") + " /attempts " +
                       (filtered ? "--seccomp 9 " : "") + "/attempts";
    for (const auto& e : expectations()) line += " " + (filtered || harmless(e.attempt) ? e.attempt : "27");
    if (filtered) line += " 9< " + scratch.path("filter");
    return execute({"/bin/sh", "-c", line});
  };
  const Outcome without = run(false), with = run(true);
  ASSERT_EQ(without.status, 0) << without.err;
  compare(without, with);
}

TEST(Loaders, PodmanTakesTheProfile) {
  if (geteuid() != 0) GTEST_SKIP() << "Podman with these options needs root";
  const Scratch scratch;
  // Everything that Podman writes lies in the scratch directory; cgroupfs and a file of events, since no systemd runs.
  const std::vector<std::string> podman = {"podman",
                                           "--root=" + scratch.path("storage"),
                                           "--runroot=" + scratch.path("run"),
                                           "--tmpdir=" + scratch.path("tmp"),
                                           "--storage-driver=vfs",
                                           "--cgroup-manager=cgroupfs",
                                           "--events-backend=file",
                                           "--runtime=runc"};
  scratch.directory("rootfs");
  std::filesystem::copy_file(AGP_ATTEMPTS, scratch.path("rootfs/attempts"));
  const std::string profile = scratch.file("profile.json", artifact("seccomp/profile.json"));
  const auto run = [&](bool filtered) {
    std::vector<std::string> command = podman;
    for (const char* word : {"run", "--rm", "--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024",
                             "--cap-drop=ALL", "--cap-add=NET_RAW", "--security-opt=no-new-privileges"})
      command.push_back(word);
    command.push_back("--security-opt=seccomp=" + (filtered ? profile : "unconfined"));
    command.push_back("--rootfs");
    command.push_back(scratch.path("rootfs"));
    command.push_back("/attempts");
    for (const auto& e : expectations()) command.push_back(filtered || harmless(e.attempt) ? e.attempt : "27");
    return execute(command);
  };
  const Outcome without = run(false);
  if (without.status != 0) GTEST_SKIP() << "Podman starts no container here: " << without.err;
  compare(without, run(true));
}

}  // namespace
}  // namespace agp::test
