// A damaged stretch of a text -> the pieces that were probably meant. In: tokens with matching braces. Out: slices, one
// a statement, so that a mistake in one costs nothing in the others. A guess, by the words that begin something and by
// the layout; a wrong guess can only change how many diagnostics a wrong text gets.
#include "compiler/syntax/split.hpp"

#include <algorithm>

#include "compiler/syntax/braces.hpp"

namespace agp::syntax::detail {

namespace {

bool effect(T type) { return type == T::ALLOW || type == T::ASK || type == T::DENY; }
bool word_token(T type) { return type == T::IDENT || (type >= T::ALLOW && type <= T::UNIT); }
bool named(T type) { return word_token(type) || type == T::DOTTED; }
bool number(T type) { return type == T::NUMBER || type == T::QUANTITY || type == T::DECIMAL; }
bool block_word(T type) { return type >= T::FILE && type <= T::RUN; }

class Splitter {
 public:
  Splitter(Pieces pieces, std::string_view text, const std::vector<Token>& tokens, std::uint32_t end)
      : pieces_(pieces), text_(text), t_(tokens), end_(end) {}

  std::vector<Slice> run(std::uint32_t begin) {
    std::vector<Slice> out;
    int depth = 0;
    measure(begin);
    for (std::uint32_t i = begin; i < end_; ++i) {
      const bool after_block = depth == 0 && i > begin && t_[i - 1].type == T::RBRACE;
      if (i == begin || after_block || (depth == 0 && begins(out.back().begin, i))) {
        if (!out.empty()) out.back().end = i;
        out.push_back({i, end_});
        brackets_ = 0;
      }
      if (t_[i].type == T::LPAREN || t_[i].type == T::LBRACKET) ++brackets_;
      if (t_[i].type == T::RPAREN || t_[i].type == T::RBRACKET) --brackets_;
      if (t_[i].type == T::LBRACE) ++depth;
      if (t_[i].type == T::RBRACE) --depth;
    }
    return out;
  }

 private:
  T at(std::uint32_t i) const { return i < end_ ? t_[i].type : T::END; }

  /// How deep the pieces stand: the least indented line outside of braces.
  void measure(std::uint32_t begin) {
    int depth = 0;
    indent_ = 0xffffffffu;
    for (std::uint32_t i = begin; i < end_; ++i) {
      if (t_[i].type == T::RBRACE) --depth;
      if (t_[i].first && depth == 0) indent_ = std::min(indent_, indentation(text_, t_[i]));
      if (t_[i].type == T::LBRACE) ++depth;
    }
  }

  bool same_text(std::uint32_t a, std::uint32_t b) const {
    const auto raw = [&](std::uint32_t i) { return text_.substr(t_[i].begin, t_[i].end - t_[i].begin); };
    return t_[a].type == t_[b].type && raw(a) == raw(b);
  }

  /// Does a piece begin at `i`, when the one before began at `start`?
  bool begins(std::uint32_t start, std::uint32_t i) const {
    const Token& token = t_[i];
    // A doubled first word is a mistake of this piece, not a piece of its own.
    if (i == start + 1 && !token.first && same_text(start, i)) return false;
    if (token.type == T::LBRACE) {
      const T before = t_[i - 1].type;
      // Behind a line with more than the name of a block, such as the list of `mode`, it stands without a name.
      if (pieces_ == Pieces::Statements && token.first && block_word(before) && !t_[i - 1].first) return true;
      return pieces_ == Pieces::Statements && !block_word(before) && before != T::DENY && before != T::IDENT &&
             before != T::ON;
    }
    if (token.first && (named(token.type) || number(token.type) || token.type == T::STRING) && new_line(i)) return true;
    return starter(i);
  }

  /// Does the line that begins with token i begin a piece? Items rarely go on in a second line; of other pieces the
  /// second line is indented by two columns at least.
  bool new_line(std::uint32_t i) const {
    const T before = t_[i - 1].type;
    if (before == T::COMMA || before == T::LBRACKET || before == T::LPAREN) return false;
    if (pieces_ == Pieces::Items)
      return before != T::COLON && before != T::ASSIGN && brackets_ == 0 && t_[i].type != T::AS && t_[i].type != T::FOR;
    return indentation(text_, t_[i]) < indent_ + 2;
  }

  /// A word that begins a piece whatever the layout, or that does so with what follows it.
  bool starter(std::uint32_t i) const {
    const T type = t_[i].type, next = at(i + 1), before = t_[i - 1].type;
    switch (pieces_) {
      case Pieces::Items:
        return item_starter(i);
      case Pieces::Statements:
        return statement_starter(type, next, before) && (!block_word(type) || t_[i].first || !t_[i + 1].first);
      case Pieces::Rules:
        return effect(type);
      case Pieces::NetEntries:
        return effect(type) || (type == T::RESOLVER && next != T::COLON && (t_[i].first || next >= T::V4));
      case Pieces::EnvEntries:
        return effect(type) || (type == T::SET && next == T::STRING);
      case Pieces::LimitEntries:
        if (type == T::UNIT && before == T::NUMBER) return false;
        return word_token(type) && before != T::COMMA && (number(next) || (i + 1 < end_ && same_text(i, i + 1)));
      case Pieces::RunEntries:
        switch (type) {
          case T::COMMAND:
          case T::WORKDIR:
          case T::ROOTFS:
          case T::HOSTNAME:
          case T::CGROUP:
          case T::INTERFACE:
            return next == T::STRING;
          case T::USER:
            return next == T::NUMBER;
          case T::MOUNT:
            return next == T::STRING || next == T::TMPFS;
          default:
            return false;
        }
      case Pieces::OnDenyEntries:
        return (type == T::ALERT && word_token(next)) || (type == T::LOG && before != T::COMMA && before != T::FOR);
      case Pieces::InvariantLines:
        return (type == T::NEVER || type == T::ONLY || type == T::REQUIRE) && word_token(next) && before != T::COMMA;
    }
    return false;
  }

  bool item_starter(std::uint32_t i) const {
    const T next = at(i + 1), then = at(i + 2);
    switch (t_[i].type) {
      case T::AGP:
        return next == T::NUMBER && t_[i].first;
      case T::USE:
        return next == T::DOTTED || next == T::STRING;
      case T::LET:
        return word_token(next) && then == T::ASSIGN;
      case T::PARAM:
        return word_token(next) && then == T::COLON;
      case T::POLICY:
        return word_token(next) && then == T::LBRACE;
      case T::FRAGMENT:
      case T::TEST:
        return named(next) && (then == T::LBRACE || then == T::LPAREN);
      case T::INVARIANT:
        return word_token(next) && (then == T::LBRACE || then == T::FOR);
      default:
        return false;
    }
  }

  static bool statement_starter(T type, T next, T before) {
    switch (type) {
      case T::ON:
        return next == T::DENY;
      case T::OWNER:
      case T::SATISFIES:
        return next == T::STRING;
      case T::ISOLATION:
        return next >= T::PROCESS && next <= T::EPHEMERAL;
      case T::MODE:
        return next == T::ENFORCE || next == T::AUDIT;
      case T::INCLUDE:
        return named(next) && before != T::INCLUDE;
      case T::ACCEPT:
        return next == T::UNENFORCED || next == T::WIDER || next == T::NARROWER;
      default:
        return block_word(type) && next == T::LBRACE;
    }
  }

  Pieces pieces_;
  std::string_view text_;
  const std::vector<Token>& t_;
  std::uint32_t end_;
  std::uint32_t indent_ = 0;  ///< of the pieces
  int brackets_ = 0;          ///< open since the piece began
};

}  // namespace

std::vector<Slice> split(Pieces pieces, std::string_view text, const std::vector<Token>& tokens, std::uint32_t begin,
                         std::uint32_t end) {
  if (begin >= end) return {};
  return Splitter(pieces, text, tokens, end).run(begin);
}

}  // namespace agp::syntax::detail
