#include "compiler/cli/unified_diff.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <random>
#include <vector>

namespace agp::cli {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

/// Applies a difference strictly: every context and removed line must be there, every count must hold.
std::string patched(const std::string& before, const std::string& diff) {
  const auto old = split(before);
  std::string out;
  std::size_t at = 0, left_a = 0, left_b = 0;
  auto lines = split(diff);
  for (std::size_t i = 2; i < lines.size(); ++i) {
    std::string line = lines[i];
    const bool unended = i + 1 < lines.size() && lines[i + 1].starts_with("\\ No newline");
    if (line.starts_with("@@")) {
      EXPECT_EQ(left_a + left_b, 0u) << diff;
      std::size_t start = 0, count_a = 0, start_b = 0, count_b = 0;
      EXPECT_EQ(std::sscanf(line.c_str(), "@@ -%zu,%zu +%zu,%zu @@", &start, &count_a, &start_b, &count_b), 4);
      const std::size_t begin = count_a == 0 ? start : start - 1;
      while (at < begin) out += old.at(at++);
      EXPECT_EQ(split(out).size(), count_b == 0 ? start_b : start_b - 1) << diff;
      left_a = count_a;
      left_b = count_b;
      continue;
    }
    if (line.starts_with("\\")) continue;
    std::string text = line.substr(1);
    if (unended) text.pop_back();
    if (line[0] != '+') {
      EXPECT_EQ(old.at(at), text) << diff;
      ++at;
      --left_a;
    }
    if (line[0] != '-') {
      out += text;
      --left_b;
    }
  }
  EXPECT_EQ(left_a + left_b, 0u) << diff;
  while (at < old.size()) out += old[at++];
  return out;
}

TEST(UnifiedDiff, OneLine) {
  EXPECT_EQ(unified_diff("x", "a\nb\nc\nd\ne\nf\ng\nh\n", "a\nb\nc\nd\nE\nf\ng\nh\n"),
            "--- x\n+++ x\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n");
  EXPECT_EQ(unified_diff("x", "same\n", "same\n"), "");
}

TEST(UnifiedDiff, EmptyAndUnendedTexts) {
  EXPECT_EQ(unified_diff("x", "", "a\n"), "--- x\n+++ x\n@@ -0,0 +1,1 @@\n+a\n");
  EXPECT_EQ(unified_diff("x", "a\n", ""), "--- x\n+++ x\n@@ -1,1 +0,0 @@\n-a\n");
  EXPECT_EQ(unified_diff("x", "a", "a\n"), "--- x\n+++ x\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n");
}

TEST(UnifiedDiff, GivesTheOtherTextBack) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const auto text = [&] {
      std::string out;
      for (auto i = random() % 24; i > 0; --i) out += std::string(1, static_cast<char>('a' + random() % 4)) + "\n";
      if (!out.empty() && random() % 4 == 0) out.pop_back();
      return out;
    };
    const std::string before = text(), after = text();
    if (before == after) continue;
    ASSERT_EQ(patched(before, unified_diff("x", before, after)), after) << before << "--\n" << after;
  }
}

TEST(UnifiedDiff, IsShortest) {
  // Of 40 lines the one that moved is taken away and added: two changes.
  std::string before, after;
  for (int i = 0; i < 40; ++i) before += std::to_string(i) + "\n";
  for (int i = 1; i < 40; ++i) after += std::to_string(i) + "\n";
  after += "0\n";
  int changes = 0;
  for (const auto& line : split(unified_diff("x", before, after)))
    changes += (line[0] == '-' || line[0] == '+') && !line.starts_with("---") && !line.starts_with("+++") ? 1 : 0;
  EXPECT_EQ(changes, 2);
}

TEST(UnifiedDiff, LargeTextsThatDifferEverywhereAreBounded) {
  std::string before, after;
  for (int i = 0; i < 30000; ++i) before += "a" + std::to_string(i) + "\n", after += "b" + std::to_string(i) + "\n";
  EXPECT_EQ(patched(before, unified_diff("x", before, after)), after);
}

TEST(UnifiedDiff, NoLineIsACommand) {
  for (const auto& line : split(unified_diff("x", "::error::a\n  ::b\nc\n", "::error::a\n  ::b\nd\x1b[2J\n"))) {
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    const std::size_t first = line.find_first_not_of(' ');
    EXPECT_NE(line.substr(first, 2), "::") << line;
  }
}

}  // namespace
}  // namespace agp::cli
