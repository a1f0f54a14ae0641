#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/verify/container_tree.hpp"
#include "tests/support/container.hpp"
#include "tests/support/file_policy.hpp"

// What a tmpfs of config.json lets a user do by its options uid=, gid= and mode=, as the verifier takes it and as the
// kernel does: a process of that user, with those groups and that capability, tries it, and again after chmod(2).
namespace agp::test {
namespace {

namespace inode = model::inode;

constexpr std::uint32_t another = 7, supplementary = 8;

struct Case {
  std::uint32_t owner, group, mode;  ///< of the tmpfs
  std::uint32_t agent;               ///< user and group; `supplementary` beside them
  const char* capability;
  int number;
  std::string options() const { return fmt::format("uid={},gid={},mode={:o}", owner, group, mode); }
  std::string text() const {
    return fmt::format("{} for {}:{} with {}", options(), agent, agent, *capability ? capability : "nothing");
  }
};

/// "lrc": what of listing, reading a file of it and making a directory in it succeeds; behind a comma after chmod(2).
std::string shown(bool list, bool read, bool create) {
  return fmt::format("{}{}{}", list ? 'l' : '-', read ? 'r' : '-', create ? 'c' : '-');
}

std::string expected(const Case& c) {
  FilePolicy policy;
  policy.allow("read write", {"/t/**"}).tmpfs("/t");
  policy.policy.run.user = model::User{c.agent, c.agent, {}};
  const backends::Artifact profile{"seccomp/profile.json", R"({"defaultAction":"SCMP_ACT_ERRNO"})"};
  const auto emitted = backends::oci::backend().emit(policy.policy, debian12(), {&profile, 1});
  nlohmann::ordered_json config = nlohmann::ordered_json::parse(emitted.artifacts.at(0).bytes);
  auto& options = mount_at(config, "/t")["options"];
  std::erase_if(options.get_ref<nlohmann::ordered_json::array_t&>(), [](const auto& o) {
    const std::string text = o;
    return text.starts_with("uid=") || text.starts_with("gid=") || text.starts_with("mode=");
  });
  for (const char* name : {"uid", "gid"})
    options.push_back(fmt::format("{}={}", name, std::string_view(name) == "uid" ? c.owner : c.group));
  options.push_back(fmt::format("mode={:o}", c.mode));
  config["process"]["user"]["additionalGids"] = nlohmann::ordered_json::array({supplementary});
  for (const char* set : {"bounding", "effective", "inheritable", "permitted", "ambient"})
    config["process"]["capabilities"][set] =
        *c.capability ? nlohmann::ordered_json::array({c.capability}) : nlohmann::ordered_json::array();
  const backends::Artifact artifact{"oci/config.json", config.dump()};
  const auto decoded = backends::oci::backend().decode({&artifact, 1}, debian12());
  if (!decoded.container) return decoded.problems.at(0).message;
  // A mount is made here as a runtime makes it that leaves the mode alone: runc before 1.1.8 changes it afterwards.
  model::Target target = debian12();
  target.runc = {1, 2};
  const auto tree = verify::container_tree(policy.policy, target, *decoded.container);
  for (const model::InodeCell& cell : tree.layer.cells) {
    if (cell.base != "/t") continue;
    const auto answer = [&](model::InodeRights at, model::InodeRights beneath) {
      return shown(at & inode::list, beneath & inode::read, beneath & inode::make_directory);
    };
    return answer(cell.at, cell.beneath) + "," + answer(cell.at | cell.later_at, cell.beneath | cell.later_beneath);
  }
  return "no cell";
}

void become(const Case& c) {
  const gid_t groups[] = {supplementary};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  if (*c.capability) sets[0].permitted = sets[0].effective = 1u << c.number;
  if (setgroups(1, groups) != 0 || setresgid(c.agent, c.agent, c.agent) != 0 ||
      prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresuid(c.agent, c.agent, c.agent) != 0 ||
      syscall(SYS_capset, &header, sets) != 0)
    _exit(100);
}

/// Bits 0 to 2: list, read, create.
int attempts(const std::string& directory) {
  const auto opens = [](const std::string& path, int flags) {
    const int fd = open(path.c_str(), flags);
    return fd >= 0 && close(fd) == 0;
  };
  int out = opens(directory, O_RDONLY | O_DIRECTORY) ? 1 : 0;
  if (opens(directory + "/file", O_RDONLY)) out |= 2;
  if (mkdir((directory + "/made").c_str(), 0755) == 0) out |= rmdir((directory + "/made").c_str()) == 0 ? 4 : 0;
  return out;
}

std::string observed(const Case& c, const std::string& directory) {
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, c.options().c_str()) != 0)
      _exit(101);
    const int made = open((directory + "/file").c_str(), O_CREAT | O_WRONLY, 0644);
    if (made < 0 || fchmod(made, 0644) != 0) _exit(102);
    become(c);
    const int first = attempts(directory);
    (void)!chmod(directory.c_str(), 0777);
    _exit(first | attempts(directory) << 3);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) >= 64)
    return fmt::format("status {}", status);
  const int bits = WEXITSTATUS(status);
  return shown(bits & 1, bits & 2, bits & 4) + "," + shown(bits & 8, bits & 16, bits & 32);
}

TEST(TmpfsPermissions, AreTheKernels) {
  const Scratch host;
  const std::string directory = host.directory("t");
  chmod(host.path().c_str(), 0755);  // the agent must be able to come here
  std::size_t cases = 0, granted = 0;
  for (const auto& [capability, number] : {std::pair{"", 0},
                                           {"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE},
                                           {"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
                                           {"CAP_FOWNER", CAP_FOWNER}})
    for (const std::uint32_t agent : {65534u, 0u})
      for (const std::uint32_t owner : {agent, another})
        for (const std::uint32_t group : {agent, supplementary, another})
          for (std::uint32_t bits = 0; bits < 8; ++bits)
            for (const int place : {6, 3, 0}) {  // one class has these bits, and both others the rest
              const std::uint32_t mode = (bits << place) | (0777 & ~(7u << place) & 0111u * (7 ^ bits));
              const Case c{owner, group, mode, agent, capability, number};
              const std::string is = observed(c, directory);
              EXPECT_EQ(expected(c), is) << c.text();
              ++cases, granted += is.starts_with("lrc") ? 1 : 0;
            }
  EXPECT_GT(granted, cases / 10);
  EXPECT_LT(granted, cases * 9 / 10);
}

}  // namespace
}  // namespace agp::test
