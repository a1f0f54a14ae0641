#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/syntax/parse.hpp"
#include "compiler/syntax/reports.hpp"

/// Bytes and characters, before there are tokens. Internal to compiler/syntax.
namespace agp::syntax::detail {

/// One code point of a text and where its bytes end.
struct Decoded {
  char32_t code = 0;
  std::uint32_t end = 0;
  bool valid = true;
};
/// The code point that begins at `at`; when the bytes there are no UTF-8 (RFC 3629: no overlong forms, no surrogates,
/// nothing above U+10FFFF), `valid` is false and one byte is taken.
Decoded decode(std::string_view text, std::uint32_t at);

/// Controls, bidirectional and invisible characters: what makes a text read otherwise than it is.
bool hidden(char32_t code);
/// Spaces other than U+0020.
bool foreign_space(char32_t code);
/// “ ” „ ‘ ’ « » and their kin.
bool foreign_quote(char32_t code);
/// The ASCII text that the character looks like; empty where none does.
std::string_view ascii_twin(char32_t code);
/// "U+202E".
std::string code_point_text(char32_t code);

/// Size, UTF-8, hidden characters. False when the text must not be parsed; hidden characters are reported and leave it
/// parseable.
bool check_characters(const source::Files& files, source::FileId id, Reports& reports, const Limits& limits);

}  // namespace agp::syntax::detail
