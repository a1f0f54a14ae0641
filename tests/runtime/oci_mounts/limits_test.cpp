#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/container.hpp"
#include "tests/support/file_policy.hpp"

// Limits that config.json states, and the wall-clock time that the stack's command holds.
namespace agp::test {
namespace {

using Json = nlohmann::ordered_json;

FilePolicy with_probe() {
  FilePolicy p;
  p.allow("read exec", {"/bin/busybox", "/bin/probe"})
      .mount("/bin/busybox", "/bin/busybox")
      .mount(AGP_OCI_PROBE, "/bin/probe");
  return p;
}

/// Processes whose command line has `word`; each is waited for at most ten seconds through its pidfd.
int left_after_waiting(const std::string& word) {
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (text.str().find(word) == std::string::npos) continue;
    const int fd = static_cast<int>(syscall(SYS_pidfd_open, std::stoi(name), 0));
    if (fd < 0) continue;
    pollfd p{fd, POLLIN, 0};
    left += poll(&p, 1, 10000) == 1 ? 0 : 1;
    close(fd);
  }
  return left;
}

TEST(OciLimits, Processes) {
  FilePolicy p = with_probe();
  p.policy.run.command = {"/bin/probe", "processes", "40"};
  EXPECT_EQ(run_container(p.policy).status, 0);
  p.policy.limits.pids = {{32, {}}};
  EXPECT_EQ(run_container(p.policy).status, 1);
  p.policy.run.command[2] = "20";
  EXPECT_EQ(run_container(p.policy).status, 0);
}

TEST(OciLimits, Memory) {
  FilePolicy p = with_probe();
  p.policy.run.command = {"/bin/probe", "allocate", "96"};
  EXPECT_EQ(run_container(p.policy).status, 0);
  p.policy.limits.memory_bytes = {{64 << 20, {}}};
  EXPECT_EQ(run_container(p.policy).status, 137);
  p.policy.run.command[2] = "32";
  EXPECT_EQ(run_container(p.policy).status, 0);
}

TEST(OciLimits, OpenFiles) {
  FilePolicy p = with_probe();
  p.policy.run.command = {"/bin/probe", "files", "60"};
  p.policy.limits.files = {{32, {}}};
  EXPECT_EQ(run_container(p.policy).status, 1);
  p.policy.limits.files = {{128, {}}};
  EXPECT_EQ(run_container(p.policy).status, 0);
}

TEST(OciLimits, CpuAndCapabilities) {
  FilePolicy p = with_probe();
  p.capability("CAP_NET_BIND_SERVICE");
  p.policy.limits.cpu_milli = {{5, {}}};  // below what a period of 100 ms can express
  p.policy.run.command = {"/bin/busybox", "grep", "^Cap", "/proc/self/status"};
  const Outcome got = run_container(p.policy);
  EXPECT_EQ(got.status, 0) << got.err;
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_NE(got.out.find(std::string(set) + ":\t0000000000000400"), std::string::npos) << got.out;
}

TEST(OciLimits, WhenTheTimeIsOverNothingOfItRuns) {
  FilePolicy p = with_probe();
  const std::string word = "agp-test-sleeper-" + std::to_string(getpid());
  // A second process in the background, and signals ignored.
  p.policy.run.command = {
      "/bin/busybox", "sh", "-c",
      "trap '' TERM INT HUP; /bin/busybox sleep 3600 & echo started; while :; do /bin/busybox sleep 3600; done", word};
  p.policy.limits.time_ms = {{1500, {}}};
  const Outcome got = run_container(p.policy);
  EXPECT_EQ(got.status, 137);
  EXPECT_EQ(got.out, "started\n") << got.err;
  EXPECT_EQ(left_after_waiting(word), 0);
}

}  // namespace
}  // namespace agp::test
