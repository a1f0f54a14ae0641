#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "grammar_names.hpp"

/// What the rest of compiler/syntax sees of ANTLR: a scanner, a parser that records a flat tree, and the grammar as an
/// automaton. Internal to compiler/syntax; C++17, because the file behind it is (see CMakeLists.txt).
namespace agp::syntax::detail {

struct Token {
  std::uint32_t begin = 0;  ///< bytes of the text
  std::uint32_t end = 0;
  T type = T::END;
  bool first = false;    ///< the first token of its line
  bool damaged = false;  ///< a diagnostic about its characters was emitted
};

/// Bytes -> tokens, one at a time. Bytes above 127 are taken as U+0001, so that offsets are bytes.
class Scanner {
 public:
  explicit Scanner(std::string_view text);
  ~Scanner();
  /// The longest token that begins at `begin` (which must be inside the text), white space and comments included.
  /// Sets `end` behind it; at least one byte is taken.
  T next(std::uint32_t begin, std::uint32_t& end);
  /// The same by the grammar's automaton alone, without the short cut of plain_tokens.hpp.
  T next_by_grammar(std::uint32_t begin, std::uint32_t& end);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A node of a parse tree, in preorder: the subtree of node i is [i, nodes[i].next). A leaf is one token.
struct Node {
  std::uint32_t begin = 0;  ///< index of the first token
  std::uint32_t end = 0;    ///< index behind the last token
  std::uint32_t next = 0;
  R rule{};
  bool leaf = false;
};
using Tree = std::vector<Node>;

/// Tokens -> tree, by the generated parser. One object can parse many stretches of one text.
class Parser {
 public:
  /// `tokens` ends with an END token and outlives the parser; it may be changed between two calls.
  explicit Parser(const std::vector<Token>& tokens);
  ~Parser();
  /// Parses `rule` from token `begin`, seeing nothing from token `end` on. The index behind the last token taken, and
  /// the tree in `tree` (node 0 is `rule`); `failed` when the tokens do not begin with such a phrase.
  std::uint32_t parse(R rule, std::uint32_t begin, std::uint32_t end, Tree& tree);
  static constexpr std::uint32_t failed = 0xffffffffu;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The grammar as a pushdown automaton, for saying what could stand at a place.
struct Automaton {
  struct Edge {
    enum class Kind : unsigned char { Free, Tokens, Rule };
    Kind kind = Kind::Free;
    std::vector<T> tokens;  ///< Tokens: one of these is taken
    R rule{};               ///< Rule: that rule is entered, and `target` follows it
    std::uint32_t target = 0;
  };
  struct State {
    R rule{};
    bool stop = false;  ///< the end of its rule
    std::vector<Edge> edges;
  };
  std::vector<State> states;
  std::vector<std::uint32_t> starts;  ///< by rule
};
const Automaton& automaton();

}  // namespace agp::syntax::detail
