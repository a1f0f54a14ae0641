#include <gtest/gtest.h>

#include <random>

#include "compiler/model/path_search.hpp"

namespace agp::model {
namespace {

/// `*`, `?`, `**` as in the language; no braces or escapes.
PathPattern glob(std::string_view text) {
  PathPattern out;
  out.text = text;
  while (!text.empty() && text != "/") {
    text.remove_prefix(1);
    const std::string_view name = text.substr(0, text.find('/'));
    PathComponent c;
    if (name == "**")
      c.any_depth = true;
    else {
      c.alternatives.emplace_back();
      for (const char ch : name)
        c.alternatives[0].push_back({ch == '*'   ? PathToken::Kind::AnyRun
                                     : ch == '?' ? PathToken::Kind::AnyChar
                                                 : PathToken::Kind::Literal,
                                     ch == '*' || ch == '?' ? '\0' : ch});
    }
    out.components.push_back(c);
    text.remove_prefix(name.size());
  }
  return out;
}

std::optional<std::string> both(const PathPattern& a, const PathPattern& b) {
  const PathPattern* list[] = {&a, &b};
  return find_path(list, [](const std::vector<bool>& hit) { return hit[0] && hit[1]; }).witness;
}
std::optional<std::string> only_first(const PathPattern& a, const PathPattern& b) {
  const PathPattern* list[] = {&a, &b};
  return find_path(list, [](const std::vector<bool>& hit) { return hit[0] && !hit[1]; }).witness;
}

TEST(PathPattern, ComponentsNotPrefixes) {
  EXPECT_TRUE(glob("/data/**").matches("/data/x"));
  EXPECT_FALSE(glob("/data/**").matches("/database"));
  EXPECT_FALSE(glob("/data/**").matches("/database/x"));
  EXPECT_FALSE(glob("/data/**").matches("/data"));
  EXPECT_TRUE(glob("/data/**").matches_list("/data"));
  EXPECT_TRUE(glob("/data/*").matches_list("/data"));
  EXPECT_FALSE(glob("/data/*.c").matches_list("/data"));
  EXPECT_FALSE(glob("/data").matches_list("/data/x"));
}

TEST(PathPattern, Wildcards) {
  EXPECT_TRUE(glob("/home/*/.ssh/**").matches("/home/a/.ssh/id"));
  EXPECT_FALSE(glob("/home/*/.ssh/**").matches("/home/a/b/.ssh/id"));
  EXPECT_TRUE(glob("/a/**/b").matches("/a/b"));
  EXPECT_TRUE(glob("/a/**/b").matches("/a/x/y/b"));
  EXPECT_FALSE(glob("/a/**/b").matches("/a/xb"));
  EXPECT_TRUE(glob("/*.pem").matches("/.pem"));
  EXPECT_TRUE(glob("/a?").matches("/a\xc3\xa4"));
  EXPECT_FALSE(glob("/a?").matches("/a"));
  EXPECT_FALSE(glob("/a?").matches("/a/"));
  EXPECT_TRUE(glob("/**").matches("/x"));
  EXPECT_FALSE(glob("/**").matches("/"));
  EXPECT_TRUE(glob("/**").matches_list("/"));
}

TEST(FindPath, Overlaps) {
  EXPECT_EQ(both(glob("/home/*/.ssh/**"), glob("/workspace/**")), std::nullopt);
  EXPECT_TRUE(both(glob("/**/.env"), glob("/workspace/**")));
  const auto witness = both(glob("/a/*x"), glob("/a/y*"));
  ASSERT_TRUE(witness);
  EXPECT_EQ(*witness, "/a/yx");
  EXPECT_EQ(both(glob("/a/*"), glob("/a/*/**")), std::nullopt);
}

TEST(FindPath, DifferenceAndCanonicalForm) {
  EXPECT_EQ(only_first(glob("/a/**"), glob("/**")), std::nullopt);
  // "." and ".." are no names: one more character is needed
  EXPECT_EQ(only_first(glob("/a/?"), glob("/a/x")).has_value(), true);
  const auto dot = both(glob("/.*"), glob("/.?"));
  ASSERT_TRUE(dot);
  EXPECT_NE(*dot, "/..");
  EXPECT_EQ(only_first(glob("/a/*/**"), glob("/a/**")), std::nullopt);
}

TEST(FindPath, StateLimitIsNotSilence) {
  const PathPattern a = glob("/*a????????????????");
  const PathPattern* list[] = {&a};
  const auto found = find_path(
      list, [](const std::vector<bool>&) { return false; }, 100);
  EXPECT_FALSE(found.witness);
  EXPECT_TRUE(found.exhausted);
}

/// Beneath a directory only what is left of the patterns there is followed: the answer is that of all of them.
TEST(FindPath, BeneathADirectoryAsEverywhere) {
  constexpr std::string_view parts[] = {"**", "*", "?", "a", "b", "c", "a*", "*a", "?b", "ab"};
  std::mt19937 random(3);
  const auto draw = [&](bool literal) {
    std::string out;
    for (std::size_t n = random() % 4 + (literal ? 0 : 1); n-- > 0;)
      out += "/" + std::string(literal ? parts[3 + random() % 3] : parts[random() % std::size(parts)]);
    return out;
  };
  int found = 0, nothing = 0;
  for (int n = 0; n < 3000; ++n) {
    const std::string directory = draw(true);
    std::vector<PathPattern> patterns = {glob(directory + draw(false))};
    while (patterns.size() < 2 + n % 4u) patterns.push_back(glob(random() % 2 ? directory + draw(false) : draw(false)));
    std::vector<const PathPattern*> list;
    for (const PathPattern& p : patterns) list.push_back(&p);
    const std::size_t wanted = random();  // any function of what matches
    const auto accept = [&](const std::vector<bool>& hits) {
      std::size_t bits = 0;
      for (std::size_t i = 1; i < hits.size(); ++i) bits = bits * 2 + hits[i];
      return hits[0] && (wanted >> bits & 1) != 0 && (wanted >> (bits + 16) & 1) != 0;
    };
    bool as_list[8] = {};
    for (bool& one : as_list) one = random() % 3 == 0;
    const auto everywhere = find_path(list, accept, 200000, {as_list, list.size()});
    const auto beneath =
        find_path_beneath(directory.empty() ? "/" : directory, list, accept, 200000, {as_list, list.size()});
    ASSERT_EQ(everywhere.witness, beneath.witness) << n << ": " << patterns[0].text << " in " << directory;
    (everywhere.witness ? found : nothing) += 1;
  }
  EXPECT_GT(found, 500);
  EXPECT_GT(nothing, 500);
}

TEST(Canonical, Paths) {
  for (const char* good : {"/", "/a", "/a/.b", "/...", "/a/b.c"}) EXPECT_TRUE(is_canonical_path(good)) << good;
  for (const char* bad : {"", "a", "/a/", "//a", "/a//b", "/a/./b", "/..", "/a/.."})
    EXPECT_FALSE(is_canonical_path(bad)) << bad;
  EXPECT_EQ(parent_path("/a/b"), "/a");
  EXPECT_EQ(parent_path("/a"), "/");
}

/// One path is decided without an automaton, sets of paths with one: they agree.
TEST(PathPattern, MatchingAgreesWithTheAutomaton) {
  constexpr std::string_view parts[] = {"**", "*", "?", "a", "b", "a*", "*a", "?b", "a*b*a"};
  constexpr std::string_view names[] = {"a", "b", "ab", "ba", "abba"};
  std::vector<std::string> paths = {"/"};
  for (std::size_t from = 0, depth = 0; depth < 3; ++depth) {
    const std::size_t end = paths.size();
    for (; from < end; ++from)
      for (const std::string_view name : names)
        paths.push_back((paths[from] == "/" ? "" : paths[from]) + "/" + std::string(name));
  }
  std::vector<std::string> patterns = {"/"};
  for (std::size_t from = 0, depth = 0; depth < 3; ++depth) {
    const std::size_t end = patterns.size();
    for (; from < end; ++from)
      for (const std::string_view part : parts)
        patterns.push_back((patterns[from] == "/" ? "" : patterns[from]) + "/" + std::string(part));
  }
  std::size_t matched = 0, asked = 0;
  for (std::size_t i = 0; i < patterns.size(); i += 13)
    for (std::size_t k = i % 5; k < paths.size(); k += 23) {
      const PathPattern pattern = glob(patterns[i]), node = path_node(paths[k]);
      const PathPattern* list[] = {&pattern, &node};
      for (const bool as_list : {false, true}) {
        const bool listed[] = {as_list, false};
        const bool there = find_path(
                               list, [](const std::vector<bool>& hit) { return hit[0] && hit[1]; }, 200000, listed)
                               .witness.has_value();
        const bool hit = as_list ? pattern.matches_list(paths[k]) : pattern.matches(paths[k]);
        EXPECT_EQ(hit, there) << patterns[i] << " and " << paths[k] << (as_list ? " as list" : "");
        matched += hit ? 1 : 0;
        ++asked;
      }
    }
  EXPECT_GT(matched, asked / 20);
  EXPECT_LT(matched, asked / 2);
}

}  // namespace
}  // namespace agp::model
