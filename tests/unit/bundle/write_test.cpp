// What a build leaves on disk when everything goes well, and when anything goes wrong at any point. The points are the
// system calls themselves: this file stands between `write` and the C library and makes the n-th call fail, raise a
// signal, or kill the process.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include "compiler/bundle/bundle.hpp"
#include "compiler/diagnostics/kinds.hpp"
#include "tests/support/scratch.hpp"

namespace {

/// What happens at the n-th call of those that change the disk.
struct Fault {
  int at = -1;     ///< counts down; 0: now
  int error = 0;   ///< the call fails with this
  int signal = 0;  ///< or this signal comes, and the call goes on
  bool no_exchange = false;
};
Fault fault;

/// True when the call is to fail with `errno` set.
bool meet() {
  if (fault.at < 0 || fault.at-- != 0) return false;
  if (fault.signal != 0) ::raise(fault.signal);
  if (fault.error != 0) errno = fault.error;
  return fault.error != 0;
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
int fsync(int fd) { return meet() ? -1 : real<int(int)>("fsync")(fd); }
int fchmod(int fd, mode_t mode) { return meet() ? -1 : real<int(int, mode_t)>("fchmod")(fd, mode); }
int mkdir(const char* path, mode_t mode) { return meet() ? -1 : real<int(const char*, mode_t)>("mkdir")(path, mode); }
int rename(const char* from, const char* to) {
  return meet() ? -1 : real<int(const char*, const char*)>("rename")(from, to);
}
int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) {
  if (meet()) return -1;
  if (fault.no_exchange && flags != 0) {
    errno = EINVAL;
    return -1;
  }
  return real<int(int, const char*, int, const char*, unsigned)>("renameat2")(from_fd, from, to_fd, to, flags);
}
}

namespace agp::bundle {
namespace {

namespace fs = std::filesystem;
namespace kind = diagnostics::kind;
using Tree = std::map<std::string, std::string>;

std::vector<backends::Artifact> output(const std::string& mark) {
  return {{"a/b/deep.txt", "deep " + mark},
          {"a/x.json", mark},
          {"manifest.json",
           R"({"schema": "agp-manifest/1", "files": ["a/b/deep.txt", "a/x.json", "manifest.json", "report.json"]})"},
          {"report.json", "{}"}};
}
Tree tree_of(const std::vector<backends::Artifact>& files) {
  Tree tree;
  for (const auto& file : files) tree[file.path] = file.bytes;
  return tree;
}
Tree tree_at(const test::Scratch& dir, const std::string& name) {
  Tree tree;
  for (const auto& entry : fs::recursive_directory_iterator(dir / name))
    if (entry.is_regular_file()) {
      const std::string path = entry.path().lexically_relative(dir / name).string();
      tree[path] = dir.read(name + "/" + path);
    }
  return tree;
}
std::set<std::string> names_in(const test::Scratch& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir.path())) names.insert(entry.path().filename().string());
  return names;
}
bool put(const std::string& directory, const std::vector<backends::Artifact>& files, diagnostics::Sink& sink) {
  return write(directory, files, sink);
}
bool put(const std::string& directory, const std::vector<backends::Artifact>& files) {
  diagnostics::Sink sink;
  return write(directory, files, sink);
}

struct Faults : testing::Test {
  void TearDown() override { fault = {}; }
};

TEST(Write, MakesTheDirectoryAndReplacesItsOwn) {
  const test::Scratch dir;
  ASSERT_TRUE(put(dir / "out", output("one")));
  EXPECT_EQ(tree_at(dir, "out"), tree_of(output("one")));
  ASSERT_TRUE(put(dir / "out/", output("two")));
  EXPECT_EQ(tree_at(dir, "out"), tree_of(output("two")));
  EXPECT_EQ(names_in(dir), (std::set<std::string>{"out"}));
}

TEST(Write, ModesDoNotDependOnTheUmask) {
  const test::Scratch dir;
  for (const mode_t mask : {0077, 0000, 0777}) {
    const mode_t before = ::umask(mask);
    const bool written = put(dir / "out", output("x"));
    ::umask(before);
    if (!written && ::geteuid() != 0) continue;  // 0777: nobody but root can write into such a directory
    ASSERT_TRUE(written);
    for (const auto& entry : fs::recursive_directory_iterator(dir / "out"))
      EXPECT_EQ(static_cast<int>(entry.status().permissions()), entry.is_directory() ? 0755 : 0644) << entry.path();
    EXPECT_EQ(static_cast<int>(fs::status(dir / "out").permissions()), 0755);
  }
}

TEST(Write, AnEmptyDirectoryIsTaken) {
  const test::Scratch dir;
  fs::create_directory(dir / "out");
  ASSERT_TRUE(put(dir / "out", output("x")));
  EXPECT_EQ(tree_at(dir, "out"), tree_of(output("x")));
}

TEST(Write, ALinkToADirectoryStaysALink) {
  const test::Scratch dir;
  fs::create_directory(dir / "real");
  fs::create_directory_symlink(dir / "real", dir / "out");
  ASSERT_TRUE(put(dir / "out", output("x")));
  EXPECT_TRUE(fs::is_symlink(dir / "out"));
  EXPECT_EQ(tree_at(dir, "real"), tree_of(output("x")));
}

TEST(Write, WhatAgpDidNotWriteIsLeftAlone) {
  const test::Scratch dir;
  const auto refused = [&](const std::string& name) {
    diagnostics::Sink sink;
    EXPECT_FALSE(put(dir / name, output("new"), sink)) << name;
    ASSERT_EQ(sink.all().size(), 1u) << name;
    EXPECT_EQ(sink.all()[0].kind, &kind::output_refused) << sink.all()[0].message;
  };
  dir.write("notes/mine.txt", "mine");
  refused("notes");
  dir.write("file", "mine");
  refused("file");
  ASSERT_TRUE(put(dir / "one-more", output("old")));
  dir.write("one-more/a/b/extra", "mine");
  refused("one-more");
  EXPECT_EQ(dir.read("one-more/a/x.json"), "old");
  ASSERT_TRUE(put(dir / "one-less", output("old")));
  fs::remove(dir / "one-less/a/x.json");
  refused("one-less");
  ASSERT_TRUE(put(dir / "empty-directory", output("old")));
  fs::create_directory(dir / "empty-directory/mine");
  refused("empty-directory");
  ASSERT_TRUE(put(dir / "link", output("old")));
  fs::remove(dir / "link/a/x.json");
  fs::create_symlink("/etc/passwd", dir / "link/a/x.json");
  refused("link");
  ASSERT_TRUE(put(dir / "dir-link", output("old")));
  fs::rename(dir / "dir-link/a", dir / "moved");
  fs::create_directory_symlink(dir / "moved", dir / "dir-link/a");
  refused("dir-link");
  for (const char* manifest :
       {"{", "[]", "{}", R"({"schema": "agp-manifest/2", "files": ["manifest.json"]})",
        R"({"schema": "agp-manifest/1", "files": "manifest.json"})", R"({"schema": "agp-manifest/1", "files": [1]})",
        R"({"schema": "agp-manifest/1", "files": []})", "\xff"}) {
    dir.write("bad/manifest.json", manifest);
    refused("bad");
  }
}

TEST(Write, ManyPoliciesAreOneOutput) {
  const test::Scratch dir;
  std::vector<backends::Artifact> both;
  for (const std::string policy : {"p/", "q/"})
    for (const auto& file : output("x")) both.push_back({policy + file.path, file.bytes});
  ASSERT_TRUE(put(dir / "out", both));
  ASSERT_TRUE(put(dir / "out", both));
  dir.write("out/r/notes", "mine");
  EXPECT_FALSE(put(dir / "out", both));
  EXPECT_EQ(dir.read("out/r/notes"), "mine");
}

TEST(Write, PlacesThatCantBeWritten) {
  const test::Scratch dir;
  dir.write("file", "x");
  for (const std::string& place : {std::string(), std::string("/"), dir / "no/such/parent", dir / "file/below"}) {
    diagnostics::Sink sink;
    EXPECT_FALSE(put(place, output("x"), sink)) << place;
    ASSERT_EQ(sink.all().size(), 1u) << place;
    EXPECT_EQ(sink.all()[0].kind, &kind::output_failed) << place;
  }
  fs::create_symlink(dir / "nothing", dir / "dangling");
  EXPECT_FALSE(put(dir / "dangling", output("x")));
}

TEST(Write, ArtifactsStayInTheirDirectory) {
  const test::Scratch dir;
  for (const char* path : {"../escaped", "/tmp/escaped", "a/../../escaped", "", "a//b", "./a"}) {
    EXPECT_FALSE(put(dir / "out", {{path, "x"}})) << path;
    EXPECT_EQ(names_in(dir), std::set<std::string>{}) << path;
  }
}

TEST_F(Faults, AFullDiskAtAnyPointLeavesTheOldOutput) {
  const test::Scratch dir;
  int point = 0;
  for (;; ++point) {
    fault = {};
    fs::remove_all(dir / "out");
    ASSERT_TRUE(put(dir / "out", output("old")));
    fault = {.at = point, .error = ENOSPC};
    diagnostics::Sink sink;
    const bool written = put(dir / "out", output("new"), sink);
    const bool met = fault.at < 0;
    fault = {};
    EXPECT_EQ(names_in(dir), (std::set<std::string>{"out"})) << point;
    EXPECT_EQ(tree_at(dir, "out"), tree_of(output(written ? "new" : "old"))) << point;
    if (!met) break;
    if (!written) {
      ASSERT_EQ(sink.all().size(), 1u);
      EXPECT_EQ(sink.all()[0].kind, &kind::output_failed);
    }
  }
  EXPECT_GT(point, 8);
}

/// Runs one build in a child with the fault; returns the wait status and whether the fault was met.
int child(const test::Scratch& dir, const Fault& what) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    fault = what;
    const bool written = put(dir / "out", output("new"));
    ::_exit(fault.at >= 0 ? 99 : written ? 0 : 2);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST_F(Faults, ASignalAtAnyPointLeavesNothingBehind) {
  for (const bool no_exchange : {false, true})
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
      const test::Scratch dir;
      int point = 0, ended = 0;
      for (;; ++point) {
        ASSERT_TRUE(put(dir / "out", output("old")));
        const int status = child(dir, {.at = point, .signal = number, .no_exchange = no_exchange});
        EXPECT_EQ(names_in(dir), (std::set<std::string>{"out"})) << point;
        const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == number;
        EXPECT_EQ(tree_at(dir, "out"), tree_of(output(killed ? "old" : "new"))) << point;
        ended += killed ? 1 : 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 99) break;
      }
      EXPECT_GT(ended, 6);
    }
}

TEST_F(Faults, AKilledRunLeavesTheOldOutputOrTheNewOneWhole) {
  for (const bool no_exchange : {false, true}) {
    const test::Scratch dir;
    for (int point = 0;; ++point) {
      for (const std::string& name : names_in(dir)) fs::remove_all(dir / name);
      ASSERT_TRUE(put(dir / "out", output("old")));
      const int status = child(dir, {.at = point, .signal = SIGKILL, .no_exchange = no_exchange});
      bool whole = false;
      for (const std::string& name : names_in(dir)) {
        const Tree tree = tree_at(dir, name);
        whole = whole ||
                ((name == "out" || no_exchange) && (tree == tree_of(output("old")) || tree == tree_of(output("new"))));
      }
      EXPECT_TRUE(whole) << point;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 99) break;
    }
  }
}

TEST_F(Faults, IgnoredSignalsStayIgnored) {
  const test::Scratch dir;
  ::signal(SIGHUP, SIG_IGN);
  const int status = child(dir, {.at = 2, .signal = SIGHUP});
  ::signal(SIGHUP, SIG_DFL);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(tree_at(dir, "out"), tree_of(output("new")));
}

TEST_F(Faults, WithoutExchangeTwoRenamesDo) {
  const test::Scratch dir;
  ASSERT_TRUE(put(dir / "out", output("old")));
  fault.no_exchange = true;
  ASSERT_TRUE(put(dir / "out", output("new")));
  EXPECT_EQ(tree_at(dir, "out"), tree_of(output("new")));
  EXPECT_EQ(names_in(dir), (std::set<std::string>{"out"}));
}

TEST(Write, BuildsIntoOneDirectoryWaitForEachOther) {
  const test::Scratch dir;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i)
    if (const pid_t pid = ::fork(); pid == 0)
      ::_exit(put(dir / "out", output("x" + std::to_string(i))) ? 0 : 1);
    else
      children.push_back(pid);
  for (const pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(names_in(dir), (std::set<std::string>{"out"}));
  const Tree tree = tree_at(dir, "out");
  EXPECT_EQ(tree.at("a/b/deep.txt"), "deep " + tree.at("a/x.json"));  // of one build, whichever was last
}

}  // namespace
}  // namespace agp::bundle
