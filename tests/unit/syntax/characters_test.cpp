// Bytes that must not reach the parser, and limits.
#include "compiler/syntax/characters.hpp"

#include <gtest/gtest.h>

#include "tests/unit/syntax/support.hpp"

namespace agp::syntax::test {
namespace {

const std::vector<std::string> nothing;

TEST(Characters, NotUtf8) {
  const auto bytes = [](const std::string& bad) { return Parsed("agp 1\n// " + bad).findings(); };
  EXPECT_EQ(bytes("\xff"), (std::vector<std::string>{"AGP0002 2:4 the byte 0xff at offset 9 is not UTF-8"}));
  EXPECT_EQ(bytes("\xc0\xaf").size(), 1u) << "an overlong form";
  EXPECT_EQ(bytes("\xe0\x80\xaf").size(), 1u) << "an overlong form";
  EXPECT_EQ(bytes("\xed\xa0\x80").size(), 1u) << "a surrogate";
  EXPECT_EQ(bytes("\xf4\x90\x80\x80").size(), 1u) << "above U+10FFFF";
  EXPECT_EQ(bytes("\x80").size(), 1u) << "a continuation without a start";
  EXPECT_EQ(bytes("\xe2\x82").size(), 1u) << "cut off by the end";
  EXPECT_EQ(bytes("\xf4\x8f\xbf\xbd"), nothing) << "U+10FFFD";
  EXPECT_EQ(bytes("\xed\x9f\xbf"), nothing) << "U+D7FF";
}

TEST(Characters, Hidden) {
  const auto found = [](const std::string& text) { return Parsed("agp 1\n" + text).findings(); };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(found("// a\u202eb"),
            (Lines{"AGP0007 2:5 a character that changes the direction of the text (U+202E) in the text"}));
  EXPECT_EQ(found("let x = \"a\u200bb\""), (Lines{"AGP0007 2:11 an invisible character (U+200B) in the text"}));
  EXPECT_EQ(found("let x\u2066 = 1"),
            (Lines{"AGP0007 2:6 a character that changes the direction of the text (U+2066) in the text"}));
  EXPECT_EQ(found("le\u200dt x = 1"), (Lines{"AGP0007 2:3 an invisible character (U+200D) in the text"}));
  EXPECT_EQ(found(std::string("let x = 1\0", 10)), (Lines{"AGP0007 2:10 a NUL (U+0000) in the text"}));
  EXPECT_EQ(found("let x = \"\x1b[2K\""), (Lines{"AGP0007 2:10 a control character (U+001B) in the text"}));
  EXPECT_EQ(found("// a\rb"), (Lines{"AGP0007 2:5 a carriage return without a line feed (U+000D) in the text"}));
  EXPECT_EQ(found("// \u0085"), (Lines{"AGP0007 2:4 a control character (U+0085) in the text"}));
  EXPECT_EQ(found("// \U000e0041"), (Lines{"AGP0007 2:4 an invisible character (U+E0041) in the text"}));
  EXPECT_EQ(Parsed("\ufeffagp 1").findings(), (Lines{"AGP0007 1:1 a byte order mark (U+FEFF) in the text"}));
  EXPECT_EQ(found("// \u26a0\ufe0f caf\u00e9 \u65e5\u672c\tok"), nothing) << "ordinary text of any language";
  EXPECT_EQ(found("let x = \"\u65e5\u672c\""), nothing);
}

TEST(Characters, ManyHiddenOnesAreCounted) {
  std::string text = "agp 1\n";
  for (int i = 0; i < 1000; ++i) text += "// \u202e\n";
  const Parsed p(text);
  ASSERT_EQ(p.sink.all().size(), 10u);
  EXPECT_EQ(p.sink.all().back().notes.at(0), "990 more of them follow in this file");
}

TEST(Characters, TablesAreSorted) {
  // A binary search over an unsorted table misses entries without a sign.
  for (char32_t c = 0; c < 0x110000; ++c) {
    const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    if (control && c != '\t' && c != '\n' && c != '\r') {
      ASSERT_TRUE(detail::hidden(c)) << detail::code_point_text(c);
    }
  }
  for (const char32_t c : {U'\u00ad', U'\u061c', U'\u180e', U'\u200b', U'\u200c',     U'\u200d',     U'\u200e',
                           U'\u200f', U'\u2028', U'\u2029', U'\u202a', U'\u202e',     U'\u2060',     U'\u2066',
                           U'\u2069', U'\u3164', U'\ufeff', U'\ufff9', U'\U0001d173', U'\U000e0001', U'\U000e0100'})
    EXPECT_TRUE(detail::hidden(c)) << detail::code_point_text(c);
  for (const char32_t c : {U'\u00a0', U'\u1680', U'\u2003', U'\u202f', U'\u205f', U'\u3000'})
    EXPECT_TRUE(detail::foreign_space(c)) << detail::code_point_text(c);
  for (const char32_t c : {U'\u00ab', U'\u2018', U'\u201d'})
    EXPECT_TRUE(detail::foreign_quote(c)) << detail::code_point_text(c);
}

TEST(Limits, FileSize) {
  Limits limits;
  const std::string start = "agp 1\n//";
  std::string text = start + std::string(limits.file_bytes - start.size(), 'x');
  EXPECT_EQ(Parsed(text, limits).findings(), nothing);
  EXPECT_EQ(Parsed(text + "x", limits).findings(),
            (std::vector<std::string>{"AGP0003 1:1 `test.agp` has 8388609 bytes, the limit is 8388608"}));
}

TEST(Limits, Nesting) {
  const auto nested = [](std::size_t depth, const Limits& limits = {}) {
    return Parsed("agp 1\nlet x = " + std::string(depth, '[') + std::string(depth, ']'), limits);
  };
  EXPECT_EQ(nested(64).findings(), nothing);
  EXPECT_EQ(nested(65).findings(), (std::vector<std::string>{"AGP0004 2:73 brackets are nested deeper than 64"}));
  const Parsed deep = nested(100000);
  EXPECT_EQ(deep.findings(), (std::vector<std::string>{"AGP0004 2:73 brackets are nested deeper than 64"}));
  EXPECT_TRUE(deep.file.items.empty());
  for (const char* open : {"[", "(", "{"}) {
    std::string text = "agp 1 ";
    for (int i = 0; i < 100000; ++i) text += open;
    EXPECT_EQ(Parsed(text).findings().size(), 1u);
  }
  Limits wide;
  wide.nesting = 1000;
  EXPECT_EQ(nested(1000, wide).findings(), nothing);
}

}  // namespace
}  // namespace agp::syntax::test
