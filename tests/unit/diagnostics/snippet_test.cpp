#include "compiler/diagnostics/snippet.hpp"

#include <gtest/gtest.h>

namespace agp::diagnostics {
namespace {

/// A text in which `«…»` mark spans in order of their beginning, and what the snippet of them must be.
struct Marked {
  source::Files files;
  std::vector<source::Span> spans;

  explicit Marked(std::string_view text) {
    std::string plain;
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < text.size();) {
      if (text.substr(i).starts_with("«")) {
        open.push_back(spans.size());
        spans.push_back({0, static_cast<std::uint32_t>(plain.size()), 0});
        i += 2;
      } else if (text.substr(i).starts_with("»")) {
        spans[open.back()].end = static_cast<std::uint32_t>(plain.size());
        open.pop_back();
        i += 2;
      } else {
        plain += text[i++];
      }
    }
    files.add("x.agp", plain);
  }

  /// The first mark is the primary one.
  std::string draw(std::vector<std::string> labels, SnippetOptions options = {}) const {
    std::vector<Mark> marks;
    for (std::size_t i = 0; i < spans.size(); ++i)
      marks.push_back({spans[i], i < labels.size() ? labels[i] : "", i == 0, i == 0 ? Style::Error : Style::Frame});
    return snippet(files, marks, options);
  }
};

TEST(Snippet, OneSpan) {
  EXPECT_EQ(Marked("agp 1\nallow «write» x\n").draw({"here"}),
            "  |\n"
            "2 | allow write x\n"
            "  |       ^^^^^ here\n");
}

TEST(Snippet, TabsAndWideCharactersKeepTheCaretsInPlace) {
  EXPECT_EQ(Marked("\tallow \"日本\" «read»\n").draw({}),
            "  |\n"
            "1 |     allow \"日本\" read\n"
            "  |                  ^^^^\n");
  EXPECT_EQ(Marked("\"e\u0301\u202e\" «x»\n").draw({}),
            "  |\n"
            "1 | \"e\u0301\\u{202e}\" x\n"
            "  |             ^\n");
}

TEST(Snippet, SeveralLabelsOfALineHang) {
  EXPECT_EQ(Marked("«one» «two» «three»\n").draw({"first", "second", "third"}),
            "  |\n"
            "1 | one two three\n"
            "  | ^^^ --- ----- third\n"
            "  | |   |\n"
            "  | |   second\n"
            "  | first\n");
}

TEST(Snippet, AnInnerSpanIsDrawnOverAnOuterOne) {
  Marked text("allow «write «x» y»\n");
  std::swap(text.spans[0], text.spans[1]);
  EXPECT_EQ(text.draw({"inner", "outer"}),
            "  |\n"
            "1 | allow write x y\n"
            "  |       ------^--\n"
            "  |       |     |\n"
            "  |       |     inner\n"
            "  |       outer\n");
}

TEST(Snippet, LinesBetweenAreElided) {
  EXPECT_EQ(Marked("«a»\nb\n«c»\nd\ne\nf\n«g»\n").draw({}),
            "  |\n"
            "1 | a\n"
            "  | ^\n"
            "2 | b\n"
            "3 | c\n"
            "  | -\n"
            "...\n"
            "7 | g\n"
            "  | -\n");
}

TEST(Snippet, ASpanOverLinesFromTheStartOfALine) {
  EXPECT_EQ(Marked("  «policy x {\n    y\n    z\n  }»\nend\n").draw({"this one"}),
            "  |\n"
            "1 | /   policy x {\n"
            "... |\n"
            "4 | |   }\n"
            "  | |___^ this one\n");
}

TEST(Snippet, ASpanOverLinesFromTheMiddle) {
  EXPECT_EQ(Marked("policy «{\n  y\n}»\n").draw({"this"}),
            "  |\n"
            "1 |   policy {\n"
            "  |  ________^\n"
            "2 | |   y\n"
            "3 | | }\n"
            "  | |_^ this\n");
}

TEST(Snippet, NestedSpansOverLinesHaveColumnsOfTheirOwn) {
  EXPECT_EQ(Marked("«a\n«b\nc»\nd»\n").draw({"outer", "inner"}),
            "  |\n"
            "1 | /   a\n"
            "2 | | / b\n"
            "3 | | | c\n"
            "  | | |_- inner\n"
            "4 | |   d\n"
            "  | |___^ outer\n");
}

TEST(Snippet, EndOfTextAndOfLine) {
  EXPECT_EQ(Marked("abc«»").draw({"unfinished"}), "  |\n1 | abc\n  |    ^ unfinished\n");
  EXPECT_EQ(Marked("abc\n«»").draw({}), "  |\n2 |\n  | ^\n");
  EXPECT_EQ(Marked("«abc\r\n»d\n").draw({}), "  |\n1 | abc\n  | ^^^\n");
  EXPECT_EQ(Marked("«»").draw({}), "  |\n1 |\n  | ^\n");
}

TEST(Snippet, SpansBeyondTheTextAreCutOff) {
  source::Files files;
  files.add("x", "ab\n");
  const Mark mark{{0, 100, 200}, "", true, Style::Error};
  EXPECT_EQ(snippet(files, {&mark, 1}, {}), "  |\n2 |\n  | ^\n");
}

TEST(Snippet, ANarrowTerminalSeesTheMark) {
  const std::string text = std::string(60, 'a') + " «wrong» " + std::string(60, 'b') + "\n";
  const std::string drawn = Marked(text).draw({"here"}, {.width = 40});
  EXPECT_NE(drawn.find("wrong"), std::string::npos) << drawn;
  EXPECT_NE(drawn.find("^^^^^ here"), std::string::npos) << drawn;
  for (std::size_t at = 0; at < drawn.size();) {
    const std::size_t end = drawn.find('\n', at);
    EXPECT_LE(display_width(drawn.substr(at, end - at)), 40u) << drawn;
    at = end + 1;
  }
  // The carets stand under the word: both begin in the same column.
  const std::size_t line = drawn.find("1 |"), carets = drawn.find('\n', line) + 1;
  EXPECT_EQ(display_width(drawn.substr(line, drawn.find("wrong") - line)),
            display_width(drawn.substr(carets, drawn.find('^') - carets)));
}

TEST(Snippet, ALineOfMegabytesGivesAShortSnippet) {
  const std::string text = std::string(4u << 20, 'a') + "«b»" + std::string(4u << 20, 'c');
  const std::string drawn = Marked(text).draw({"here"});
  EXPECT_LT(drawn.size(), 3000u);
  EXPECT_NE(drawn.find("^ here"), std::string::npos);
}

TEST(Snippet, ColourIsOnlyAddedWhenAskedFor) {
  const Marked text("«a»\n");
  EXPECT_EQ(text.draw({"b"}).find('\033'), std::string::npos);
  EXPECT_NE(text.draw({"b"}, {.color = true}).find("\033[1;31m^ b\033[0m\n"), std::string::npos)
      << text.draw({"b"}, {.color = true});
}

TEST(EditLines, ShowTheLineBeforeAndAfter) {
  source::Files files;
  files.add("x", "agp 1\nallow raed \"/a\"\n");
  EXPECT_EQ(edit_lines(files, {{{0, 12, 16}, "read"}}, {}),
            "2 - allow raed \"/a\"\n"
            "2 + allow read \"/a\"\n");
}

TEST(EditLines, SeveralEditsOfOneLineAreAppliedTogether) {
  source::Files files;
  files.add("x", "one two three\n");
  EXPECT_EQ(edit_lines(files, {{{0, 8, 13}, "3"}, {{0, 0, 3}, "1"}}, {}),
            "1 - one two three\n"
            "1 + 1 two 3\n");
}

TEST(EditLines, OverlappingEditsShowNothing) {
  source::Files files;
  files.add("x", "one two three\n");
  EXPECT_EQ(edit_lines(files, {{{0, 0, 5}, "1"}, {{0, 3, 7}, "2"}}, {}), "");
}

}  // namespace
}  // namespace agp::diagnostics
