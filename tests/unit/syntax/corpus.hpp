#pragma once
#include <string>
#include <utility>
#include <vector>

namespace agp::syntax::test {

/// Every policy text that the repository holds and that is meant to parse, with its path, and the whole-file example.
std::vector<std::pair<std::string, std::string>> corpus();

/// Where a token or a comment stands. Found without the project's lexer: by quotes, comment signs, word characters.
struct Piece {
  std::size_t begin = 0, end = 0;
};
std::vector<Piece> tokens(const std::string& text);

}  // namespace agp::syntax::test
