// Text -> tokens. In: UTF-8. Out: the tokens the parser sees, and the comments. What is no part of the language has a
// diagnostic here and is then taken for what it resembles, so that the parser does not stumble over it once more; the
// token that stands for it, or the one before what was dropped, is marked `damaged`.
#include "compiler/syntax/lex.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/syntax/characters.hpp"

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

namespace {

class Lexer {
 public:
  Lexer(const source::Files& files, source::FileId id, Reports& reports, bool action)
      : text_(files.get(id).text), file_(id), reports_(reports), action_(action), scanner_(text_) {}

  Lexed run() {
    const auto size = static_cast<std::uint32_t>(text_.size());
    while (at_ < size) {
      std::uint32_t end = 0;
      if (action_ && text_[at_] == '/') {
        add(T::STRING, bare_word_end(at_));
        continue;
      }
      const T type = scanner_.next(at_, end);
      switch (type) {
        case T::WS:
          white_space(end);
          break;
        case T::DOC_COMMENT:
        case T::LINE_COMMENT:
        case T::BLOCK_COMMENT:
          comment(type, end);
          break;
        case T::UNCLOSED_COMMENT:
          unclosed_comment(end);
          break;
        case T::UNCLOSED_STRING:
          unclosed_string(end);
          break;
        case T::BAD_WORD:
          bad_word(end);
          break;
        case T::BAD_CHAR:
          bad_character();
          break;
        case T::DOTTED:
          dotted(end);
          break;
        default:
          add(type, end);
          break;
      }
    }
    if (foreign_spaces_ > 1 && foreign_space_at_ < reports_.all().size())
      reports_.all()[foreign_space_at_].note(
          fmt::format("{} more of these spaces follow in this file", foreign_spaces_ - 1));
    out_.tokens.push_back({size, size, T::END, true, false});
    return std::move(out_);
  }

 private:
  Span span(std::uint32_t end) const { return {file_, at_, end}; }
  std::string_view raw(std::uint32_t end) const { return text_.substr(at_, end - at_); }

  void add(T type, std::uint32_t end, bool damaged = false) {
    out_.tokens.push_back({at_, end, type, first_, damaged});
    first_ = false;
    at_ = end;
  }
  /// Leaves the characters up to `end` out; a diagnostic about them exists.
  void drop(std::uint32_t end) {
    if (!out_.tokens.empty()) out_.tokens.back().damaged = true;
    at_ = end;
  }

  void white_space(std::uint32_t end) {
    first_ = first_ || raw(end).find('\n') != std::string_view::npos;
    at_ = end;
  }
  void comment(T type, std::uint32_t end) {
    out_.comments.push_back({at_, end, type, first_, false});
    white_space(end);
  }

  void unclosed_comment(std::uint32_t end) {
    reports_.emit(kind::unterminated_comment, span(at_ + 2), "a block comment has no end")
        .labelled("begins here")
        .helped("close it with `*/`");
    drop(end);
  }

  void unclosed_string(std::uint32_t end) {
    while (end > at_ + 1 && (text_[end - 1] == ' ' || text_[end - 1] == '\t')) --end;
    reports_.emit(kind::unterminated_string, span(end), "a string has no closing quote on its line")
        .labelled("begins here")
        .helped("close it with `\"`; a string can't go on in the next line")
        .edit({file_, end, end}, "\"");
    add(T::STRING, end, true);
  }

  std::uint32_t bare_word_end(std::uint32_t from) const {
    return static_cast<std::uint32_t>(std::min(text_.find_first_of(" \t\r\n", from), text_.size()));
  }

  /// Numbers with dots that are no address: the lexer takes them for a host.
  void dotted(std::uint32_t end) {
    if (raw(end).find_first_not_of("0123456789.-") != std::string_view::npos) return add(T::DOTTED, end);
    reports_.emit(kind::malformed_number, span(end), fmt::format("`{}` is no number and no address", raw(end)))
        .labelled("not an address")
        .helped("an IPv4 address has four numbers, `10.0.1.50`; a prefix is written `10.0.0.0/8`");
    add(T::V4, end, true);
  }

  // ---- words that are none -------------------------------------------------------------------------------------

  void bad_word(std::uint32_t end) {
    // A foreign space or quote ends the word before it; a string in foreign quotes may go on behind `end`.
    while (at_ < end) {
      std::uint32_t stop = at_;
      Decoded c = decode(text_, stop);
      while (stop < end && !foreign_space(c.code) && !foreign_quote(c.code)) c = decode(text_, stop = c.end);
      if (stop > at_) {
        word(std::min(stop, end));
      } else if (foreign_space(c.code)) {
        odd_space(c);
      } else {
        odd_quote(c);
      }
    }
  }

  void odd_space(Decoded c) {
    if (foreign_spaces_++ == 0) {
      foreign_space_at_ = reports_.all().size();
      reports_
          .emit(kind::foreign_character, span(c.end),
                fmt::format("a space that is not ASCII ({}) between words", code_point_text(c.code)))
          .labelled("not an ordinary space")
          .helped("type an ordinary space")
          .edit(span(c.end), " ");
    }
    at_ = c.end;
  }

  void odd_quote(Decoded open) {
    std::uint32_t close = open.end, behind = open.end;
    for (std::uint32_t i = open.end; i < text_.size() && text_[i] != '\n' && text_[i] != '"';) {
      const Decoded c = decode(text_, i);
      if (foreign_quote(c.code)) {
        close = i;
        behind = c.end;
        break;
      }
      i = c.end;
    }
    auto& d = reports_.emit(kind::foreign_character, span(open.end),
                            fmt::format("`{}` ({}) does not open a string", raw(open.end), code_point_text(open.code)));
    d.labelled("not the ASCII quote");
    d.helped("quote with `\"`");
    d.edit(span(open.end), "\"");
    if (behind == open.end) return drop(open.end);
    d.edit({file_, close, behind}, "\"");
    add(T::STRING, behind, true);
  }

  /// One word up to `end`, of characters that make no token.
  void word(std::uint32_t end) {
    std::string plain;
    Decoded foreign;
    std::uint32_t foreign_at = 0;
    bool all_twins = true;
    for (std::uint32_t i = at_; i < end;) {
      const Decoded c = decode(text_, i);
      if (c.code < 0x80) {
        plain += static_cast<char>(c.code);
      } else if (!hidden(c.code)) {  // hidden ones have their diagnostic
        if (foreign.end == 0) foreign = c, foreign_at = i;
        const std::string_view twin = ascii_twin(c.code);
        all_twins = all_twins && !twin.empty();
        plain += twin.empty() ? std::string_view("x") : twin;
      }
      i = c.end;
    }
    if (plain.empty()) return drop(end);
    if (foreign.end != 0) {
      auto& d =
          reports_.emit(kind::foreign_character, {file_, foreign_at, foreign.end},
                        fmt::format("`{}` contains `{}` ({}), which is not ASCII", raw(end),
                                    text_.substr(foreign_at, foreign.end - foreign_at), code_point_text(foreign.code)));
      d.labelled(all_twins ? fmt::format("looks like `{}`", ascii_twin(foreign.code)) : "not ASCII");
      d.helped(all_twins ? fmt::format("write `{}`", plain)
                         : std::string("use ASCII letters, digits, `_` and `-`; other text stands in quotes"));
      if (all_twins) d.edit(span(end), plain);
    }
    const T type = type_of(plain);
    if (foreign.end != 0) return add(type == T::BAD_WORD ? T::IDENT : type, end, true);
    if (type != T::BAD_WORD) return add(type, end, true);
    odd_ascii_word(plain, end);
  }

  /// The type of a text that is one token by itself.
  static T type_of(std::string_view text) {
    Scanner scanner(text);
    std::uint32_t end = 0;
    const T type = scanner.next(0, end);
    return end == text.size() && type != T::BAD_CHAR ? type : T::BAD_WORD;
  }

  void odd_ascii_word(std::string_view plain, std::uint32_t end) {
    if (plain == "-") {
      reports_.emit(kind::syntax_error, span(end), "a `-` stands alone")
          .labelled("not part of a range")
          .helped("a range is written without spaces: `8000-8999`, `10.0.0.1-10.0.0.9`");
      return drop(end);
    }
    const bool number = plain.front() >= '0' && plain.front() <= '9';
    const bool tail = plain.back() == '-' || plain.back() == '.';
    if (number) {
      reports_.emit(kind::malformed_number, span(end), fmt::format("`{}` is no number, address or date", plain))
          .labelled("not a number")
          .helped("numbers are `443` or `0x1bb`, ranges `8000-8999`, dates `2027-01-31`, addresses `10.0.1.50`");
      return add(T::NUMBER, end, true);
    }
    auto& d = reports_.emit(kind::syntax_error, span(end),
                            tail ? fmt::format("the name `{}` ends with `{}`", plain, plain.back())
                                 : fmt::format("`{}` is no name", plain));
    d.labelled("not a name");
    if (const std::size_t last = plain.find_last_not_of("-."); tail && last != std::string_view::npos) {
      const std::string_view kept = plain.substr(0, last + 1);
      d.helped(fmt::format("write `{}`", kept)).edit(span(end), std::string(kept));
      return add(type_of(kept), end, true);
    }
    d.helped("names are letters, digits, `_` and `-`; the first is a letter or `_`, the last is not `-`");
    add(T::IDENT, end, true);
  }

  // ---- characters that begin nothing -----------------------------------------------------------------------------

  void bad_character() {
    const char c = text_[at_];
    const std::uint32_t next = at_ + 1;
    if (hidden(static_cast<unsigned char>(c))) return drop(next);
    if (c == '/' || c == '~' || (c == '.' && next < text_.size() && (text_[next] == '/' || text_[next] == '.')))
      return bare_path();
    if (c == '\'') {
      const std::size_t line = std::min(text_.find('\n', at_), text_.size());
      const std::size_t close = text_.find('\'', next);
      if (close < line) return single_quoted(static_cast<std::uint32_t>(close) + 1);
    }
    auto& d = reports_.emit(kind::syntax_error, span(next), fmt::format("`{}` is no part of the language", c));
    d.labelled("unexpected character");
    if (c == ';') {
      d.helped("remove it: a statement ends where the next begins").edit(span(next), "");
    } else if (c == '#') {
      d.helped("a comment begins with `//`").edit(span(next), "//");
      const std::size_t line = std::min(text_.find('\n', at_), text_.size());
      return drop(static_cast<std::uint32_t>(line));
    } else if (c == '$') {
      d.helped("a value is inserted inside a string: `\"${workspace}/**\"`; elsewhere write its name alone");
    } else {
      d.helped("remove it, or put the text it belongs to in quotes");
    }
    drop(next);
  }

  void bare_path() {
    std::uint32_t end = at_;
    while (end < text_.size() && std::string_view(" \t\r\n\",").find(text_[end]) == std::string_view::npos) ++end;
    reports_.emit(kind::syntax_error, span(end), fmt::format("the path `{}` has no quotes", raw(end)))
        .labelled("not in quotes")
        .helped(fmt::format("write `\"{}\"`", raw(end)))
        .edit(span(end), fmt::format("\"{}\"", raw(end)));
    add(T::STRING, end, true);
  }

  void single_quoted(std::uint32_t end) {
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 2);
    reports_.emit(kind::syntax_error, span(end), "a string is quoted with `'`")
        .labelled("not a string")
        .helped(fmt::format("write `\"{}\"`", inside))
        .edit(span(end), fmt::format("\"{}\"", inside));
    add(T::STRING, end, true);
  }

  std::string_view text_;
  source::FileId file_;
  Reports& reports_;
  bool action_;
  Scanner scanner_;
  Lexed out_;
  std::uint32_t at_ = 0;
  bool first_ = true;
  std::size_t foreign_spaces_ = 0, foreign_space_at_ = 0;
};

}  // namespace

Lexed lex(const source::Files& files, source::FileId id, Reports& reports, bool action) {
  return Lexer(files, id, reports, action).run();
}

}  // namespace agp::syntax::detail
