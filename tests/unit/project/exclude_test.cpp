#include "compiler/project/exclude.hpp"

#include <gtest/gtest.h>

#include <string>

namespace agp::project {
namespace {

TEST(Exclude, Matches) {
  for (const auto& [pattern, path] : {std::pair{"vendor", "vendor"},
                                      {"vendor/**", "vendor/a"},
                                      {"vendor/**", "vendor/a/b.agp"},
                                      {"**/old", "old"},
                                      {"**/old", "a/b/old"},
                                      {"a/**/z", "a/z"},
                                      {"a/**/z", "a/b/c/z"},
                                      {"*.agp", "x.agp"},
                                      {"a/?.agp", "a/x.agp"},
                                      {"**", "anything/at/all"},
                                      {"**/*.tmp.agp", "q/x.tmp.agp"},
                                      {"**/a/**/b", "a/a/b/b"},
                                      {"*a*b", "xaxb"}})
    EXPECT_TRUE(excluded(pattern, path)) << pattern << " " << path;
}

TEST(Exclude, DoesNotMatch) {
  for (const auto& [pattern, path] : {std::pair{"vendor", "vendor/a"},
                                      {"vendor", "vendors"},
                                      {"vendor/**", "vendor"},
                                      {"*.agp", "a/x.agp"},
                                      {"a/?.agp", "a/.agp"},
                                      {"a/**/z", "b/z"},
                                      {"a*", "b"},
                                      {"a/*", "a"},
                                      {"**/old", "older"},
                                      {"a", "a/a"},
                                      {"*", "a/b"}})
    EXPECT_FALSE(excluded(pattern, path)) << pattern << " " << path;
}

TEST(Exclude, AwkwardPatternsTakeNoExponentialTime) {
  std::string pattern, path;
  for (int i = 0; i < 30; ++i) pattern += "**/a/", path += "a/";
  EXPECT_FALSE(excluded(pattern + "b", path + "c"));
  EXPECT_FALSE(excluded(std::string(60, '*') + "b", std::string(5000, 'a')));
}

TEST(Exclude, FaultsAreNamed) {
  for (const char* bad : {"", "/a", "a/", "a//b", "a/../b", "./a", "a**", "a/b**c"})
    EXPECT_FALSE(exclude_fault(bad).empty()) << bad;
  for (const char* good : {"a", "**", "a/**", "**/x", "a?/*.agp", ".hidden"})
    EXPECT_TRUE(exclude_fault(good).empty()) << good;
}

}  // namespace
}  // namespace agp::project
