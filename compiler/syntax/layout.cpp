// Tokens that parse -> how they are set. In: the tokens of a text without mistakes. Out: for each token whether a line
// begins with it, whether a space stands before it, and whether a long line may be broken there.
#include "compiler/syntax/layout.hpp"

namespace agp::syntax::detail {

namespace {

bool starts_line(R rule) {
  switch (rule) {
    case R::item:
    case R::statement:
    case R::fileRule:
    case R::netEntry:
    case R::syscallRule:
    case R::capabilityRule:
    case R::envEntry:
    case R::textRule:
    case R::limitEntry:
    case R::runEntry:
    case R::onDenyEntry:
    case R::testLine:
    case R::invariantLine:
      return true;
    default:
      return false;
  }
}

bool may_wrap(R rule) {
  return rule == R::modifier || rule == R::exceptStrings || rule == R::exceptNames || rule == R::exceptNet ||
         rule == R::exceptSyscalls;
}

/// The first element of a long list may stand on a line of its own.
bool lists(R rule) {
  return rule == R::strings || rule == R::netTargets || rule == R::syscallPatterns || rule == R::addresses;
}

class Marker {
 public:
  explicit Marker(const std::vector<Token>& tokens) : t_(tokens), marks_(tokens.size()) {}

  std::vector<Mark> run() {
    Parser parser(t_);
    Tree tree;
    const auto end = static_cast<std::uint32_t>(t_.size() - 1);
    for (std::uint32_t at = 0; at < end;) {
      at = parser.parse(R::item, at, end, tree);
      if (at == Parser::failed) break;
      item(tree);
    }
    for (std::uint32_t i = 1; i < end; ++i) neighbours(i);
    return std::move(marks_);
  }

 private:
  void item(const Tree& tree) {
    const R kind = tree[1].rule;
    Mark& first = marks_[tree[0].begin];
    first.version = kind == R::version;
    first.braced = kind == R::policy || kind == R::fragmentItem || kind == R::test || kind == R::invariant;
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < tree.size(); ++i) {
      while (!open.empty() && tree[open.back()].next <= i) open.pop_back();
      const Node& node = tree[i];
      if (node.leaf) {
        leaf(node.begin, tree[open.back()].rule);
        continue;
      }
      if (starts_line(node.rule)) marks_[node.begin].starts = true;
      if (may_wrap(node.rule)) marks_[node.begin].breakable = true;
      if (lists(node.rule)) marks_[node.begin].keeps_break = true;
      open.push_back(i);
    }
  }

  void leaf(std::uint32_t i, R inside) {
    switch (t_[i].type) {
      case T::LBRACE:
        marks_[i].outer = inside == R::policy || inside == R::fragmentItem;
        break;
      case T::LPAREN:
        marks_[i].glued = inside == R::conditions || inside == R::arguments || inside == R::parameters;
        break;
      case T::COLON:
        if (inside == R::endpoint || inside == R::runEntry) marks_[i].glued = marks_[i + 1].glued = true;
        if (inside == R::argument) marks_[i].glued = true;
        break;
      default:
        break;
    }
  }

  void neighbours(std::uint32_t i) {
    const T type = t_[i].type, before = t_[i - 1].type;
    if (type == T::COMMA || type == T::RPAREN || type == T::RBRACKET || before == T::LPAREN || before == T::LBRACKET ||
        before == T::ATSIGN)
      marks_[i].glued = true;
    if (before == T::COMMA) marks_[i].breakable = true;
    if (before == T::LPAREN || before == T::LBRACKET) marks_[i].keeps_break = true;
    marks_[i].closes = type == T::RPAREN || type == T::RBRACKET;
  }

  const std::vector<Token>& t_;
  std::vector<Mark> marks_;
};

}  // namespace

std::vector<Mark> layout(const std::vector<Token>& tokens) { return Marker(tokens).run(); }

}  // namespace agp::syntax::detail
