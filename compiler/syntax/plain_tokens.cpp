#include "compiler/syntax/plain_tokens.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace agp::syntax::detail {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
constexpr bool is_word_end(char c) { return is_letter(c) || is_digit(c); }
constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
/// What the lexer's NonAscii takes: U+0001 stands for every byte beyond ASCII.
constexpr bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80 || c == 1; }

constexpr std::size_t longest_unit = 3;  // `KiB`

const std::unordered_map<std::string_view, T>& keywords() {
  static const auto table = [] {
    std::unordered_map<std::string_view, T> out;
    for (unsigned type = 0; type < token_types; ++type)
      if (const std::string_view spelling = token_spellings[type]; !spelling.empty() && is_letter(spelling.front()))
        out.emplace(spelling, static_cast<T>(type));
    return out;
  }();
  return table;
}

/// Letters, digits, `_`, `-` and `.` up to something else.
T word(std::string_view run) {
  if (!is_letter(run.front())) return std::all_of(run.begin(), run.end(), is_digit) ? T::NUMBER : T::END;
  bool dotted = false;
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (is_word_end(run[i])) continue;
    // a label ends and begins with a letter, a digit or `_`
    if (i + 1 == run.size()) return T::END;
    if (run[i] != '.') continue;
    if (!is_word_end(run[i - 1]) || !is_word_end(run[i + 1])) return T::END;
    dotted = true;
  }
  if (dotted) return T::DOTTED;
  if (const auto keyword = keywords().find(run); keyword != keywords().end()) return keyword->second;
  return run.size() <= longest_unit ? T::END : T::IDENT;
}

T string(std::string_view text, std::uint32_t begin, std::uint32_t& end) {
  for (std::size_t at = begin + 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      end = static_cast<std::uint32_t>(at + 1);
      return T::STRING;
    }
    if (text[at] == '\\' && ++at == text.size()) break;
    if (text[at] == '\n' || text[at] == '\r') break;
  }
  return T::END;  // it has no end on its line
}

T line_comment(std::string_view text, std::uint32_t begin, std::uint32_t& end) {
  const std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  end = begin + static_cast<std::uint32_t>(line.size());
  return line.starts_with("///") && !line.starts_with("////") ? T::DOC_COMMENT : T::LINE_COMMENT;
}

constexpr std::string_view signs = "{}()],:*@&|";
constexpr std::array sign_types = {T::LBRACE, T::RBRACE, T::LPAREN, T::RPAREN, T::RBRACKET, T::COMMA,
                                   T::COLON,  T::STAR,   T::ATSIGN, T::AMP,    T::PIPE};
static_assert(signs.size() == sign_types.size());

}  // namespace

T plain_token(std::string_view text, std::uint32_t begin, std::uint32_t& end) {
  const auto while_true = [&](auto test) {
    const auto stop = std::find_if_not(text.begin() + begin, text.end(), test);
    end = static_cast<std::uint32_t>(stop - text.begin());
  };
  const char first = text[begin];
  if (is_space(first)) {
    while_true(is_space);
    return T::WS;
  }
  if (is_word_end(first)) {
    while_true([](char c) { return is_word_end(c) || c == '-' || c == '.'; });
    return end < text.size() && is_beyond_ascii(text[end]) ? T::END : word(text.substr(begin, end - begin));
  }
  if (first == '"') return string(text, begin, end);
  if (text.substr(begin, 2) == "//") return line_comment(text, begin, end);
  if (const std::size_t sign = signs.find(first); sign != std::string_view::npos) {
    end = begin + 1;
    return sign_types[sign];
  }
  return T::END;
}

}  // namespace agp::syntax::detail
