// Tokens -> their meaning. In: the text of one token. Out: an AST leaf. What the lexer let through and is wrong inside
// (an unknown escape, a malformed `${…}`) is reported here, at its own characters; the rest of the literal is kept.
#include "compiler/syntax/literals.hpp"

#include <fmt/format.h>

#include <limits>

#include "compiler/diagnostics/kinds.hpp"

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

namespace {

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

/// Reads one string literal from left to right.
class StringReader {
 public:
  StringReader(std::string_view raw, Span span, Reports& reports) : raw_(raw), reports_(reports) { out_.span = span; }

  String read() {
    std::size_t end = raw_.size();
    if (!raw_.empty() && raw_.front() == '"') {
      at_ = 1;
      if (end > 1 && raw_.back() == '"') --end;
    }
    raw_ = raw_.substr(0, end);
    while (at_ < raw_.size()) {
      const std::size_t begin = at_;
      if (raw_[at_] == '\\') {
        escape();
      } else if (raw_[at_] == '$' && at_ + 1 < raw_.size() && raw_[at_ + 1] == '{') {
        interpolation();
      } else {
        while (at_ < raw_.size() && raw_[at_] != '\\' && !(raw_.substr(at_, 2) == "${")) ++at_;
        add(StringPiece::Kind::Text, std::string(raw_.substr(begin, at_ - begin)), begin);
      }
    }
    return std::move(out_);
  }

 private:
  Span at(std::size_t begin, std::size_t end) const {
    const auto base = out_.span.begin;
    return {out_.span.file, base + static_cast<std::uint32_t>(begin), base + static_cast<std::uint32_t>(end)};
  }

  void add(StringPiece::Kind piece, std::string text, std::size_t begin) {
    const Span span = at(begin, at_);
    if (piece != StringPiece::Kind::Interpolation && !out_.pieces.empty() && out_.pieces.back().kind == piece) {
      out_.pieces.back().text += text;
      out_.pieces.back().span.end = span.end;
    } else {
      out_.pieces.push_back({piece, std::move(text), span});
    }
  }

  void escape() {
    const std::size_t begin = at_++;
    const char c = at_ < raw_.size() ? raw_[at_] : '\0';
    constexpr std::string_view literal = "\"\\*?{}$";
    if (at_ < raw_.size() && literal.find(c) != std::string_view::npos) {
      ++at_;
      add(StringPiece::Kind::Escaped, std::string(1, c), begin);
    } else if (c == 'n' || c == 't') {
      ++at_;
      add(StringPiece::Kind::Escaped, c == 'n' ? "\n" : "\t", begin);
    } else if (c == 'u') {
      code_point(begin);
    } else {
      // One whole character, so that the span does not end inside its UTF-8.
      if (at_ < raw_.size()) ++at_;
      while (at_ < raw_.size() && (static_cast<unsigned char>(raw_[at_]) & 0xc0) == 0x80) ++at_;
      const std::string typed(raw_.substr(begin, at_ - begin));
      auto& d = reports_.emit(kind::unknown_escape, at(begin, at_), fmt::format("`{}` is no escape", typed));
      d.labelled("unknown escape");
      d.note("the escapes are `\\\"` `\\\\` `\\n` `\\t` `\\u{…}`, and `\\*` `\\?` `\\{` `\\}` `\\$` in patterns");
      d.helped(fmt::format("for a backslash, write `\\\\{}`", typed.substr(1)));
      d.edit(at(begin, begin + 1), "\\\\");
    }
  }

  void code_point(std::size_t begin) {
    ++at_;
    std::size_t close = at_;
    std::uint32_t value = 0;
    bool good = close < raw_.size() && raw_[close] == '{';
    if (good) ++close;
    const std::size_t first = close;
    while (good && close < raw_.size() && raw_[close] != '}') {
      const int h = hex_digit(raw_[close]);
      if (h < 0) break;
      value = value > 0x10ffff ? value : value * 16 + static_cast<std::uint32_t>(h);
      ++close;
    }
    good = good && close < raw_.size() && raw_[close] == '}' && close > first;
    if (!good) {
      at_ = std::max(at_, std::min(close, raw_.size()));
      reports_
          .emit(kind::unknown_escape, at(begin, at_), fmt::format("`{}` is no escape", raw_.substr(begin, at_ - begin)))
          .labelled("expected hexadecimal digits in braces")
          .helped("a code point is written `\\u{41}`");
      return;
    }
    at_ = close + 1;
    const std::string typed(raw_.substr(begin, at_ - begin));
    if (value == 0) {
      reports_.emit(kind::unknown_escape, at(begin, at_), fmt::format("`{}` is a NUL, which no string may hold", typed))
          .labelled("NUL")
          .helped("remove it: paths, names, variables and arguments end at a NUL");
    } else if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
      reports_.emit(kind::unknown_escape, at(begin, at_), fmt::format("`{}` is no Unicode character", typed))
          .labelled("not a code point")
          .helped("code points are `\\u{1}` to `\\u{10FFFF}` without `\\u{D800}` to `\\u{DFFF}`");
    } else {
      std::string text;
      append_utf8(text, value);
      add(StringPiece::Kind::Escaped, std::move(text), begin);
    }
  }

  void interpolation() {
    const std::size_t begin = at_;
    std::size_t end = at_ + 2;
    while (end < raw_.size() && (letter(raw_[end]) || digit(raw_[end]) || raw_[end] == '-' || raw_[end] == '.')) ++end;
    const std::string_view name = raw_.substr(begin + 2, end - begin - 2);
    if (end < raw_.size() && raw_[end] == '}' && good_name(name)) {
      at_ = end + 1;
      add(StringPiece::Kind::Interpolation, std::string(name), begin);
      return;
    }
    const std::size_t close = raw_.find('}', begin);
    at_ = close == std::string_view::npos ? raw_.size() : close + 1;
    auto& d = reports_.emit(kind::malformed_interpolation, at(begin, at_),
                            close == std::string_view::npos
                                ? std::string("`${` has no closing `}`")
                                : fmt::format("`{}` does not hold a name", raw_.substr(begin, at_ - begin)));
    d.labelled("expected the name of a parameter or constant in braces");
    d.helped("insert a value with `${name}`; for the characters themselves write `\\${`");
  }

  static bool good_name(std::string_view text) {
    while (true) {
      const std::size_t dot = text.find('.');
      if (!is_identifier(text.substr(0, dot))) return false;
      if (dot == std::string_view::npos) return true;
      text.remove_prefix(dot + 1);
    }
  }

  std::string_view raw_;
  Reports& reports_;
  String out_;
  std::size_t at_ = 0;
};

std::uint64_t decimal(std::string_view text, bool& overflow) {
  constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto d = static_cast<std::uint64_t>(c - '0');
    if (value > (top - d) / 10) {
      overflow = true;
      return top;
    }
    value = value * 10 + d;
  }
  return value;
}

}  // namespace

bool is_identifier(std::string_view text) {
  if (text.empty() || !letter(text.front()) || text.back() == '-') return false;
  for (const char c : text)
    if (!letter(c) && !digit(c) && c != '-') return false;
  return true;
}

String string_literal(std::string_view raw, Span span, Reports& reports) {
  return StringReader(raw, span, reports).read();
}

Number number_literal(std::string_view raw, Span span) {
  Number out;
  out.span = span;
  if (raw.substr(0, 2) != "0x") {
    out.value = decimal(raw, out.overflow);
    return out;
  }
  for (const char c : raw.substr(2)) {
    if (out.value >> 60 != 0) {
      out.overflow = true;
      out.value = std::numeric_limits<std::uint64_t>::max();
      break;
    }
    out.value = out.value * 16 + static_cast<std::uint64_t>(hex_digit(c));
  }
  return out;
}

Date date_literal(std::string_view raw, Span span) {
  bool overflow = false;
  const auto part = [&](std::size_t from, std::size_t size) {
    return static_cast<int>(decimal(raw.substr(from, size), overflow));
  };
  return {part(0, 4), part(5, 2), part(8, 2), span};
}

PortRange range_literal(std::string_view raw, Span span) {
  bool overflow = false;  // the largest value is out of every range that a port may have
  const std::size_t dash = raw.find('-');
  return {decimal(raw.substr(0, dash), overflow), decimal(raw.substr(dash + 1), overflow), span};
}

Address address_literal(std::string_view raw, Span span) {
  Address out;
  out.span = span;
  const bool six = raw.front() == '[';
  const std::size_t dash = six ? raw.find("]-[") : raw.find('-');
  if (dash != std::string_view::npos) {
    out.kind = six ? Address::Kind::V6Range : Address::Kind::V4Range;
    out.text = six ? raw.substr(1, dash - 1) : raw.substr(0, dash);
    out.text2 = six ? raw.substr(dash + 3, raw.size() - dash - 4) : raw.substr(dash + 1);
    return out;
  }
  out.text = six ? raw.substr(1, raw.size() - 2) : raw;
  const bool prefix = out.text.find('/') != std::string::npos;
  out.kind = six ? (prefix ? Address::Kind::V6Prefix : Address::Kind::V6)
                 : (prefix ? Address::Kind::V4Prefix : Address::Kind::V4);
  return out;
}

QualifiedName dotted_literal(std::string_view raw, Span span) {
  QualifiedName out;
  out.span = span;
  std::size_t begin = 0;
  while (true) {
    const std::size_t dot = std::min(raw.find('.', begin), raw.size());
    const auto at = [&](std::size_t i) { return span.begin + static_cast<std::uint32_t>(i); };
    out.parts.push_back({std::string(raw.substr(begin, dot - begin)), {span.file, at(begin), at(dot)}});
    if (dot == raw.size()) return out;
    begin = dot + 1;
  }
}

Value quantity(Number number, std::string_view unit, Span span, Reports& reports) {
  if (number.overflow)
    reports.emit(kind::malformed_number, number.span, "the number does not fit 64 bits")
        .labelled("larger than 18446744073709551615")
        .helped("use a larger unit");
  const bool time = unit == "s" || unit == "min" || unit == "h" || unit == "d";
  if (time) return {Duration{number.value, std::string(unit), span}, span};
  return {Size{number.value, std::string(unit), span}, span};
}

}  // namespace agp::syntax::detail
