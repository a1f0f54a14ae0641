#include "compiler/model/path_cells.hpp"

#include <gtest/gtest.h>

#include "compiler/model/glob_cells.hpp"
#include "tests/unit/analysis/universe.hpp"

namespace agp {
namespace {

using namespace model;

PathComponent component(const std::vector<std::string>& alternatives) {
  PathComponent c;
  c.any_depth = alternatives.size() == 1 && alternatives[0] == "**";
  if (c.any_depth) return c;
  for (const std::string& text : alternatives) {
    c.alternatives.emplace_back();
    for (const char b : text)
      c.alternatives.back().push_back({b == '*'   ? PathToken::Kind::AnyRun
                                       : b == '?' ? PathToken::Kind::AnyChar
                                                  : PathToken::Kind::Literal,
                                       b == '*' || b == '?' ? '\0' : b});
  }
  return c;
}

PathPattern random_pattern(analysis_test::Random& random) {
  PathPattern out;
  const std::vector<std::vector<std::string>> drawn = {{"a"},  {"b"}, {"x"},   {"**"},      {"*"}, {"a*"},
                                                       {"*b"}, {"?"}, {"?b*"}, {"a", "b?"}, {".*"}};
  for (std::size_t n = 1 + analysis_test::below(random, 3); n-- > 0;) {
    const auto& alternatives = drawn[analysis_test::below(random, drawn.size())];
    out.components.push_back(component(alternatives));
    out.text += '/';
    for (const auto& a : alternatives) out.text += a + ",";
  }
  return out;
}

/// Every path over a few names, tried with `matches`: it must fall into a cell with just those patterns, and every
/// cell's own witness must have them too.
TEST(PathCells, AgreeWithMatching) {
  analysis_test::Random random(5);
  std::vector<std::string> paths = {"/"}, level = {""};
  for (int depth = 0; depth < 3; ++depth) {
    std::vector<std::string> next;
    for (const auto& p : level)
      for (const char* name : {"a", "b", "x", "ab", "bb", ".x", "abb", "y"}) next.push_back(p + "/" + name);
    paths.insert(paths.end(), next.begin(), next.end());
    level = std::move(next);
  }
  for (int round = 0; round < 60; ++round) {
    std::vector<PathPattern> patterns;
    std::vector<const PathPattern*> pointers;
    for (std::size_t n = 2 + analysis_test::below(random, 4); n-- > 0;) patterns.push_back(random_pattern(random));
    for (const auto& p : patterns) pointers.push_back(&p);
    std::string names;
    for (const auto& p : patterns) names += " " + p.text;
    SCOPED_TRACE(names);
    const auto cells = path_cells(pointers);
    ASSERT_TRUE(cells);
    std::set<std::vector<bool>> of_cells, of_paths;
    const auto key = [&](const std::string& path) {
      std::vector<bool> k;
      for (const auto& p : patterns) k.push_back(p.matches(path)), k.push_back(p.matches_list(path));
      return k;
    };
    for (std::size_t c = 0; c < cells->cells.size(); ++c) {
      std::vector<bool> k;
      for (std::uint32_t p = 0; p < patterns.size(); ++p) {
        const auto in = [&](const auto& list) { return std::find(list.begin(), list.end(), p) != list.end(); };
        k.push_back(in(cells->cells[c].matched));
        k.push_back(in(cells->cells[c].listed));
      }
      EXPECT_EQ(k, key(cells->witness(c))) << cells->witness(c);
      EXPECT_TRUE(is_canonical_path(cells->witness(c))) << cells->witness(c);
      of_cells.insert(k);
    }
    of_cells.insert(std::vector<bool>(patterns.size() * 2));
    for (const auto& path : paths) EXPECT_TRUE(of_cells.contains(key(path))) << path;
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace agp
