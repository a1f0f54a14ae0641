#include "tests/unit/syntax/corpus.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/syntax/example.hpp"

namespace agp::syntax::test {

std::vector<std::pair<std::string, std::string>> corpus() {
  std::vector<std::pair<std::string, std::string>> out = {{"whole file", whole_file}};
  for (const char* folder : {"/docs/examples", "/stdlib-policies"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(AGP_SOURCE_DIR) + folder)) {
      if (entry.path().extension() != ".agp") continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::stringstream text;
      text << file.rdbuf();
      out.emplace_back(entry.path().string(), text.str());
    }
  }
  std::sort(out.begin() + 1, out.end());
  return out;
}

/// Where an address or prefix in brackets ends that begins here; `i` where none does.
std::size_t end_of_six(const std::string& text, std::size_t i) {
  const std::size_t close = text.find(']', i);
  if (i >= text.size() || text[i] != '[' || close == std::string::npos) return i;
  const bool colons = text.substr(i, close - i).find(':') != std::string::npos;
  return colons && text.find_first_not_of("0123456789abcdef:./", i + 1) == close ? close + 1 : i;
}

std::vector<Piece> tokens(const std::string& text) {
  std::vector<Piece> out;
  const auto at = [&](std::size_t i) { return i < text.size() ? text[i] : '\0'; };
  const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    if (std::isspace(static_cast<unsigned char>(text[i])) != 0) {
      ++i;
      continue;
    }
    const std::size_t six = end_of_six(text, i);
    if (text[i] == '"') {
      for (++i; at(i) != '"'; ++i)
        if (at(i) == '\\') ++i;
      ++i;
    } else if (text.compare(i, 2, "//") == 0) {
      i = std::min(text.find('\n', i), text.size());
    } else if (text.compare(i, 2, "/*") == 0) {
      i = text.find("*/", i) + 2;
    } else if (six != i) {
      i = six;
      if (const std::size_t last = at(i) == '-' ? end_of_six(text, i + 1) : 0; last > i + 1) i = last;  // a range
    } else if (word(text[i])) {
      const bool digit = std::isdigit(static_cast<unsigned char>(text[i])) != 0;
      while (word(at(i)) || ((at(i) == '-' || at(i) == '.' || (digit && at(i) == '/')) && word(at(i + 1)))) ++i;
    } else if (std::string("=!<>").find(text[i]) != std::string::npos && at(i + 1) == '=') {
      i += 2;
    } else {
      ++i;
    }
    out.push_back({begin, i});
  }
  return out;
}

}  // namespace agp::syntax::test
