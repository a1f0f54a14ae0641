// The table of arguments against what the running kernel says of its own calls: events/syscalls/sys_enter_*/format of
// tracefs, mounted in a mount namespace of this process. Skipped, with the reason, where that can't be had.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "compiler/linux/syscalls.hpp"

namespace agp::linux {
namespace {

struct Field {
  std::string type, name;
};
using Prototypes = std::map<std::string, std::vector<Field>>;

std::vector<Field> fields_of(const std::filesystem::path& format) {
  static const std::regex row(R"(\s*field:(.*?)\s*(\w+);\s*offset:(\d+);.*)");
  std::vector<Field> fields;
  std::ifstream in(format);
  for (std::string line; std::getline(in, line);) {
    std::smatch m;
    if (std::regex_match(line, m, row) && std::stoi(m[3]) >= 16) fields.push_back({m[1], m[2]});
  }
  return fields;
}

/// The event is named after the entry point: `newstat` serves `stat`.
std::string entry_point(std::string_view call) {
  static const std::map<std::string_view, std::string> other = {{"stat", "newstat"},        {"fstat", "newfstat"},
                                                                {"lstat", "newlstat"},      {"uname", "newuname"},
                                                                {"sendfile", "sendfile64"}, {"umount2", "umount"}};
  const auto found = other.find(call);
  return found == other.end() ? std::string(call) : found->second;
}

/// Bits of the register that the declared type keeps.
std::uint64_t declared(const std::string& type) {
  static const std::regex narrow(
      "(const )?(int|unsigned|unsigned int|u32|__u32|__s32|pid_t|uid_t|gid_t|qid_t|key_t|key_serial_t|mqd_t|rwf_t|"
      "clockid_t|timer_t|enum \\w+)");
  if (type == "umode_t") return 0xffff;
  return std::regex_match(type, narrow) ? 0xffffffffu : ~0ull;
}

bool pointer(const std::string& type) {
  return type.find('*') != std::string::npos || type.find("cap_user_") != std::string::npos;
}

/// Why tracefs can't be read, or nothing. Only this process and its children see the mount.
std::string mount_tracefs() {
  if (geteuid() != 0) return "reading tracefs needs root";
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", "/sys/kernel/tracing", "tracefs", 0, nullptr) != 0)
    return std::string("tracefs can't be mounted: ") + std::strerror(errno);
  return {};
}

class RunningKernel : public testing::Test {
 protected:
  void SetUp() override {
    static const std::string reason = mount_tracefs();
    if (!reason.empty()) GTEST_SKIP() << reason;
    const std::filesystem::path events = "/sys/kernel/tracing/events/syscalls";
    if (!std::filesystem::exists(events)) GTEST_SKIP() << "this kernel has no CONFIG_FTRACE_SYSCALLS";
    utsname name{};
    uname(&name);
    std::sscanf(name.release, "%hhu.%hhu", &version_.major, &version_.minor);
    for (const auto& entry : std::filesystem::directory_iterator(events)) {
      const std::string event = entry.path().filename();
      if (event.starts_with("sys_enter_")) prototypes_[event.substr(10)] = fields_of(entry.path() / "format");
    }
  }
  Prototypes prototypes_;
  Version version_;
};

TEST_F(RunningKernel, HasEveryCallOfItsVersionAndNoOther) {
  ASSERT_GT(prototypes_.size(), 300u);
  unsigned absent = 0;
  for (const Syscall& call : syscalls(Arch::x86_64)) {
    const bool present = prototypes_.contains(entry_point(call.name));
    if (present) {
      EXPECT_LE(call.since, version_) << call.name;
    }
    absent += call.since <= version_ && !present;
  }
  // What its configuration leaves out, and the numbers that no kernel serves any more.
  EXPECT_LE(absent, 40u);
  for (const auto& [entry, fields] : prototypes_) {
    // The rest are entry points of other architectures and of 32-bit programs.
    bool known = false;
    for (const Syscall& call : syscalls(Arch::x86_64)) known |= entry_point(call.name) == entry;
    if (!known) std::cout << "no x86_64 call: " << entry << '\n';
  }
}

TEST_F(RunningKernel, DeclaresTheArgumentsOfTheTable) {
  unsigned compared = 0;
  for (const Syscall& call : syscalls(Arch::x86_64)) {
    const auto found = prototypes_.find(entry_point(call.name));
    if (found == prototypes_.end()) continue;
    const std::vector<Field>& fields = found->second;
    // Newer kernels read two more registers of bpf (7.x) and one more of membarrier (5.10).
    if (call.name == "bpf" || call.name == "membarrier") {
      EXPECT_LE(fields.size(), call.argument_count) << call.name;
    } else {
      EXPECT_EQ(fields.size(), call.argument_count) << call.name;
    }
    for (std::size_t i = 0; i < fields.size() && i < call.argument_count; ++i) {
      const Argument& argument = call.arguments[i];
      const std::string where = std::string(call.name) + ": " + fields[i].type + " " + fields[i].name;
      // shmaddr is an address that nothing follows.
      const bool unfollowed = call.name == "shmat" || call.name == "shmdt";
      EXPECT_EQ(argument.pointer, pointer(fields[i].type) && !unfollowed) << where;
      // A mask may be narrower than the type (masks.tsv), never wider, unless the table gives the argument up.
      if (argument.classified) {
        EXPECT_EQ(argument.effective_mask & ~declared(fields[i].type), 0u) << where;
      }
      static const std::regex position("arg[0-5]");
      if (!std::regex_match(fields[i].name, position)) {
        EXPECT_EQ(find_argument(call, fields[i].name), static_cast<int>(i)) << where;
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 900u);
  std::cout << compared << " arguments compared\n";
}

}  // namespace
}  // namespace agp::linux
