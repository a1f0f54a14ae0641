#include <filesystem>
#include <fstream>
#include <sstream>

#include "compiler/sema/limits.hpp"
#include "tests/unit/sema/support.hpp"

namespace agp::sema {
namespace {

/// What the page of limits says is what the code has, and the cases it names are there.
TEST(LimitsPage, SaysWhatTheCodeHas) {
  std::ifstream in(std::string(AGP_SOURCE_DIR) + "/docs/reference/limits.md");
  std::stringstream text_of_page;
  text_of_page << in.rdbuf();
  const std::string page = text_of_page.str();
  const syntax::Limits text;
  const auto row = [&](const std::string& what, std::size_t value) {
    const std::size_t at = page.find("\n| " + what);
    ASSERT_NE(at, std::string::npos) << what;
    const std::string line = page.substr(at + 1, page.find('\n', at + 1) - at);
    EXPECT_NE(line.find("| " + std::to_string(value)), std::string::npos) << line;
  };
  row("size of a file", text.file_bytes);
  row("depth of brackets", text.nesting);
  row("constants that need constants", limits::depth);
  row("elements of a list", limits::list);
  row("one text", limits::text);
  row("all texts", limits::expanded);
  row("different includes", limits::includes);
  row("paths, endpoints, names and rules", limits::patterns);
  row("alternatives", limits::alternatives);
  for (std::size_t at = page.find("`tests/"); at != std::string::npos; at = page.find("`tests/", at + 1)) {
    const std::string path = page.substr(at + 1, page.find('`', at + 1) - at - 1);
    EXPECT_TRUE(std::filesystem::exists(std::string(AGP_SOURCE_DIR) + "/" + path)) << path;
  }
}

}  // namespace
}  // namespace agp::sema
