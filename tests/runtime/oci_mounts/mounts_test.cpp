#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "compiler/plan/plan.hpp"
#include "tests/support/container.hpp"
#include "tests/support/file_policy.hpp"

// What config.json's mounts hold, tried in a container. Every refusal has a control: the same attempt with that line of
// config.json changed succeeds, so the refusal is that line's and not the file permissions' or the kernel's.
namespace agp::test {
namespace {

using Json = nlohmann::ordered_json;

/// The tools of the tests, read-only: busybox and the probe.
FilePolicy with_tools() {
  FilePolicy p;
  p.allow("read exec", {"/bin/busybox", "/bin/probe"})
      .mount("/bin/busybox", "/bin/busybox")
      .mount(AGP_OCI_PROBE, "/bin/probe");
  return p;
}

int refused(const std::map<std::string, int>& results, const std::string& name) { return results.at(name) != 0; }
int permitted(const std::map<std::string, int>& results, const std::string& name) { return results.at(name) == 0; }

TEST(OciMounts, TheExample) {
  const Scratch host;
  host.directory("task", 0777);
  host.directory("config", 0777);
  host.file("task/main", "task", 0666);
  host.file("config/settings", "settings", 0666);
  FilePolicy p = with_tools();
  p.allow("read write", {"/workspace/**"})
      .allow("read", {"/task/**", "/config/**"})
      .deny("write", {"/workspace/.git/hooks/**"});
  p.tmpfs("/workspace", 1 << 20).mount(host.path("task"), "/task").mount(host.path("config"), "/config");
  const std::vector<std::pair<std::string, std::string>> attempts{
      {"write", "$b touch /workspace/a"},
      {"subdirectory", "$b mkdir -p /workspace/b/c && $b touch /workspace/b/c/d && $b rm -r /workspace/b"},
      {"git", "echo ref > /workspace/.git/HEAD && $b mkdir /workspace/.git/objects"},
      {"read-config", "$b cat /config/settings"},
      {"read-task", "$b cat /task/main"},
      {"write-config", "echo x > /config/settings"},
      {"create-config", "$b touch /config/new"},
      {"chmod-config", "$b chmod 600 /config/settings"},
      {"rename-config", "$b mv /config/settings /config/old"},
      {"create-hook", "$b touch /workspace/.git/hooks/pre-commit"},
      {"link-hook", "$b ln -s /x /workspace/.git/hooks/pre-commit"},
      {"move-git", "$b mv /workspace/.git /workspace/x"},
      {"move-hooks", "$b mv /workspace/.git/hooks /workspace/.git/x"},
      {"remove-hooks", "$b rmdir /workspace/.git/hooks"},
      {"hook-after-move",
       "$b mv /workspace/.git /workspace/x; $b mkdir -p /workspace/.git/hooks; $b touch /workspace/.git/hooks/h"},
      {"read-passwd", "$b cat /etc/passwd"},
      {"sys", "$b ls /sys"},
      {"host-path", "$b ls " + host.path("config")},
      {"write-root", "$b touch /x"},
      {"write-dev", "$b touch /dev/x"},
      {"write-scaffold", "$b touch /bin/x"},
      {"write-proc", "echo x > /proc/self/comm"},
      {"proc-sys", "$b ls /proc/sys"},
      {"meminfo", "$b cat /proc/meminfo"},
      {"exec-workspace", "$b cp /bin/busybox /workspace/busybox && /workspace/busybox true"},
      {"copy-fits", "$b cp /bin/busybox /workspace/busybox"},
  };
  const auto got = attempt(p.policy, attempts);
  for (const char* name : {"write", "subdirectory", "git", "read-config", "read-task"})
    EXPECT_TRUE(permitted(got, name)) << name;
  for (const char* name : {"write-config",   "create-config", "chmod-config", "rename-config", "create-hook",
                           "link-hook",      "move-git",      "move-hooks",   "remove-hooks",  "hook-after-move",
                           "read-passwd",    "sys",           "host-path",    "write-root",    "write-dev",
                           "write-scaffold", "write-proc",    "proc-sys",     "meminfo",       "exec-workspace"})
    EXPECT_TRUE(refused(got, name)) << name;
  EXPECT_TRUE(refused(got, "copy-fits")) << "busybox is larger than the workspace";

  // Controls. /config: the modes of its files allow the agent everything; only the mount is in the way.
  p.policy.run.mounts[2].size_bytes = 16 << 20;
  auto control = attempt(p.policy, attempts, [](Json& c) { replace_option(c, "/config", "ro", "rw"); });
  for (const char* name : {"write-config", "create-config", "rename-config"})
    EXPECT_TRUE(permitted(control, name)) << name;
  EXPECT_TRUE(refused(control, "exec-workspace"));
  EXPECT_TRUE(permitted(control, "copy-fits"));
  control = attempt(p.policy, attempts, [](Json& c) { replace_option(c, "/workspace", "noexec", "exec"); });
  EXPECT_TRUE(permitted(control, "exec-workspace"));
  control = attempt(p.policy, attempts, [](Json& c) { remove_mount(c, "/workspace/.git/hooks"); });
  EXPECT_TRUE(refused(control, "move-git"));
  EXPECT_TRUE(permitted(control, "hook-after-move"));
  // Not pinned: the read-only mount alone is walked around. runc makes .git for root; the agent owns it in a real run.
  control = attempt(
      p.policy,
      {{"hook-after-move",
        "$b mv /workspace/.git /workspace/x && $b mkdir -p /workspace/.git/hooks && $b touch /workspace/.git/hooks/h"}},
      [](Json& c) { remove_mount(c, "/workspace/.git"); });
  EXPECT_TRUE(permitted(control, "hook-after-move"));
  control = attempt(p.policy, attempts, [](Json& c) {
    auto& options = mount_at(c, "/proc")["options"];
    options = {"nosuid", "nodev", "noexec"};
    c["linux"]["readonlyPaths"] = Json::array();
    c["linux"]["maskedPaths"] = Json::array();
  });
  for (const char* name : {"write-proc", "proc-sys", "meminfo"}) EXPECT_TRUE(permitted(control, name)) << name;
}

TEST(OciMounts, DevHoldsOnlyWhatIsPermitted) {
  FilePolicy p = with_tools();
  p.allow("read modify", {"/dev/zero"});
  p.policy.run.command = {"/bin/busybox", "ls", "/dev"};
  EXPECT_EQ(run_container(p.policy).out, "null\nzero\n");
  // Without a bind mount at /dev runc makes its own nodes.
  EXPECT_NE(run_container(p.policy,
                          [](Json& c) {
                            remove_mount(c, "/dev");
                            remove_mount(c, "/dev/null");
                            remove_mount(c, "/dev/zero");
                          })
                .out.find("urandom"),
            std::string::npos);
}

TEST(OciMounts, AReadOnlyMountDoesNotProtectADevice) {
  FilePolicy p = with_tools();
  p.allow("read", {"/dev/zero"});
  const auto got = attempt(p.policy, {{"write", "echo x > /dev/zero"}, {"null", "echo x > /dev/null"}});
  EXPECT_TRUE(permitted(got, "write"));
  EXPECT_TRUE(permitted(got, "null"));
}

TEST(OciMounts, NodevAndNosuid) {
  const Scratch host;
  host.directory("tools");
  const std::string node = host.path("tools/zero"), suid = host.path("tools/suid");
  ASSERT_EQ(mknod(node.c_str(), S_IFCHR | 0666, makedev(1, 5)), 0);
  ASSERT_EQ(chmod(node.c_str(), 0666), 0);
  std::filesystem::copy_file(AGP_OCI_PROBE, suid);
  ASSERT_EQ(chmod(suid.c_str(), 04755), 0);
  FilePolicy p = with_tools();
  p.allow("read exec", {"/tools/**"}).allow("read modify", {"/dev/zero"}).mount(host.path("tools"), "/tools");
  const std::vector<std::pair<std::string, std::string>> attempts{{"device", "$b head -c 1 /tools/zero"},
                                                                  {"root", "/tools/suid root"}};
  const auto got = attempt(p.policy, attempts);
  EXPECT_TRUE(refused(got, "device"));
  EXPECT_TRUE(refused(got, "root"));
  const auto control = attempt(p.policy, attempts, [](Json& c) {
    replace_option(c, "/tools", "nodev", "dev");
    replace_option(c, "/tools", "nosuid", "suid");
    c["process"]["noNewPrivileges"] = false;
    c["process"]["capabilities"]["bounding"] = {"CAP_SETUID"};
  });
  EXPECT_TRUE(permitted(control, "device"));
  EXPECT_TRUE(permitted(control, "root"));
}

TEST(OciMounts, AWritableHostDirectoryKeepsItsDeny) {
  const Scratch host;
  const std::string work = host.directory("work", 0777);
  FilePolicy p = with_tools();
  p.allow("read write", {"/workspace/**"}).deny("write", {"/workspace/.git/hooks/**"}).mount(work, "/workspace", true);
  const std::vector<std::pair<std::string, std::string>> attempts{
      {"write", "$b touch /workspace/a"},
      {"git", "echo ref > /workspace/.git/HEAD"},
      {"hook", "$b touch /workspace/.git/hooks/h"},
      {"hook-after-move",
       "$b mv /workspace/.git /workspace/x; $b mkdir -p /workspace/.git/hooks; $b touch /workspace/.git/hooks/h"}};
  const auto got = attempt(p.policy, attempts);
  EXPECT_TRUE(permitted(got, "write"));
  EXPECT_TRUE(permitted(got, "git"));
  EXPECT_TRUE(refused(got, "hook"));
  EXPECT_TRUE(refused(got, "hook-after-move"));
  EXPECT_TRUE(std::filesystem::exists(work + "/.git/HEAD"));
  EXPECT_TRUE(std::filesystem::is_empty(work + "/.git/hooks"));
  // The hooks belong to root; for the control they are the agent's, so that only the mounts are in the way.
  ASSERT_EQ(chown((work + "/.git/hooks").c_str(), 65534, 65534), 0);
  EXPECT_TRUE(refused(attempt(p.policy, attempts), "hook-after-move"));
  const auto control = attempt(p.policy, attempts, [](Json& c) { remove_mount(c, "/workspace/.git"); });
  EXPECT_TRUE(refused(control, "hook"));
  EXPECT_TRUE(permitted(control, "hook-after-move"));
}

TEST(OciMounts, ALinkLeftInTheWorkspaceStopsTheStart) {
  const Scratch host;
  const std::string work = host.directory("work", 0777), secret = host.directory("secret");
  std::filesystem::create_directory_symlink(secret, work + "/.git");
  FilePolicy p = with_tools();
  p.allow("read write", {"/workspace/**"}).deny("write", {"/workspace/.git/hooks/**"}).mount(work, "/workspace", true);
  const Outcome got = run_container(p.policy);
  EXPECT_EQ(got.status, -1);
  EXPECT_EQ(got.failed, "test ! -L " + work + "/.git");
  EXPECT_TRUE(std::filesystem::is_empty(secret));
}

TEST(OciMounts, AMaskShowsNothing) {
  const Scratch host;
  host.directory("config/secret", 0777);
  host.file("config/secret/key", "key", 0666);
  host.file("config/token", "token", 0666);
  FilePolicy p = with_tools();
  p.allow("read", {"/config/**"})
      .deny("read", {"/config/secret/**", "/config/token"})
      .mount(host.path("config"), "/config");
  const std::vector<std::pair<std::string, std::string>> attempts{{"list", "$b ls /config/secret"},
                                                                  {"read", "$b cat /config/secret/key"},
                                                                  {"token", "$b cat /config/token"},
                                                                  {"write", "$b touch /config/secret/x"},
                                                                  {"others", "$b ls /config"}};
  const auto got = attempt(p.policy, attempts);
  for (const char* name : {"list", "read", "token", "write"}) EXPECT_TRUE(refused(got, name)) << name;
  EXPECT_TRUE(permitted(got, "others"));
  const auto control = attempt(p.policy, attempts, [](Json& c) {
    remove_mount(c, "/config/secret");
    remove_mount(c, "/config/token");
  });
  for (const char* name : {"list", "read", "token"}) EXPECT_TRUE(permitted(control, name)) << name;
}

TEST(OciMounts, ARuleOnOneFileNeverShowsADirectory) {
  const Scratch host;
  host.file("etc/hosts/inside", "x");
  FilePolicy p = with_tools();
  p.allow("read", {"/etc/hosts"}).mount(host.path("etc"), "/etc");
  p.policy.run.command = {"/bin/busybox", "cat", "/etc/hosts/inside"};
  const Outcome got = run_container(p.policy);
  EXPECT_NE(got.status, 0);
  EXPECT_NE(got.err.find("not a directory"), std::string::npos) << got.err;
}

TEST(OciMounts, WhatTheHostMountsLaterOrBeneathDoesNotShow) {
  const Scratch host;
  host.directory("task/below");
  ASSERT_EQ(execute({"mount", "-t", "tmpfs", "tmpfs", host.path("task/below")}).status, 0);
  host.directory("task/below", 0755);
  host.file("task/below/file", "x");
  FilePolicy p = with_tools();
  p.allow("read", {"/task/**"}).mount(host.path("task"), "/task");
  const std::vector<std::pair<std::string, std::string>> attempts{{"below", "$b cat /task/below/file"}};
  const auto got = attempt(p.policy, attempts);
  const auto control = attempt(p.policy, attempts, [](Json& c) { replace_option(c, "/task", "bind", "rbind"); });
  execute({"umount", host.path("task/below")});
  EXPECT_TRUE(refused(got, "below"));
  EXPECT_TRUE(permitted(control, "below"));
}

TEST(OciMounts, ASocketIsReachedOnlyThroughAMount) {
  const Scratch host;
  const std::string directory = host.directory("run", 0777);
  const auto listen_at = [](const std::string& path) {
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    path.copy(a.sun_path, sizeof a.sun_path - 1);
    EXPECT_EQ(bind(s, reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    EXPECT_EQ(listen(s, 8), 0);
    EXPECT_EQ(chmod(path.c_str(), 0777), 0);
    return s;
  };
  const int one = listen_at(directory + "/one.sock"), two = listen_at(directory + "/two.sock");
  FilePolicy p = with_tools();
  p.sock(model::Effect::Allow, model::Direction::Connect, "/run/one.sock").mount(directory, "/run");
  const std::vector<std::pair<std::string, std::string>> attempts{{"one", "/bin/probe connect /run/one.sock"},
                                                                  {"two", "/bin/probe connect /run/two.sock"},
                                                                  {"open", "$b cat /run/one.sock"}};
  const auto got = attempt(p.policy, attempts);
  EXPECT_TRUE(permitted(got, "one"));
  EXPECT_TRUE(refused(got, "open"));  // ENXIO: what the mount shows is no file
  EXPECT_TRUE(refused(got, "two"));
  p.allow("read", {"/run/**"});  // a derived grant says so: read-only does not stop connect
  EXPECT_TRUE(permitted(attempt(p.policy, attempts), "two"));
  close(one);
  close(two);
}

TEST(OciMounts, NoexecDoesNotReachMemory) {
  FilePolicy p = with_tools();
  const auto got =
      attempt(p.policy, {{"link", "/bin/probe memory-link"}, {"empty-path", "/bin/probe memory-empty-path"}});
  EXPECT_TRUE(permitted(got, "link"));  // so that denying execveat(AT_EMPTY_PATH) alone holds nothing
  EXPECT_TRUE(permitted(got, "empty-path"));
}

TEST(OciMounts, EnvironmentUserAndResolver) {
  FilePolicy p = with_tools();
  p.name_rule("registry.internal");
  p.policy.env_set = {{"PATH", "/bin"}, {"LANG", "C.UTF-8"}};
  p.policy.run.command = {"/bin/busybox", "sh", "-c",
                          "/bin/busybox tr '\\0' '\\n' < /proc/self/environ; /bin/busybox id; /bin/busybox cat "
                          "/etc/resolv.conf; umask; /bin/busybox hostname; pwd"};
  p.policy.run.hostname = "agent";
  setenv("AGP_TEST_SECRET", "secret", 1);
  const Outcome got = run_container(p.policy);
  EXPECT_TRUE(got.unfinished.empty()) << got.unfinished[0];
  EXPECT_EQ(got.out, "LANG=C.UTF-8\nPATH=/bin\nHOME=/\nuid=65534 gid=65534\nnameserver 127.0.0.53\n0022\nagent\n/\n")
      << got.err;
}

TEST(OciMounts, ADirectoryOfDevCanBeWritable) {
  FilePolicy p = with_tools();
  p.allow("read write", {"/dev/shm/**"}).tmpfs("/dev/shm", 1 << 20);
  const auto got = attempt(p.policy, {{"shm", "$b touch /dev/shm/x"}, {"dev", "$b touch /dev/x"}});
  EXPECT_TRUE(permitted(got, "shm"));
  EXPECT_TRUE(refused(got, "dev"));
}

TEST(OciMounts, ASecondStartLeavesTheFirstAlone) {
  model::Policy p = FilePolicy().policy;
  p.name = "test-second-" + std::to_string(getpid());
  const auto commands = plan::stack_commands(p, debian12());
  const Scratch scratch;
  const std::string ns = "agp-" + p.name;
  ASSERT_EQ(execute({"ip", "netns", "add", ns}).status, 0);  // as the first run has it
  for (const auto& command : commands.finally) {
    std::vector<std::string> words = command;
    for (std::string& w : words)
      if (const auto at = w.find("{run}"); at != std::string::npos) w.replace(at, 5, scratch.path("run"));
    execute(words);
  }
  EXPECT_TRUE(std::filesystem::exists("/run/netns/" + ns));
  execute({"ip", "netns", "del", ns});
}

TEST(OciMounts, PythonOfTheHost) {
  if (!std::filesystem::exists("/usr/bin/python3.11")) GTEST_SKIP() << "python3.11 is not installed";
  FilePolicy p;
  p.allow("read exec", {"/usr/bin/python3.11", "/lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/**",
                        "/usr/lib/python3.11/lib-dynload/**"});
  p.allow("read", {"/usr/lib/python3.11/**"});
  p.policy.run.command = {"/usr/bin/python3.11", "-I", "-c",
                          "import ctypes, json, socket, sqlite3, ssl, subprocess; print(1)"};
  const Outcome got = run_container(p.policy);
  EXPECT_EQ(got.out, "1\n") << got.err;
}

}  // namespace
}  // namespace agp::test
