// One mistake, one finding, in the item it is in: every token of the examples and of the golden policies is deleted,
// doubled and misspelt, and the whole front end looks at each of the texts that come out.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/tier.hpp"
#include "tests/unit/sema/support.hpp"
#include "tests/unit/syntax/corpus.hpp"

namespace agp::sema {
namespace {

using syntax::test::Piece;
namespace fs = std::filesystem;

/// A larger text says nothing that these do not.
constexpr std::size_t moderate = 8 * 1024;

std::vector<std::pair<std::string, std::string>> policies() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const char* folder : {"/docs/examples", "/tests/artifacts", "/stdlib-policies", "/tests/language/valid"})
    for (const auto& entry : fs::recursive_directory_iterator(std::string(AGP_SOURCE_DIR) + folder)) {
      if (entry.path().extension() != ".agp" || entry.file_size() > moderate) continue;
      // A group names calls of several architectures: right in the library alone, and no file here is taken for it.
      if (entry.path().parent_path().filename() == "syscalls" && folder == std::string_view("/stdlib-policies"))
        continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::stringstream text;
      text << file.rdbuf();
      out.emplace_back(fs::relative(entry.path(), AGP_SOURCE_DIR).string(), text.str());
    }
  std::sort(out.begin(), out.end());
  return out;
}

struct Damage {
  std::string how, text;
  std::size_t at = 0;  ///< byte of the damage
  std::string token;   ///< as it was
  std::string before;  ///< the token before it
  bool brace = false;
};

std::vector<Damage> damages(const std::string& text) {
  std::vector<Damage> out;
  std::string before;
  for (const Piece& piece : syntax::test::tokens(text)) {
    const std::string token = text.substr(piece.begin, piece.end - piece.begin);
    if (token.compare(0, 2, "//") == 0 || token.compare(0, 2, "/*") == 0) continue;
    const auto add = [&](std::string how, std::string damaged) {
      out.push_back({std::move(how), std::move(damaged), piece.begin, token, before, token == "{" || token == "}"});
    };
    std::string without = text, doubled = text;
    without.erase(piece.begin, token.size());
    without.insert(piece.begin, " ");  // what follows must not grow together with what came before
    doubled.insert(piece.end, " " + token);
    add("without", without);
    add("with two", doubled);
    if (std::isalpha(static_cast<unsigned char>(token[0])) != 0 && token.size() > 1) {
      for (const std::size_t i : {std::size_t{0}, token.size() / 2, token.size() - 1}) {
        std::string misspelt = text;
        misspelt.replace(piece.begin + i, 1, token[i] == 'q' ? "z" : "q");
        add("misspelt at " + std::to_string(i), misspelt);
      }
    }
    before = token;
  }
  return out;
}

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

std::string complaint(const Damage& d) {
  const Analysed a(d.text);
  const auto& all = a.sink.all();
  std::string why;
  if (all.size() > (d.brace ? 2u : 1u)) why = "too many";
  const auto [begin, end] = item_around(d.text, d.at);
  for (const auto& finding : all) {
    const bool inside = finding.primary.begin >= begin && finding.primary.end <= end;
    if (!inside) why += why.empty() ? "elsewhere" : ", elsewhere";
  }
  if (why.empty()) return why;
  for (const auto& finding : all)
    why += "\n    " + diagnostics::code_text(*finding.kind) + " " +
           std::to_string(a.files.position(finding.primary.file, finding.primary.begin).line) + ": " + finding.message;
  return why;
}

/// Where the finding can't stand in the damaged item, and why.
bool elsewhere_is_right(const Damage& d) {
  // A declaration with another name is whole: what is wrong is that the old name is used.
  for (const char* keyword : {"param", "let", "fragment", "policy"})
    if (d.before == keyword && d.how.compare(0, 8, "misspelt") == 0) return true;
  return false;
}

TEST(Damage, OneFindingInItsItem) {
  std::size_t made = 0, tried = 0;
  for (const auto& [path, text] : policies()) {
    ASSERT_EQ(Analysed(text).sink.all().size(), 0u) << path;
    for (const Damage& d : damages(text)) {
      if (!test::in_tier(made++, 3)) continue;  // a token has two of them or five: each kind has its turn
      ++tried;
      const std::string why = complaint(d);
      if (why.empty() || (why.compare(0, 9, "elsewhere") == 0 && elsewhere_is_right(d))) continue;
      const auto line = std::count(d.text.begin(), d.text.begin() + static_cast<std::ptrdiff_t>(d.at), '\n') + 1;
      ADD_FAILURE() << path << ":" << line << " " << d.how << " `" << d.token << "`: " << why;
    }
  }
  EXPECT_GT(tried, 2000u);
  test::result(std::to_string(tried) + " of " + std::to_string(made) + " damaged texts, at most one finding each");
}

}  // namespace
}  // namespace agp::sema
