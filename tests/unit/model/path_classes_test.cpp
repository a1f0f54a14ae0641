#include "compiler/model/path_classes.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "compiler/model/path_search.hpp"
#include "tests/support/file_policy.hpp"

namespace agp::model {
namespace {

using Hits = std::vector<bool>;

struct Case {
  explicit Case(std::vector<std::string> texts, std::vector<bool> lists = {}) {
    for (const auto& t : texts) patterns.push_back(test::pattern(t));
    for (const auto& p : patterns) pointers.push_back(&p);
    list.assign(patterns.size(), 0);
    for (std::size_t i = 0; i < lists.size(); ++i) list[i] = lists[i];
  }
  PathClasses cut() const {
    return path_classes(pointers, std::span(reinterpret_cast<const bool*>(list.data()), list.size()));
  }
  Hits of(const std::string& path) const {
    Hits out;
    for (std::size_t i = 0; i < patterns.size(); ++i)
      out.push_back(list[i] ? patterns[i].matches_list(path) : patterns[i].matches(path));
    return out;
  }
  std::vector<PathPattern> patterns;
  std::vector<const PathPattern*> pointers;
  std::vector<char> list;
};

std::set<Hits> combinations(const PathClasses& classes) {
  std::set<Hits> out;
  for (const auto& c : classes.classes) out.insert(c.hits);
  return out;
}

TEST(PathClasses, ANodeASubtreeAndWhatIsBetween) {
  const Case c({"/a/**", "/a/b", "/a/b/**"});
  const auto classes = c.cut();
  EXPECT_EQ(combinations(classes),
            (std::set<Hits>{{false, false, false}, {true, false, false}, {true, true, false}, {true, false, true}}));
  EXPECT_EQ(classes.classes.front().path, "/");
}

TEST(PathClasses, ASampleIsNoChildOfThePlace) {
  // what stands for "any other character" must not be the name of a directory that has a place of its own
  const Case c({"/x", "/y", "/z", "/x/**", "/?"});
  const auto found = combinations(c.cut());
  EXPECT_TRUE(found.contains({false, false, false, false, true}));
  EXPECT_TRUE(found.contains({true, false, false, false, true}));
}

TEST(PathClasses, EverySampleMatchesWhatItSaysAndNoCombinationIsMissing) {
  std::mt19937 random(1);
  const std::vector<std::string> names = {"a", "b", "ab", "*", "a*", "?", "*b", "**", ".a"};
  const std::vector<std::string> plain = {"a", "b", "ab", "ba", "x", ".a", "abb", ".ab"};
  for (int round = 0; round < 100; ++round) {
    std::vector<std::string> texts;
    std::vector<bool> lists;
    for (unsigned i = 0; i < 1 + random() % 6; ++i) {
      std::string text;
      for (unsigned k = 0; k < 1 + random() % 3; ++k) text += "/" + names[random() % names.size()];
      texts.push_back(text);
      lists.push_back(random() % 2 == 0);
    }
    const Case c(texts, lists);
    const auto classes = c.cut();
    ASSERT_FALSE(classes.exhausted);
    for (const auto& k : classes.classes) {
      ASSERT_TRUE(is_canonical_path(k.path)) << k.path;
      ASSERT_EQ(k.hits, c.of(k.path)) << k.path;
    }
    const auto found = combinations(classes);
    ASSERT_TRUE(found.contains(c.of("/")));
    for (int k = 0; k < 200; ++k) {
      std::string path;
      for (unsigned n = 0; n < 1 + random() % 4; ++n) path += "/" + plain[random() % plain.size()];
      ASSERT_TRUE(found.contains(c.of(path))) << path;
    }
  }
}

TEST(PathClasses, TheBoundIsReported) {
  const Case c({"/*a*b*c*d*/x*y*z", "/*1*2*3*4*5*/*6*7", "/**/*q*r*s*"});
  EXPECT_TRUE(path_classes(c.pointers, {}, 20).exhausted);
}

/// k patterns of one directory that all overlap make 2^k states, each with a place of each pattern: few of them are large.
TEST(PathClasses, LargeStatesCountToo) {
  for (const int k : {6, 10}) {
    std::vector<std::string> texts;
    for (int i = 0; i < k; ++i) texts.push_back(std::string("/d/*") + static_cast<char>('a' + i) + "*");
    const Case c(texts);
    const PathClasses found = path_classes(c.pointers, {}, 1500);
    EXPECT_EQ(found.exhausted, k == 10) << k;
    if (k == 6) {
      EXPECT_EQ(combinations(found).size(), 64u);
    }
    const auto never = [](const std::vector<bool>&) { return false; };
    EXPECT_EQ(find_path(c.pointers, never, 3000).exhausted, k == 10) << k;
  }
}

TEST(PathClasses, ManyPlainRulesAreCheap) {
  std::vector<std::string> texts = {"/**/.env"};
  for (int i = 0; i < 300; ++i) texts.push_back("/srv/" + std::to_string(i) + "/data/**");
  const auto classes = Case(texts).cut();
  EXPECT_FALSE(classes.exhausted);
  EXPECT_GT(classes.classes.size(), 1200u);
}

}  // namespace
}  // namespace agp::model
