#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/render.hpp"
#include "compiler/diagnostics/text.hpp"

namespace agp::diagnostics {
namespace {

using Json = nlohmann::json;

constexpr Format every_format[] = {Format::Text,   Format::Concise,  Format::Json, Format::Sarif,
                                   Format::Github, Format::Markdown, Format::Junit};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// Each would do harm in some output that printed it as it is.
const std::string hostile[] = {
    "::error file=x,line=1::owned",
    "\n::error::owned",
    "\r\n::set-output name=x::y",
    "  ::add-mask::secret",
    "##[error]owned",
    "x ##vso[task.setvariable variable=a]b",
    "%0A::error::owned",
    "100% , a:b",
    "\x1b]0;title\x07\x1b[2J",
    "\u009b2J",
    "a\u202e\u2066gpj.exe\u2069",
    "\u2028\u2029\u0085",
    std::string("nul\0byte", 8),
    "bad \xff\xc0\xaf\xed\xa0\x80 bytes",
    "`code` ``` ```` `unfinished",
    "```\n# heading\n```",
    "<script>alert(1)</script><!-- <img src=x onerror=y> -->",
    "[link](javascript:x) ![i](http://x) http://example.com www.example.com @team #12 &amp;",
    "| table | *b* _i_ ~~s~~ \\ $x^2$",
    "\"quotes\" 'single' \\ back",
    "../../../etc/passwd",
    "",
    std::string(5000, 'x'),
    "\t\ttabs",
    "\U000e0001\U000e007f tags \ufeff \u200d",
};

bool harmless(std::int32_t c) {
  if (c == '\n') return true;
  if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) return false;
  for (const auto& [from, to] :
       {std::pair{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f}})
    if (c >= from && c <= to) return false;
  return true;
}

/// Decodes strictly by itself: the renderers' own decoder must not vouch for them.
void expect_harmless(const std::string& text, const std::string& what) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const std::size_t size = byte(i) < 0x80             ? 1
                             : (byte(i) & 0xe0) == 0xc0 ? 2
                             : (byte(i) & 0xf0) == 0xe0 ? 3
                             : (byte(i) & 0xf8) == 0xf0 ? 4
                                                        : 0;
    ASSERT_NE(size, 0u) << what;
    ASSERT_LE(i + size, text.size()) << what;
    std::int32_t c = size == 1 ? byte(i) : byte(i) & (0xff >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) {
      ASSERT_EQ(byte(i + k) & 0xc0, 0x80) << what;
      c = c << 6 | (byte(i + k) & 0x3f);
    }
    EXPECT_TRUE(harmless(c)) << what << ": U+" << std::hex << c;
    i += size;
  }
}

/// `::error file=…,line=…::` with the properties of ours, each once, and nothing else.
bool is_our_command(const std::string& line) {
  std::string_view head = std::string_view(line).substr(2, line.find("::", 2) - 2);
  const std::size_t space = head.find(' ');
  const std::string_view level = head.substr(0, space);
  if (space == std::string_view::npos || (level != "error" && level != "warning" && level != "notice")) return false;
  std::set<std::string_view> open = {"file", "line", "endLine", "col", "endColumn", "title"};
  for (head.remove_prefix(space + 1);;) {
    const std::string_view property = head.substr(0, head.find(','));
    if (open.erase(property.substr(0, property.find('='))) != 1) return false;
    if (property.size() == head.size()) return open.count("title") == 0;
    head.remove_prefix(property.size() + 1);
  }
}

void expect_no_command(const std::string& text, Format format, const std::string& what) {
  for (const std::string& line : lines_of(text)) {
    for (std::size_t at = line.find("##"); at != std::string::npos; at = line.find("##", at + 1)) {
      const std::size_t word = line.find_first_not_of("#abcdefghijklmnopqrstuvwxyz", at);
      EXPECT_FALSE(word != std::string::npos && line[word] == '[') << what << ": " << line.substr(0, 300);
    }
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos || line.compare(first, 2, "::") != 0) continue;
    EXPECT_EQ(format, Format::Github) << what << ": " << line.substr(0, 300);
    EXPECT_TRUE(first == 0 && is_our_command(line)) << what << ": " << line.substr(0, 300);
  }
}

/// A finding that has the text in every place that takes text from elsewhere.
Diagnostic everywhere(source::Files& files, const std::string& text) {
  const auto a = files.add(text, "agp 1\n" + text + "\nend\n");
  const auto b = files.add("dir/" + text, text);
  const auto end = static_cast<std::uint32_t>(6 + text.size());
  Diagnostic d(kind::syntax_error, {a, 6, end}, "found " + text);
  d.labelled(text).relate({b, 0, static_cast<std::uint32_t>(text.size())}, text).relate({a, 0, 3}, text + text);
  return d.note(text).note("and " + text).witnessed(text).helped(text).edit({a, 6, end}, text + "!").about(text);
}

TEST(Formats, HostileTextDoesNoHarmInAny) {
  for (const std::string& text : hostile)
    for (const Format format : every_format)
      for (const unsigned width : {0u, 30u}) {
        source::Files files;
        const std::vector<Diagnostic> list = {everywhere(files, text)};
        const std::string what = std::string(to_string(format)) + " of " + visible(text).substr(0, 60);
        const std::string out = render(format, files, list, {.color = false, .width = width});
        expect_harmless(out, what);
        expect_no_command(out, format, what);
        EXPECT_TRUE(out.ends_with('\n')) << what;
      }
}

TEST(Formats, OneFindingIsOneLineOfConciseAndOneCommandOfGithub) {
  for (const std::string& text : hostile) {
    source::Files files;
    const std::vector<Diagnostic> list = {everywhere(files, text)};
    EXPECT_EQ(lines_of(render(Format::Concise, files, list)).size(), 1u) << visible(text);
    EXPECT_EQ(lines_of(render(Format::Github, files, list)).size(), 2u) << visible(text);
  }
}

TEST(Formats, JsonGivesTheTextBack) {
  for (const std::string& text : hostile) {
    source::Files files;
    const std::vector<Diagnostic> list = {everywhere(files, text)};
    const Json report = Json::parse(render(Format::Json, files, list));
    const Json& one = report["diagnostics"][0];
    EXPECT_EQ(one["message"], "found " + valid_utf8(text));
    EXPECT_EQ(one["location"]["path"], valid_utf8(text));
    EXPECT_EQ(one["location"]["start"]["offset"], 6);
    EXPECT_EQ(one["location"]["start"]["line"], 2);
    EXPECT_EQ(one["location"]["start"]["column"], 1);
    EXPECT_EQ(one["edits"][0]["replacement"], valid_utf8(text) + "!");
  }
}

/// What is neither in a fence nor in a code span.
std::string prose_of(const std::string& markdown) {
  static const std::regex fence("(^|\n)(````*)text\n[\\s\\S]*?\n\\2(?=\n|$)");
  static const std::regex span("(`+)(?!`)[\\s\\S]*?[^`]\\1(?!`)");
  return std::regex_replace(std::regex_replace(markdown, fence, "\n"), span, "");
}

TEST(Markdown, ProseHasNothingThatAForgeActsOn) {
  for (const std::string& text : hostile) {
    if (text.size() > 1000) continue;  // std::regex recurses for each character
    source::Files files;
    const std::vector<Diagnostic> list = {everywhere(files, text)};
    std::string prose = prose_of(render(Format::Markdown, files, list));
    prose = std::regex_replace(prose, std::regex("^### agp: |\\*\\*error\\*\\* :|&#[0-9]+;"), "");
    for (const std::string_view active : {"<", "@", "#", "[", "](", "*", "_", "http:", "www.", "|", "~", "$"})
      EXPECT_EQ(prose.find(active), std::string::npos) << active << " in\n" << prose;
  }
}

TEST(Github, TenOfALevelMostSevereFirst) {
  source::Files files;
  const auto file = files.add("x.agp", "a\n");
  std::vector<Diagnostic> list;
  for (int i = 0; i < 12; ++i) {
    list.emplace_back(kind::syntax_error, source::Span{file, 0, 1}, "warned " + std::to_string(i));
    list.back().severity = Severity::Warning;
    list.emplace_back(kind::syntax_error, source::Span{file, 0, 1}, "wrong " + std::to_string(i));
  }
  const auto lines = lines_of(render(Format::Github, files, list));
  ASSERT_EQ(lines.size(), 21u);
  EXPECT_EQ(lines[0], "::error file=x.agp,line=1,endLine=1,col=1,endColumn=1,title=AGP1001 syntax-error::wrong 0");
  EXPECT_TRUE(lines[9].ends_with("::wrong 9"));
  EXPECT_TRUE(lines[10].starts_with("::warning "));
  EXPECT_EQ(lines[20], "agp: 12 errors, 12 warnings (4 of them not shown: 10 of a level at most)");
}

TEST(Github, PropertiesAndMessagesAreEscaped) {
  source::Files files;
  const auto file = files.add("a,b:c%.agp", "a\n");
  const std::vector<Diagnostic> list = {Diagnostic(kind::syntax_error, {file, 0, 1}, "50% of, a:b")};
  EXPECT_EQ(
      lines_of(render(Format::Github, files, list))[0],
      "::error file=a%2Cb%3Ac%25.agp,line=1,endLine=1,col=1,endColumn=1,title=AGP1001 syntax-error::50%25 of, a:b");
}

Json sarif(const source::Files& files, std::span<const Diagnostic> list) {
  return Json::parse(render(Format::Sarif, files, list))["runs"][0];
}

TEST(Junit, FailuresAreWhatTheRunFailsBy) {
  source::Files files;
  const auto a = files.add("a.agp", "agp 1\nlet x = 1\n");
  files.add("clean.agp", "agp 1\n");
  const std::vector<Diagnostic> list = {Diagnostic(kind::syntax_error, {a, 0, 3}, "an <error> & \"more\""),
                                        Diagnostic(kind::empty_rule, {a, 6, 9}, "a warning")};
  const auto failures = [&](std::optional<Severity> fail_on) {
    const std::string out = render(Format::Junit, files, list, {.fail_on = fail_on});
    const std::size_t at = out.find("failures=\"");
    return out.substr(at + 10, out.find('"', at + 10) - at - 10);
  };
  EXPECT_EQ(failures(Severity::Error), "1");
  EXPECT_EQ(failures(Severity::Warning), "2");
  EXPECT_EQ(failures({}), "0");
  const std::string out = render(Format::Junit, files, list, {});
  EXPECT_NE(out.find("<testsuites name=\"agp\" tests=\"3\""), std::string::npos) << out;
  EXPECT_NE(out.find("message=\"an &lt;error&gt; &amp; &quot;more&quot;\""), std::string::npos) << out;
  EXPECT_NE(out.find("<testcase classname=\"clean.agp\" name=\"no findings\"/>"), std::string::npos) << out;
}

TEST(Junit, AFailedTestIsOneCase) {
  source::Files files;
  const auto a = files.add("a.agp", "agp 1\nlet x = 1\n");
  const std::vector<Diagnostic> list = {Diagnostic(kind::test_failed, {a, 6, 9}, "expected deny")};
  using Outcome = TestCase::Outcome;
  const TestCase tests[] = {{{a, 0, 3}, "p: allow read \"/a\"", Outcome::Passed},
                            {{a, 6, 9}, "p: deny read \"/b\"", Outcome::Failed}};
  const std::string out = render(Format::Junit, files, list, {.tests = tests});
  EXPECT_NE(out.find("tests=\"2\" failures=\"1\" errors=\"0\""), std::string::npos) << out;
  EXPECT_NE(out.find("name=\"p: deny read &quot;/b&quot;\">\n      <failure type=\"AGP2001\""), std::string::npos)
      << out;
}

TEST(Junit, ATestThatNothingDecidesIsAnErrorAndNoFailure) {
  source::Files files;
  const auto a = files.add("a.agp", "agp 1\nlet x = 1\n");
  // a finding at the same place is not this test's: it stays a case of its own
  const std::vector<Diagnostic> list = {Diagnostic(kind::artifact_unknown, {a, 6, 9}, "nothing decides")};
  const TestCase tests[] = {{{a, 6, 9}, "p: deny read \"/b\"", TestCase::Outcome::Undecided}};
  const std::string out = render(Format::Junit, files, list, {.tests = tests});
  EXPECT_NE(out.find("<testsuites name=\"agp\" tests=\"2\" failures=\"1\" errors=\"1\">"), std::string::npos) << out;
  EXPECT_NE(out.find("tests=\"2\" failures=\"1\" errors=\"1\" skipped=\"0\""), std::string::npos) << out;
  EXPECT_NE(out.find("name=\"p: deny read &quot;/b&quot;\">\n      <error "), std::string::npos) << out;
}

TEST(Sarif, FingerprintSurvivesAMoveAndTellsRulesApart) {
  const auto print_of = [](const std::string& text, std::string_view at, std::string policy) {
    source::Files files;
    const auto file = files.add("x.agp", text);
    const auto begin = static_cast<std::uint32_t>(text.find(at));
    const std::vector<Diagnostic> list = {
        Diagnostic(kind::syntax_error, {file, begin, begin + 1}, "wrong").about(std::move(policy))};
    return sarif(files, list)["results"][0]["partialFingerprints"]["agp/v1"].get<std::string>();
  };
  const std::string here = print_of("agp 1\nallow x\n", "allow", "p");
  EXPECT_EQ(print_of("agp 1\n\n// more\n\tallow   x\n", "allow", "p"), here);
  EXPECT_NE(print_of("agp 1\nallow y\n", "allow", "p"), here);
  EXPECT_NE(print_of("agp 1\nallow x\n", "allow", "q"), here);
}

TEST(Sarif, EqualFindingsHaveFingerprintsOfTheirOwn) {
  source::Files files;
  const auto file = files.add("x.agp", "same\nsame\n");
  const std::vector<Diagnostic> list = {Diagnostic(kind::syntax_error, {file, 0, 4}, "wrong"),
                                        Diagnostic(kind::syntax_error, {file, 5, 9}, "wrong")};
  const Json results = sarif(files, list)["results"];
  EXPECT_NE(results[0]["partialFingerprints"], results[1]["partialFingerprints"]);
}

TEST(Sarif, MostSevereFirstAndRulesByIndex) {
  source::Files files;
  const auto file = files.add("a b%.agp", "one\ntwo é x\n");
  std::vector<Diagnostic> list = {Diagnostic(kind::hidden_character, {file, 0, 3}, "noted"),
                                  Diagnostic(kind::syntax_error, {file, 11, 12}, "wrong")};
  list[0].severity = Severity::Note;
  const Json run = sarif(files, list);
  ASSERT_EQ(run["results"].size(), 2u);
  const Json& first = run["results"][0];
  EXPECT_EQ(first["ruleId"], "AGP1001");
  EXPECT_EQ(first["level"], "error");
  EXPECT_EQ(run["results"][1]["level"], "note");
  EXPECT_EQ(run["tool"]["driver"]["rules"][first["ruleIndex"].get<std::size_t>()]["id"], "AGP1001");
  EXPECT_EQ(run["columnKind"], "unicodeCodePoints");
  const Json& physical = first["locations"][0]["physicalLocation"];
  EXPECT_EQ(physical["artifactLocation"], (Json{{"uri", "a%20b%25.agp"}, {"uriBaseId", "%SRCROOT%"}}));
  EXPECT_EQ(physical["region"]["startLine"], 2);
  EXPECT_EQ(physical["region"]["startColumn"], 7);  // é is one column and two bytes
  EXPECT_EQ(physical["region"]["byteOffset"], 11);
}

TEST(Sarif, LibraryFilesAreNotInTheRoot) {
  source::Files files;
  const auto file = files.add("std/runtime/python.agp", "agp 1\n", true);
  const std::vector<Diagnostic> list = {Diagnostic(kind::syntax_error, {file, 0, 3}, "wrong")};
  EXPECT_EQ(sarif(files, list)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"],
            (Json{{"uri", "agp-library:std/runtime/python.agp"}}));
}

TEST(Arrange, ByPlaceAndWithoutRepeats) {
  source::Files files;
  const auto b = files.add("b.agp", "abcdef\n"), a = files.add("a.agp", "abcdef\n");
  std::vector<Diagnostic> list = {Diagnostic(kind::syntax_error, {b, 3, 4}, "third"),
                                  Diagnostic(kind::syntax_error, {b, 1, 2}, "second"),
                                  Diagnostic(kind::syntax_error, {a, 5, 6}, "first"),
                                  Diagnostic(kind::syntax_error, {b, 3, 4}, "third").about("again"),
                                  Diagnostic(kind::unreadable_file, {}, "nowhere")};
  arrange(files, list);
  std::vector<std::string> messages;
  for (const Diagnostic& d : list) messages.push_back(d.message);
  EXPECT_EQ(messages, (std::vector<std::string>{"nowhere", "first", "second", "third"}));
}

TEST(Arrange, WhereTheTextIsWrongItsMeaningIsNotJudged) {
  source::Files files;
  const auto a = files.add("a.agp", std::string(100, 'x')), b = files.add("b.agp", std::string(100, 'x'));
  const auto kept = [&](source::Span text, source::Span meaning) {
    std::vector<Diagnostic> list = {Diagnostic(kind::unknown_name, meaning, "meaning"),
                                    Diagnostic(kind::syntax_error, text, "text")};
    arrange(files, list);
    return list.size() == 2;
  };
  EXPECT_FALSE(kept({a, 10, 20}, {a, 10, 20}));
  EXPECT_FALSE(kept({a, 15, 16}, {a, 10, 20}));
  EXPECT_FALSE(kept({a, 5, 11}, {a, 10, 20}));
  EXPECT_TRUE(kept({a, 20, 25}, {a, 10, 20}));
  EXPECT_TRUE(kept({a, 5, 10}, {a, 10, 20}));
  EXPECT_TRUE(kept({b, 10, 20}, {a, 10, 20}));
  std::vector<Diagnostic> list = {Diagnostic(kind::unreadable_file, {a, 10, 20}, "input"),
                                  Diagnostic(kind::syntax_error, {a, 10, 20}, "text")};
  arrange(files, list);
  EXPECT_EQ(list.size(), 2u);
}

TEST(Text, ColourIsTheOnlyDifference) {
  for (const std::string& text : hostile) {
    source::Files files;
    const std::vector<Diagnostic> list = {everywhere(files, text)};
    std::string coloured = render(Format::Text, files, list, {.color = true});
    std::string plain;
    for (std::size_t i = 0; i < coloured.size(); ++i) {
      if (coloured[i] == '\033')
        i = coloured.find('m', i);
      else
        plain += coloured[i];
    }
    EXPECT_EQ(plain, render(Format::Text, files, list, {.color = false})) << visible(text);
  }
}

TEST(Text, ANoteWithoutAPlaceHasNoSnippet) {
  source::Files files;
  const std::vector<Diagnostic> list = {Diagnostic(kind::nothing_to_do, {}, "no file was found").helped("name one")};
  EXPECT_EQ(render(Format::Text, files, list),
            "error[AGP0010]: no file was found\n"
            "  = help: name one\n"
            "\n"
            "`agp explain AGP0010` says more\n");
}

}  // namespace
}  // namespace agp::diagnostics
