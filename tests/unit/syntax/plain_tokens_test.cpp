// The short cut for plain tokens says what the grammar's automaton says.
#include "compiler/syntax/plain_tokens.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <regex>
#include <sstream>

#include "compiler/syntax/antlr_adapter.hpp"

namespace agp::syntax::detail {
namespace {

const std::filesystem::path root = AGP_SOURCE_DIR;

std::string bytes_of(const std::filesystem::path& path) {
  std::stringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

/// Compares at `begin`; how many bytes the grammar takes there.
std::uint32_t compare(Scanner& scanner, std::string_view text, std::uint32_t begin, std::size_t& plain) {
  std::uint32_t end = 0, quick_end = 0;
  const T type = scanner.next_by_grammar(begin, end);
  const T quick = plain_token(text, begin, quick_end);
  if (quick != T::END) {
    ++plain;
    EXPECT_EQ(static_cast<int>(quick), static_cast<int>(type)) << "at " << begin << " of: " << text.substr(0, 200);
    EXPECT_EQ(quick_end, end) << "at " << begin << " of: " << text.substr(0, 200);
  }
  return end;
}

TEST(PlainTokens, EverySpellingOfTheGrammar) {
  const std::string grammar = bytes_of(root / "grammar/AgpLexer.g4");
  const std::regex literal("'([^'\\\\]+)'");
  std::size_t spellings = 0, plain = 0;
  for (std::sregex_iterator at(grammar.begin(), grammar.end(), literal), none; at != none; ++at, ++spellings)
    for (const std::string before : {"", "a", "-", "."})
      for (const std::string behind : {"", " ", "x", "-", "-x", ".", ".x", "4", "_", ":", "/", "\x01", "\xc3\xa9", "\""}) {
        const std::string text = before + (*at)[1].str() + behind;
        Scanner scanner(text);
        compare(scanner, text, 0, plain);
      }
  EXPECT_GT(spellings, 100u);
  EXPECT_GT(plain, spellings);
}

TEST(PlainTokens, EveryTokenOfTheCheckout) {
  std::size_t tokens = 0, plain = 0;
  for (const char* folder : {"docs", "stdlib-policies", "tests/language", "tests/cli"})
    for (const auto& file : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (file.path().extension() != ".agp") continue;
      const std::string text = bytes_of(file.path());
      if (text.size() > 100'000) continue;
      Scanner scanner(text);
      for (std::uint32_t at = 0; at < text.size(); ++tokens) at = compare(scanner, text, at, plain);
    }
  EXPECT_GT(tokens, 10'000u);
  EXPECT_GT(plain * 10, tokens * 9) << "most tokens need no automaton";
}

TEST(PlainTokens, RandomTexts) {
  const std::vector<std::string> parts = {"a",  "allow", "std", "s",  "KiB", "_",  "-",  ".",    "..", "0",    "42",  "0x1",
                                          "\"", "\\",    "/",   "//", "///", "/*", "*/", "\n",   "\r", " ",    "\t",  "[",
                                          "]",  ":",     "=",   "!",  "<",   "&",  "|",  "\x01", "{",  "\xff", "\xc3", "@",
                                          "'",  "\f",    "\x7f", std::string(1, '\0')};
  std::mt19937 draw(1);
  std::size_t plain = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (auto left = 1 + draw() % 7; left > 0; --left) text += parts[draw() % parts.size()];
    Scanner scanner(text);
    for (std::uint32_t at = 0; at < text.size(); ++at) compare(scanner, text, at, plain);
  }
  EXPECT_GT(plain, 20'000u);
}

}  // namespace
}  // namespace agp::syntax::detail
