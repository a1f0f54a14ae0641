#include "compiler/model/move.hpp"

#include <gtest/gtest.h>

#include "tests/unit/sema/support.hpp"

// Renames and hard links: what they are made of, and that nothing gains a verb by them.
namespace agp::sema {
namespace {

model::Decision rename(const std::string& body, const std::string& from, const std::string& to, bool directory = true,
                       bool replaces = false) {
  const Analysed a(in_policy("file { " + body + " }"));
  EXPECT_EQ(a.found(), std::vector<std::string>{}) << body;
  const auto verdict = model::decide(a.policy(), model::Rename{from, to, directory, replaces});
  EXPECT_FALSE(verdict.unknown) << body;
  EXPECT_EQ(verdict.decision == Allow, verdict.why.empty()) << verdict.why;
  return verdict.decision;
}
std::string why(const std::string& body, const std::string& from, const std::string& to, bool directory = true) {
  const Analysed a(in_policy("file { " + body + " }"));
  return model::decide(a.policy(), model::Rename{from, to, directory, false}).why;
}
model::Decision link(const std::string& body, const std::string& from, const std::string& to) {
  const Analysed a(in_policy("file { " + body + " }"));
  return model::decide(a.policy(), model::Link{from, to}).decision;
}

TEST(Moves, WithinOneTree) {
  EXPECT_EQ(rename(R"(allow read, write "/w/**")", "/w/a", "/w/b"), Allow);
  EXPECT_EQ(rename(R"(allow read, write "/w/**")", "/w/a", "/w/b", false, true), Allow);
  EXPECT_EQ(rename(R"(allow read, write "/w/**")", "/w/a", "/x/b"), Deny);
  EXPECT_EQ(rename(R"(allow read, write "/w/**")", "/x/a", "/w/b"), Deny);
  EXPECT_EQ(rename(R"(allow read "/w/**")", "/w/a", "/w/b"), Deny);
  EXPECT_EQ(rename(R"(allow read, write "/w/**" ask delete "/w/a")", "/w/a", "/w/b"), Ask);
}

TEST(Moves, EverythingThatCouldBeBeneathMoves) {
  const std::string hooks = R"(allow read, write "/w/**" deny write "/w/.git/hooks/**")";
  EXPECT_EQ(rename(hooks, "/w/.git", "/w/x"), Deny);
  EXPECT_EQ(why(hooks, "/w/.git", "/w/x").rfind("delete \"/w/.git/hooks/", 0), 0u);
  EXPECT_EQ(rename(hooks, "/w/.git", "/w/x", false), Allow) << "a file called .git has nothing beneath it";
  EXPECT_EQ(rename(hooks, "/w/x", "/w/.git"), Deny) << "what is beneath x/hooks could not be made there";
  EXPECT_EQ(rename(hooks, "/w/.git/refs", "/w/.git/old"), Allow);
  const std::string pattern = R"(allow read, write "/w/**" deny write "/w/**/*.lock")";
  EXPECT_EQ(rename(pattern, "/w/a", "/w/b"), Deny);
  EXPECT_EQ(rename(pattern, "/w/a", "/w/b", false), Allow);
  EXPECT_EQ(rename(pattern, "/w/a", "/w/b.lock", false), Deny);
}

TEST(Moves, NothingGainsAVerb) {
  const std::string two = R"(allow read, write "/a/**" allow write "/b/**")";
  EXPECT_EQ(rename(two, "/a/x", "/b/x"), Allow) << "to lose a verb is no gain";
  EXPECT_EQ(rename(two, "/b/x", "/a/x"), Deny);
  EXPECT_NE(why(two, "/b/x", "/a/x").find("\"/a/x\" would be permitted, and was not at /b/x"), std::string::npos);
  const std::string exec = R"(allow read, write "/w/**" allow exec "/w/bin/**")";
  EXPECT_EQ(rename(exec, "/w/a", "/w/bin/a"), Deny);
  EXPECT_EQ(rename(exec, "/w/bin/a", "/w/a"), Allow);
  EXPECT_EQ(rename(R"(allow read, write "/w/**" allow exec "/w/*/run")", "/w/a", "/w/b"), Allow);
  EXPECT_EQ(rename(R"(allow read, write "/w/**" allow exec "/w/b/run")", "/w/a", "/w/b"), Deny);
  EXPECT_EQ(rename(R"(allow read, write "/w/**" allow exec "/w/**/bin/*")", "/w/a", "/w/x/bin"), Deny);
}

TEST(Moves, WhatIsReplacedIsDeleted) {
  const std::string made =
      R"(allow read, create "/w/**" allow delete "/w/tmp/**" allow create "/w/tmp/**" allow delete "/w/a")";
  EXPECT_EQ(rename(made, "/w/a", "/w/b", false), Allow);
  EXPECT_EQ(rename(made, "/w/a", "/w/b", false, true), Deny);
}

TEST(Moves, Links) {
  const std::string two =
      R"(allow read, write "/a/**" allow read, create "/b/**" allow read "/c/**" allow exec "/a/bin/*")";
  EXPECT_EQ(link(two, "/a/x", "/b/x"), Allow);
  EXPECT_EQ(link(two, "/b/x", "/a/x"), Deny) << "it could be modified at its new path";
  EXPECT_EQ(link(two, "/a/x", "/c/x"), Deny) << "nothing can be made there";
  EXPECT_EQ(link(two, "/a/x", "/a/bin/x"), Deny);
  EXPECT_EQ(link(two, "/etc/shadow", "/a/x"), Deny);
}

TEST(Moves, TheRoot) {
  EXPECT_EQ(rename(R"(allow read, write, exec "/**")", "/a", "/b"), Allow);
  EXPECT_EQ(rename(R"(allow read, write, exec "/**" deny read "/b/**/x")", "/b", "/a"), Deny);
}

}  // namespace
}  // namespace agp::sema
