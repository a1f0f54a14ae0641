// One mistake, one diagnostic, at its place; what is beside it is still understood; and no text, however broken, does
// more than that.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/tier.hpp"
#include "tests/unit/syntax/corpus.hpp"
#include "tests/unit/syntax/dump.hpp"
#include "tests/unit/syntax/support.hpp"

namespace agp::syntax::test {
namespace {

/// The first and last byte of the top-level item around an offset: from its line at column 1 to the next such line.
std::pair<std::size_t, std::size_t> item_around(const std::string& text, std::size_t offset) {
  const auto begins = [&](std::size_t i) {
    return (i == 0 || text[i - 1] == '\n') && i < text.size() &&
           std::string(" \t\n/}").find(text[i]) == std::string::npos;
  };
  std::size_t begin = offset, end = offset + 1;
  while (begin > 0 && !begins(begin)) --begin;
  while (end < text.size() && !begins(end)) ++end;
  return {begin, end};
}

struct Damage {
  std::string name, text;
  std::size_t at;
  bool brace;
};

std::vector<Damage> damages(const std::string& text) {
  std::vector<Damage> out;
  for (const Piece& piece : tokens(text)) {
    const std::string token = text.substr(piece.begin, piece.end - piece.begin);
    if (token.compare(0, 2, "//") == 0 || token.compare(0, 2, "/*") == 0) continue;
    const bool brace = token == "{" || token == "}";
    std::string without = text, doubled = text;
    without.erase(piece.begin, token.size());
    // What follows must not grow together with what came before.
    without.insert(piece.begin, " ");
    doubled.insert(piece.end, " " + token);
    out.push_back({"without `" + token + "`", without, piece.begin, brace});
    out.push_back({"with two `" + token + "`", doubled, piece.begin, brace});
    if (std::isalpha(static_cast<unsigned char>(token[0])) == 0 || token.size() < 2) continue;
    for (const std::size_t i : {std::size_t{0}, token.size() / 2, token.size() - 1}) {
      std::string misspelt = text;
      misspelt.replace(piece.begin + i, 1, token[i] == 'q' ? "z" : "q");
      out.push_back({"with a wrong letter in `" + token + "`", misspelt, piece.begin, brace});
    }
  }
  return out;
}

TEST(Recovery, EveryTokenOfEveryText) {
  std::size_t made = 0, tried = 0;
  for (const auto& [path, text] : corpus()) {
    for (const Damage& damage : damages(text)) {
      if (!agp::test::in_tier(made++, 3)) continue;  // a token has two of them or five: each kind has its turn
      ++tried;
      const Parsed p(damage.text);
      const std::size_t most = damage.brace ? 2 : 1;
      ASSERT_LE(p.sink.all().size(), most) << path << " " << damage.name << " at " << damage.at << "\n"
                                           << ::testing::PrintToString(p.findings());
      if (damage.brace) continue;
      const auto [begin, end] = item_around(damage.text, damage.at);
      for (const auto& d : p.sink.all()) {
        EXPECT_GE(d.primary.begin, begin) << path << " " << damage.name << " at " << damage.at << "\n" << d.message;
        EXPECT_LE(d.primary.end, end) << path << " " << damage.name << " at " << damage.at << "\n" << d.message;
      }
    }
  }
  EXPECT_GT(tried, 1500u);
}

TEST(Recovery, ABraceIsNeverMissedSilently) {
  for (const auto& [path, text] : corpus()) {
    for (const Damage& damage : damages(text)) {
      const bool told = !damage.brace || !Parsed(damage.text).sink.all().empty();
      EXPECT_TRUE(told) << path << " " << damage.name << " at " << damage.at;
    }
  }
}

TEST(Recovery, TheRestIsUnderstood) {
  const Parsed p(R"(agp 1
let a = 1
lt b = 2
policy p {
  owner "x"
  file {
    allow read "/a"
    alow read "/b"
    allow read
    allow read "/d"
  }
  isolaton container
  limit { cpu 2 memory pids 3 }
  foo { bar baz }
  mode enforce
}
test p {
  allow write "/a"
  allow wirte "/b"
  deny write "/c"
}
)");
  EXPECT_EQ(p.sink.all().size(), 7u) << ::testing::PrintToString(p.findings());
  EXPECT_EQ(dump(p.file), R"(agp 1
let a = 1
let b = 2
policy p
  owner "x"
  file {allow file verbs=read paths="/a"} {allow file verbs=read paths="/b"} {allow file verbs=read paths="/d"}
  isolation container
  limit {cpu 2} {pids 3}
  mode enforce
test p
  allow write<file verbs=write paths="/a">
  allow write<file verbs=write paths="/b">
  deny write<file verbs=write paths="/c">
)");
}

TEST(Recovery, MistakesBesideUnusualLayoutStayAlone) {
  // Valid statements that break their lines where nobody else would; only `lt` is wrong.
  const Parsed p(R"(agp 1
use "./x.agp"
as y
lt b = 2
policy
p
{
file
{
allow read
"/a"
because
"b" allow read "/b"
}
on
deny { log }
}
)");
  EXPECT_EQ(p.findings(), (std::vector<std::string>{"AGP1013 4:1 expected `let`, found `lt`"}));
}

TEST(Recovery, ARuleThatIsWrappedToTheLeftIsOneRule) {
  const Parsed p(R"(agp 1
policy p {
  file {
    allow read
  "/a",
  "/b" becuse "x"
    allow read "/c"
  }
}
)");
  EXPECT_EQ(p.sink.all().size(), 1u) << ::testing::PrintToString(p.findings());
  EXPECT_NE(dump(p.file).find("{allow file verbs=read paths=\"/c\"}"), std::string::npos) << dump(p.file);
}

TEST(Recovery, RandomDamageEnds) {
  std::mt19937 random(20260002);
  const auto all = corpus();
  for (int round = 0; round < 400; ++round) {
    const std::string& text = all[random() % all.size()].second;
    const auto pieces = tokens(text);
    std::string broken;
    for (const Piece& piece : pieces) {
      const std::string token = text.substr(piece.begin, piece.end - piece.begin);
      switch (random() % 12) {
        case 0:
          break;
        case 1:
          broken += token + " " + token;
          break;
        case 2: {
          const Piece other = pieces[random() % pieces.size()];
          broken += text.substr(other.begin, other.end - other.begin);
          break;
        }
        default:
          broken += token;
          break;
      }
      broken += random() % 5 == 0 ? "\n" : " ";
    }
    const Parsed p(broken);
    EXPECT_LE(p.sink.all().size(), 120u);
    for (const auto& d : p.sink.all()) {
      EXPECT_LE(d.primary.begin, d.primary.end);
      EXPECT_LE(d.primary.end, broken.size());
    }
  }
}

TEST(Recovery, RandomBytesEnd) {
  std::mt19937 random(20260003);
  const std::string alphabet = "{}[]()\"\\$@:,;=<>&|*/-._ \n\t#'0123456789abcdefgp\xc3\xa9\xe2\x80\x9c\xd0\xb0";
  for (int round = 0; round < 1500; ++round) {
    std::string text = random() % 2 == 0 ? "agp 1\n" : "";
    for (std::size_t i = random() % 200; i > 0; --i)
      text += random() % 40 == 0 ? static_cast<char>(random() % 256) : alphabet[random() % alphabet.size()];
    const Parsed p(text);
    source::Files files;
    diagnostics::Sink sink;
    const auto made = parse_action(files, files.add("action", text), sink);
    EXPECT_NE(made.has_value(), sink.errors() > 0);
    diagnostics::Sink again;
    const auto laid_out = format(p.files, 0, again);
    EXPECT_EQ(laid_out.has_value(), p.sink.errors() == 0);
  }
}

TEST(Recovery, HostileTextsEnd) {
  const std::size_t size = 200000;
  const auto repeat = [&](const std::string& unit) {
    std::string out = "agp 1\n";
    while (out.size() < size) out += unit;
    return out;
  };
  for (const char* unit : {"}",
                           "{",
                           "{}",
                           "a ",
                           "a\n",
                           "\"\n",
                           "let x = \n",
                           "policy x (\n}\n",
                           "policy p { file { alow } }\n",
                           "; ",
                           "/ ",
                           "/*",
                           "[",
                           "]",
                           "[1,",
                           "a.",
                           "-",
                           "\\",
                           "$",
                           "'",
                           "\xd0\xb0 ",
                           "\xe2\x80\x9c",
                           "  }\n",
                           "on deny {",
                           "file {\n",
                           "agp 1\n",
                           "\"${\"",
                           "policy p { } }\n"})
    EXPECT_LE(Parsed(repeat(unit)).sink.all().size(), 110u) << unit;
  std::string stairs = "agp 1\n";
  for (std::size_t i = 600; i > 0; --i) stairs += std::string(i, ' ') + "}\n";
  EXPECT_LE(Parsed(stairs).sink.all().size(), 110u);
}

}  // namespace
}  // namespace agp::syntax::test
