#include "compiler/source/root.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

// A directory looked at as `/`: links are followed within it and never out of it.
namespace agp::source {
namespace {

namespace fs = std::filesystem;

class RootTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "agp-root-XXXXXX").string();
    top_ = ::mkdtemp(name.data());
    fs::create_directories(top_ / "root/usr/bin");
    std::ofstream(top_ / "root/usr/bin/dash") << "x";
    std::ofstream(top_ / "secret") << "outside";
    fs::create_symlink("usr/bin", top_ / "root/bin");
    fs::create_symlink("/usr/bin/dash", top_ / "root/usr/bin/sh");
    fs::create_symlink("../../../../secret", top_ / "root/usr/out");
    fs::create_symlink((top_ / "secret").string(), top_ / "root/usr/absolute");
    fs::create_symlink("loop", top_ / "root/loop");
    fs::create_symlink("..", top_ / "root/usr/up");
  }
  void TearDown() override { fs::remove_all(top_); }
  fs::path top_;
};

TEST_F(RootTest, LinksAreFollowedWithin) {
  const Root root((top_ / "root").string());
  ASSERT_EQ(root.reason(), "");
  for (const char* path : {"/usr/bin/dash", "/bin/dash", "/bin/sh", "/usr/up/bin/sh", "/usr/../../../bin/sh"}) {
    const Root::Look look = root.look(path);
    ASSERT_TRUE(look.node) << path << ": " << look.reason;
    EXPECT_EQ(look.node->kind, NodeKind::File) << path;
  }
  EXPECT_EQ(root.look("/").node->kind, NodeKind::Directory);
  EXPECT_EQ(root.look("/bin").node->kind, NodeKind::Directory);
  EXPECT_EQ(root.look("/usr/bin/dash").way.size(), 3u) << "/, /usr and /usr/bin are searched";
}

TEST_F(RootTest, AndNeverOutOfIt) {
  const Root root((top_ / "root").string());
  for (const char* path :
       {"/usr/out", "/usr/absolute", "/../secret", "/usr/up/../secret", "/loop", "/usr/bin/dash/x"}) {
    const Root::Look look = root.look(path);
    EXPECT_FALSE(look.node) << path;
    EXPECT_NE(look.reason, "") << path;
  }
}

TEST_F(RootTest, NamesAndLinks) {
  const Root root((top_ / "root").string());
  EXPECT_EQ(root.names("/bin"), (std::vector<std::string>{"dash", "sh"}));
  EXPECT_FALSE(root.names("/usr/bin/dash"));
  EXPECT_TRUE(root.is_link("/usr/bin/sh"));
  EXPECT_FALSE(root.is_link("/usr/bin/dash"));
  EXPECT_TRUE(root.is_link("/bin"));
  EXPECT_NE(Root((top_ / "secret").string()).reason(), "");
}

TEST_F(RootTest, ModesAreTheFiles) {
  ::chmod((top_ / "root/usr/bin/dash").c_str(), 0640);
  const Root root((top_ / "root").string());
  EXPECT_EQ(root.look("/bin/sh").node->mode, 0640u);
}

}  // namespace
}  // namespace agp::source
