#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "tests/support/container.hpp"

// SKIP_RETURN_CODE of the test: what is missing is printed and counted, never passed over in silence.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0) return std::puts("skipped: starting a container needs root"), 77;
  for (const char* program : {"runc", "ip", "nft", "sysctl", "unshare"})
    if (agp::test::execute({"sh", "-c", std::string("command -v ") + program}).status != 0)
      return std::printf("skipped: %s is not installed\n", program), 77;
  struct stat s {};
  if (stat("/bin/busybox", &s) != 0) return std::puts("skipped: busybox-static is not installed"), 77;
  const std::string ns = "agp-test-probe-" + std::to_string(getpid());
  if (agp::test::execute({"ip", "netns", "add", ns}).status != 0)
    return std::puts("skipped: no network namespace can be made here"), 77;
  agp::test::execute({"ip", "netns", "del", ns});
  umask(077);  // what the commands make must not depend on it
  return RUN_ALL_TESTS();
}
