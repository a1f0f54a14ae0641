#include "compiler/diagnostics/text.hpp"

#include <gtest/gtest.h>

namespace agp::diagnostics {
namespace {

TEST(Visible, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(visible("write \"/workspace/日本語/é\" `x` \\n"), "write \"/workspace/日本語/é\" `x` \\n");
}

TEST(Visible, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(visible("a\x1b[31mb"), "a\\u{1b}[31mb");
  EXPECT_EQ(visible("a\nb\tc\rd"), "a\\nb\\tc\\u{d}d");
  EXPECT_EQ(visible(std::string_view("a\0b", 3)), "a\\u{0}b");
  EXPECT_EQ(visible("\u009b31m"), "\\u{9b}31m");  // C1: some terminals take it for ESC [
  EXPECT_EQ(visible("x\u202ey\u2066z"), "x\\u{202e}y\\u{2066}z");
  EXPECT_EQ(visible("a\u200bb\u00adc\ufeff"), "a\\u{200b}b\\u{ad}c\\u{feff}");
  EXPECT_EQ(visible("a\u2028b\u2029c"), "a\\u{2028}b\\u{2029}c");
  EXPECT_EQ(visible("\u3164\u115f"), "\\u{3164}\\u{115f}");  // letters that show as nothing
  EXPECT_EQ(visible("\U000e0041"), "\\u{e0041}");            // tags
}

TEST(Visible, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(visible("a\xff\xfe"), "a\\x{ff}\\x{fe}");
  EXPECT_EQ(visible("\xc0\xaf"), "\\x{c0}\\x{af}");             // overlong `/`
  EXPECT_EQ(visible("\xed\xa0\x80"), "\\x{ed}\\x{a0}\\x{80}");  // a surrogate
  EXPECT_EQ(visible("\xe6\x97"), "\\x{e6}\\x{97}");             // cut off
}

TEST(Visible, BreaksCommandsOfBuildServers) {
  EXPECT_EQ(visible("##[error]x"), "#\\u{23}[error]x");
  EXPECT_EQ(visible("a ##vso[task.complete]"), "a #\\u{23}vso[task.complete]");
  EXPECT_EQ(visible("###[x"), "##\\u{23}[x");
  EXPECT_EQ(visible("// ## a heading [1]"), "// ## a heading [1]");
}

TEST(Glyphs, CoverTheTextWithoutGaps) {
  const std::string_view text =
      "a\t日\xff\u202e"
      "e\u0301";
  std::size_t at = 0;
  for (const Glyph& glyph : glyphs(text)) {
    EXPECT_EQ(glyph.begin, at);
    at = glyph.end;
  }
  EXPECT_EQ(at, text.size());
}

TEST(Glyphs, WidthsAreColumns) {
  const auto list = glyphs("a\t日e\u0301");
  ASSERT_EQ(list.size(), 5u);
  EXPECT_EQ(list[1].width, 3u);  // from column 1 to the next multiple of four
  EXPECT_EQ(list[2].width, 2u);
  EXPECT_EQ(list[4].width, 0u);
}

TEST(Wrap, BreaksBetweenWords) {
  EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap("one two three", 7, 4), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(wrap("a-word-longer-than-it b", 5), (std::vector<std::string>{"a-word-longer-than-it", "b"}));
  EXPECT_EQ(wrap("one two", 0), (std::vector<std::string>{"one two"}));
  EXPECT_EQ(wrap("", 10), (std::vector<std::string>{""}));
}

TEST(Wrap, BeginsNoLineWithACommand) {
  for (const std::string& line : wrap("one ::error::x two ::add-mask::y", 6))
    EXPECT_FALSE(line.starts_with("::")) << line;
}

TEST(Locator, CountsLikeFiles) {
  source::Files files;
  const auto id = files.add("x", "é日\n\tab\r\n\xff\xfez\n");
  Locator locator(files);
  // Ascending, then back, then ascending again: the cache must not show.
  for (const std::uint32_t offset : {0u, 2u, 5u, 6u, 7u, 8u, 3u, 11u, 0u, 13u, 14u, 99u}) {
    const source::Position expected = files.position(id, offset), observed = locator.position(id, offset);
    EXPECT_EQ(observed.line, expected.line) << offset;
    EXPECT_EQ(observed.column, expected.column) << offset;
  }
}

}  // namespace
}  // namespace agp::diagnostics
