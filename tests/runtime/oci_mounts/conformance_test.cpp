#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <sstream>

#include "backends/containers/mounts/mount_tree.hpp"
#include "tests/support/container.hpp"
#include "tests/support/file_policy.hpp"

// What `granted` says of a mount tree, against the kernel: random policies over a writable host directory, every verb
// tried in every directory, then once more after the agent has moved aside whatever it could and put its own in the
// place.
namespace agp::test {
namespace {

using backends::containers::Cause;
using backends::containers::Grant;
using model::Effect;
using model::Verb;

FilePolicy random_policy(std::mt19937& random) {
  const auto path = [&](std::size_t least, std::size_t most) {
    std::string out = "/r";
    for (std::size_t i = 0, n = least + random() % (most - least + 1); i < n; ++i) out += random() % 2 ? "/a" : "/b";
    return out;
  };
  static const char* const words[] = {"read", "read write", "read exec", "read write exec"};
  static const char* const refused[] = {"write", "read write", "read write exec", "exec", "read"};
  FilePolicy p;
  // Mostly writable at the top and refused further down: that is where something could be moved out of the way.
  p.allow(random() % 3 ? "read write" : words[random() % 4], {path(0, 1) + "/**"})
      .allow(words[random() % 4], {path(1, 3) + "/**"});
  for (std::size_t i = 0, n = 2 + random() % 3; i < n; ++i)
    p.deny(refused[random() % 5], {path(1, 3) + (random() % 3 ? "/**" : "/f")});
  return p;
}

/// A host directory with everything that the walk looks for, all of it open to everyone.
void fill(const Scratch& host, const std::string& name, int depth) {
  host.directory(name, 0777);
  for (const char* file : {"f", "g"}) host.file(name + "/" + file, file, 0777);
  std::filesystem::create_hard_link(host.path("program"), host.path(name + "/p"));
  if (depth == 0) return;
  for (const char* child : {"/a", "/b"}) fill(host, name + child, depth - 1);
}

TEST(OciConformance, TheTreeIsWhatTheKernelDoes) {
  const char* const text = std::getenv("AGP_TEST_ROUNDS");
  const int rounds = text ? std::atoi(text) : 8;
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  int granted_seen = 0, refused_seen = 0;
  for (int n = 0; n < rounds; ++n) {
    const Scratch host;
    std::filesystem::copy_file(AGP_OCI_PROBE, host.path("program"));
    ASSERT_EQ(chmod(host.path("program").c_str(), 0777), 0);
    fill(host, "r", 3);
    FilePolicy p = random_policy(random);
    std::string about = "seed " + std::to_string(seed) + " policy " + std::to_string(n) + "\n";
    for (const auto& r : p.policy.rules)
      about +=
          std::string(model::to_string(r.effect)) + " " + std::get<model::FileBody>(r.body).patterns[0].text + "\n";
    p.mount(host.path("r"), "/r", true);
    p.allow("read exec", {"/bin/probe"}).mount(AGP_OCI_PROBE, "/bin/probe");
    p.policy.run.command = {"/bin/probe", "walk", "/r"};
    const auto tree = backends::containers::mount_tree(p.policy);
    const Outcome got = run_container(p.policy);
    ASSERT_EQ(got.status, 0) << got.failed << got.err << about;
    std::istringstream lines(got.out);
    std::string word, path;
    bool replaced = false;
    while (lines >> word) {
      if (word == "replaced") {
        replaced = true;
        continue;
      }
      int done = 0;
      lines >> path >> done;
      const Verb verb = word == "read" ? Verb::Read : static_cast<Verb>(verbs(word));
      const std::size_t i = backends::containers::governing(tree, path);
      Grant expected = Grant::No;
      if (i != Cause::none)
        expected = backends::containers::granted(tree.mounts[i], tree.mounts[i].target == path, verb);
      else if (verb == Verb::List && backends::containers::is_scaffold(tree, path))
        expected = Grant::Yes;
      if (expected == Grant::Any) continue;
      const std::string what = word + " " + path + (replaced ? " after replacing\n" : "\n") + about;
      if (done != 0) {
        ASSERT_EQ(expected, Grant::Yes) << what;
      }
      if (done == 0 && !replaced) {
        ASSERT_EQ(expected, Grant::No) << what;
      }
      ++(done != 0 ? granted_seen : refused_seen);
    }
    EXPECT_TRUE(replaced);
  }
  EXPECT_GT(granted_seen, rounds * 10);
  EXPECT_GT(refused_seen, rounds * 10);
}

}  // namespace
}  // namespace agp::test
