#include "compiler/project/project.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "compiler/diagnostics/kinds.hpp"
#include "tests/support/scratch.hpp"

namespace agp::project {
namespace {

namespace kind = diagnostics::kind;
namespace fs = std::filesystem;

struct Opened {
  source::Files files;
  diagnostics::Sink sink;
  std::optional<Project> project;
  std::vector<std::string> found;
  source::FileId first = 0;  ///< of those found

  explicit Opened(std::vector<std::string> paths, Options options = {}) {
    project = Project::open(paths, options, files, sink);
    if (!project) return;
    for (const auto id : project->collect(paths, sink)) {
      if (found.empty()) first = id;
      found.push_back(files.get(id).path);
    }
  }
  std::vector<const diagnostics::Kind*> kinds() const {
    std::vector<const diagnostics::Kind*> list;
    for (const auto& d : sink.all()) list.push_back(d.kind);
    return list;
  }
  /// A `use "PATH"` in the first file found.
  std::optional<source::FileId> load(const std::string& path, std::optional<source::FileId> importer = std::nullopt) {
    const source::FileId from = importer.value_or(first);
    return project->load(from, path, {from, 0, 1}, sink);
  }
};
Options rooted(std::string root) {
  Options options;
  options.root = std::move(root);
  return options;
}
Options without_config() {
  Options options;
  options.no_config = true;
  return options;
}
Options typed(std::string root, std::optional<std::string> name, std::string text) {
  Options options = rooted(std::move(root));
  options.stdin_name = std::move(name);
  options.stdin_text = std::move(text);
  return options;
}

using Kinds = std::vector<const diagnostics::Kind*>;
using Paths = std::vector<std::string>;

TEST(Project, WalksSortedWithoutDotDirectoriesExcludedPathsAndLinks) {
  const test::Scratch dir;
  dir.write("agp.toml", "exclude = [\"vendor\", \"b/skip.agp\"]\n");
  for (const char* name : {"z.agp", "b/a.agp", "b/skip.agp", "b/A.agp", "vendor/x.agp", ".git/x.agp", ".hidden/y.agp",
                           "b/note.txt", "b-1.agp"})
    dir.write(name, "agp 1\n");
  fs::create_directory_symlink(dir / "b", dir / "linked");
  fs::create_symlink(dir / "z.agp", dir / "link.agp");
  const Opened run({dir.path()});
  EXPECT_EQ(run.found, (Paths{"b-1.agp", "b/A.agp", "b/a.agp", "z.agp"}));
  EXPECT_EQ(run.kinds(), Kinds{});
}

TEST(Project, AFileNamedIsAlwaysRead) {
  const test::Scratch dir;
  dir.write("agp.toml", "exclude = [\"**\"]\n");
  dir.write(".dot/x.agp", "agp 1\n");
  dir.write("real.agp", "agp 1\n");
  dir.write("policy.txt", "agp 1\n");
  fs::create_symlink(dir / "real.agp", dir / "link.agp");
  EXPECT_EQ(Opened({dir / ".dot/x.agp"}).found, Paths{".dot/x.agp"});
  EXPECT_EQ(Opened({dir / "link.agp"}).found, Paths{"real.agp"});
  EXPECT_EQ(Opened({dir / "policy.txt"}).found, Paths{"policy.txt"});
  EXPECT_EQ(Opened({dir / "real.agp", dir / "./real.agp", dir / "link.agp"}).found, Paths{"real.agp"});
}

TEST(Project, RootIsTheNearestConfigThenGitThenTheDirectory) {
  const test::Scratch dir;
  dir.write("a/agp.toml", "");
  dir.write("a/b/.git/HEAD", "");
  dir.write("a/b/c/x.agp", "agp 1\n");
  EXPECT_EQ(Opened({dir / "a/b/c/x.agp"}).found, Paths{"b/c/x.agp"});
  fs::remove(dir / "a/agp.toml");
  EXPECT_EQ(Opened({dir / "a/b/c/x.agp"}).found, Paths{"c/x.agp"});
  fs::remove_all(dir / "a/b/.git");
  EXPECT_EQ(Opened({dir / "a/b/c/x.agp"}).found, Paths{"x.agp"});
  EXPECT_EQ(Opened({dir / "a/b/c/x.agp"}, rooted(dir / "a")).found, Paths{"b/c/x.agp"});
}

TEST(Project, WithoutAMarkTheRootHoldsEveryPath) {
  const test::Scratch dir;
  dir.write("a/x.agp", "agp 1\n");
  dir.write("b/y.agp", "agp 1\n");
  EXPECT_EQ(Opened({dir / "a/x.agp", dir / "b/y.agp"}).found, (Paths{"a/x.agp", "b/y.agp"}));
}

TEST(Project, APathOfAnotherProjectIsAFinding) {
  const test::Scratch dir;
  dir.write("a/agp.toml", "");
  dir.write("a/x.agp", "agp 1\n");
  dir.write("b/y.agp", "agp 1\n");
  const Opened run({dir / "a/x.agp", dir / "b/y.agp"});
  EXPECT_EQ(run.found, Paths{"x.agp"});
  EXPECT_EQ(run.kinds(), Kinds{&kind::outside_project});
}

TEST(Project, ConfigMovesTheRootAndTheFlagWins) {
  const test::Scratch dir;
  dir.write("agp.toml", "root = \"policies\"\n");
  dir.write("policies/x.agp", "agp 1\n");
  dir.write("other.agp", "agp 1\n");
  EXPECT_EQ(Opened({dir / "policies"}).found, Paths{"x.agp"});
  EXPECT_EQ(Opened({dir / "other.agp"}).kinds(), Kinds{&kind::outside_project});
  EXPECT_EQ(Opened({dir / "other.agp"}, rooted(dir.path())).found, Paths{"other.agp"});
  EXPECT_EQ(Opened({dir / "other.agp"}, without_config()).found, Paths{"other.agp"});
}

TEST(Project, WhatCantBeReadIsAFinding) {
  const test::Scratch dir;
  dir.write("agp.toml", "");
  ASSERT_EQ(::mkfifo((dir / "pipe.agp").c_str(), 0600), 0);
  fs::create_symlink(dir / "nowhere", dir / "dangling.agp");
  fs::create_symlink("/dev/zero", dir / "zero.agp");
  fs::create_symlink(dir / "loop.agp", dir / "loop.agp");
  for (const char* name : {"missing.agp", "pipe.agp", "dangling.agp", "loop.agp"}) {
    const Opened run({dir / name});
    EXPECT_EQ(run.kinds(), Kinds{&kind::unreadable_file}) << name;
  }
  EXPECT_NE(Opened({dir / "zero.agp"}, rooted(dir.path())).kinds(), Kinds{});
}

TEST(Project, ABadConfigStopsTheRun) {
  const test::Scratch dir;
  dir.write("agp.toml", "exlude = []\n");
  dir.write("x.agp", "agp 1\n");
  const Opened run({dir / "x.agp"});
  EXPECT_FALSE(run.project);
  EXPECT_EQ(run.kinds(), Kinds{&kind::invalid_config});
}

TEST(Project, AConfigThatLeadsOutIsNotRead) {
  const test::Scratch dir;
  dir.write("elsewhere.toml", "exclude = [\"**\"]\n");
  dir.write("p/x.agp", "agp 1\n");
  fs::create_symlink(dir / "elsewhere.toml", dir / "p/agp.toml");
  EXPECT_EQ(Opened({dir / "p/x.agp"}).kinds(), Kinds{&kind::outside_project});
}

TEST(Project, Limits) {
  const test::Scratch dir;
  dir.write("agp.toml", "[limits]\nfile-size = 10\nfiles = 2\n");
  dir.write("big.agp", "agp 1\n12345");
  EXPECT_EQ(Opened({dir / "big.agp"}).kinds(), Kinds{&kind::file_too_large});
  for (const char* name : {"a.agp", "b.agp", "c.agp"}) dir.write(name, "agp 1\n");
  const Opened run({dir / "a.agp", dir / "b.agp", dir / "c.agp"});
  EXPECT_EQ(run.kinds(), Kinds{&kind::too_many_files});
  EXPECT_EQ(run.found.size(), 2u);
}

TEST(Project, StandardInput) {
  const test::Scratch dir;
  dir.write("agp.toml", "");
  dir.write("sub/base.agp", "agp 1 // base\n");
  Opened run({"-"}, typed(dir.path(), dir / "sub/x.agp", "agp 1 // typed\n"));
  EXPECT_EQ(run.found, Paths{"sub/x.agp"});
  const auto base = run.load("./base.agp");
  ASSERT_TRUE(base);
  EXPECT_EQ(run.files.get(*base).text, "agp 1 // base\n");
  // A module that uses the file which `-` stands for sees the text typed.
  EXPECT_EQ(run.load("./x.agp", *base), std::optional(run.first));
  EXPECT_EQ(Opened({"-"}, typed(dir.path(), "/etc/x.agp", "")).kinds(), Kinds{&kind::outside_project});
  EXPECT_EQ(Opened({"-"}, typed(dir.path(), std::nullopt, "x")).found, Paths{"<stdin>"});
}

TEST(Modules, AreReadWithinTheRoot) {
  const test::Scratch dir;
  dir.write("p/agp.toml", "");
  dir.write("p/a/x.agp", "agp 1\n");
  dir.write("p/base.agp", "agp 1\n");
  dir.write("outside.agp", "agp 1\n");
  fs::create_symlink(dir / "outside.agp", dir / "p/link.agp");
  fs::create_symlink("base.agp", dir / "p/inner.agp");
  fs::create_directory_symlink(dir.path(), dir / "p/up");
  Opened run({dir / "p/a/x.agp"});
  const auto base = run.load("../base.agp");
  ASSERT_TRUE(base);
  EXPECT_EQ(run.load("../inner.agp"), base);
  EXPECT_EQ(run.load("./../a/../base.agp"), base);
  EXPECT_EQ(run.kinds(), Kinds{});
  for (const char* path : {"../../outside.agp", "../link.agp", "../up/outside.agp", "/etc/passwd", "base.agp",
                           "../../../../../etc/passwd", "../../nothing.agp"}) {
    Opened other({dir / "p/a/x.agp"});
    EXPECT_FALSE(other.load(path)) << path;
    EXPECT_EQ(other.kinds(), Kinds{&kind::outside_project}) << path;
  }
  for (const char* path : {"./missing.agp", "../a", "./x.agp/y"}) {
    Opened other({dir / "p/a/x.agp"});
    EXPECT_FALSE(other.load(path)) << path;
    EXPECT_EQ(other.kinds(), Kinds{&kind::unreadable_file}) << path;
  }
}

TEST(Modules, AMisspeltNameGetsASuggestion) {
  const test::Scratch dir;
  dir.write("x.agp", "agp 1\n");
  dir.write("guards.agp", "agp 1\n");
  Opened run({dir / "x.agp"});
  EXPECT_FALSE(run.load("./gaurds.agp"));
  EXPECT_EQ(run.sink.all().at(0).help, "did you mean `guards.agp`");
}

}  // namespace
}  // namespace agp::project
