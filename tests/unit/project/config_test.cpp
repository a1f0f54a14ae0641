#include "compiler/project/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"

namespace agp::project {
namespace {

struct Read {
  source::Files files;
  diagnostics::Sink sink;
  Config config;
  bool good = false;
  explicit Read(const std::string& text) { good = read_config(files, files.add("agp.toml", text), config, sink); }
  std::string marked(std::size_t i = 0) const { return std::string(files.text(sink.all().at(i).primary)); }
};

TEST(Config, EveryKey) {
  const Read read(R"(root = "policies"
target = "debian-13"
exclude = ["vendor/**", "*.old.agp"]
[limits]
file-size = "2 MiB"
nesting = 12
files = 7
)");
  ASSERT_TRUE(read.good) << read.sink.all().at(0).message;
  EXPECT_EQ(read.config.root, "policies");
  EXPECT_EQ(read.config.target, "debian-13");
  EXPECT_EQ(read.config.exclude, (std::vector<std::string>{"vendor/**", "*.old.agp"}));
  EXPECT_EQ(read.config.limits.file_bytes, 2u << 20);
  EXPECT_EQ(read.config.limits.nesting, 12u);
  EXPECT_EQ(read.config.max_files, 7u);
}

TEST(Config, AnEmptyFileIsTheDefaults) {
  const Read read("");
  EXPECT_TRUE(read.good);
  EXPECT_EQ(read.config.limits.file_bytes, 8u << 20);
}

TEST(Config, UnknownKeysAreMarkedAndASuggestionIsMade) {
  const Read read("# é\nexlude = []\n[limits]\nnestings = 3\n[other]\nx = 1\n");
  ASSERT_FALSE(read.good);
  ASSERT_EQ(read.sink.all().size(), 3u);
  EXPECT_EQ(read.marked(0), "exlude");
  EXPECT_EQ(read.sink.all()[0].help, "did you mean `exclude`");
  std::vector<std::string> marked = {read.marked(0), read.marked(1), read.marked(2)};
  EXPECT_NE(std::find(marked.begin(), marked.end(), "nestings"), marked.end());
  EXPECT_NE(std::find(marked.begin(), marked.end(), "other"), marked.end());
}

TEST(Config, WrongValuesAreFindings) {
  for (const char* text : {"target = 3",
                           "target = \"\"",
                           "exclude = \"vendor\"",
                           "exclude = [3]",
                           "exclude = [\"/abs\"]",
                           "exclude = [\"a/../b\"]",
                           "root = \"../x\"",
                           "root = \"/x\"",
                           "root = 1",
                           "root = \"*\"",
                           "limits = 3",
                           "[limits]\nnesting = 0",
                           "[limits]\nnesting = -1",
                           "[limits]\nnesting = 100000",
                           "[limits]\nnesting = 1.5",
                           "[limits]\nfile-size = \"8 MB\"",
                           "[limits]\nfile-size = \"0 B\"",
                           "[limits]\nfile-size = \"99999999999999999999 GiB\"",
                           "[limits]\nfile-size = \"8 TiB\"",
                           "[limits]\nfiles = \"many\""}) {
    const Read read(text);
    EXPECT_FALSE(read.good) << text;
    ASSERT_EQ(read.sink.all().size(), 1u) << text;
    EXPECT_EQ(read.sink.all()[0].kind, &diagnostics::kind::invalid_config) << text;
    EXPECT_TRUE(read.sink.all()[0].primary.known()) << text;
  }
}

TEST(Config, WhatIsNoTomlIsOneFindingWithItsPlace) {
  for (const char* text :
       {"target = ", "= 3", "target = \"a", "a = 1\na = 2", "\x01", "\xff\xfe", "[[[", "x = \"\\q\""}) {
    const Read read(text);
    EXPECT_FALSE(read.good) << text;
    ASSERT_EQ(read.sink.all().size(), 1u) << text;
    EXPECT_TRUE(read.sink.all()[0].primary.known()) << text;
  }
}

TEST(Config, DeepNestingDoesNotCrash) { EXPECT_FALSE(Read("x = " + std::string(100000, '[')).good); }

}  // namespace
}  // namespace agp::project
