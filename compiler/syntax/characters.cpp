// Bytes -> characters that may stand in a policy. In: any bytes. Out: true when they are UTF-8 within the limit; every
// character that would make the text read otherwise than it is has a diagnostic, in comments too, because that is where
// a reviewer is misled (bidirectional overrides in comments: CVE-2021-42574).
#include "compiler/syntax/characters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/diagnostics/kinds.hpp"

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

Decoded decode(std::string_view text, std::uint32_t at) {
  const auto byte = [&](std::uint32_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const std::uint32_t first = byte(at);
  if (first < 0x80) return {first, at + 1, true};
  std::uint32_t more = 0, code = 0, least = 0;
  if (first >= 0xc2 && first < 0xe0) {
    more = 1, code = first & 0x1f, least = 0x80;
  } else if (first >= 0xe0 && first < 0xf0) {
    more = 2, code = first & 0x0f, least = 0x800;
  } else if (first >= 0xf0 && first < 0xf5) {
    more = 3, code = first & 0x07, least = 0x10000;
  } else {
    return {first, at + 1, false};
  }
  for (std::uint32_t i = 1; i <= more; ++i) {
    const std::uint32_t next = byte(at + i);
    if ((next & 0xc0) != 0x80) return {first, at + 1, false};
    code = code << 6 | (next & 0x3f);
  }
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {first, at + 1, false};
  return {code, at + more + 1, true};
}

namespace {
struct Range {
  char32_t first, last;
};
template <std::size_t N>
bool within(const std::array<Range, N>& table, char32_t code) {
  const auto it =
      std::lower_bound(table.begin(), table.end(), code, [](const Range& r, char32_t c) { return r.last < c; });
  return it != table.end() && it->first <= code;
}

// Unicode 15.0: general categories Cc and Cf with the property Default_Ignorable_Code_Point or Bidi_Control, the line
// and paragraph separators, and the variation selectors but U+FE0E and U+FE0F, which ordinary emoji carry.
constexpr std::array<Range, 20> hidden_table = {
    {{0x00, 0x08},     {0x0b, 0x0c},     {0x0e, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},
     {0x34f, 0x34f},   {0x61c, 0x61c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},
     {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},   {0xfe00, 0xfe0d},
     {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}}};
constexpr std::array<Range, 6> space_table = {
    {{0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}}};
constexpr std::array<Range, 3> quote_table = {{{0xab, 0xab}, {0xbb, 0xbb}, {0x2018, 0x201f}}};

struct Twin {
  char32_t code;
  std::string_view ascii;
};
// Letters of Cyrillic, Greek and Armenian that usual fonts draw like a Latin one, and what word processors put for
// dashes, stars and slashes (a selection of Unicode's confusables.txt, 15.0).
constexpr std::array<Twin, 63> twins = {{
    {0x391, "A"},  {0x392, "B"},  {0x395, "E"},  {0x396, "Z"},  {0x397, "H"},  {0x399, "I"},  {0x39a, "K"},
    {0x39c, "M"},  {0x39d, "N"},  {0x39f, "O"},  {0x3a1, "P"},  {0x3a4, "T"},  {0x3a5, "Y"},  {0x3a7, "X"},
    {0x3b1, "a"},  {0x3b9, "i"},  {0x3bd, "v"},  {0x3bf, "o"},  {0x3c1, "p"},  {0x3c5, "u"},  {0x3f2, "c"},
    {0x405, "S"},  {0x406, "I"},  {0x408, "J"},  {0x410, "A"},  {0x412, "B"},  {0x415, "E"},  {0x41a, "K"},
    {0x41c, "M"},  {0x41d, "H"},  {0x41e, "O"},  {0x420, "P"},  {0x421, "C"},  {0x422, "T"},  {0x425, "X"},
    {0x430, "a"},  {0x435, "e"},  {0x43e, "o"},  {0x440, "p"},  {0x441, "c"},  {0x443, "y"},  {0x445, "x"},
    {0x455, "s"},  {0x456, "i"},  {0x458, "j"},  {0x4bb, "h"},  {0x4cf, "l"},  {0x501, "d"},  {0x51b, "q"},
    {0x51d, "w"},  {0x566, "q"},  {0x578, "n"},  {0x57d, "u"},  {0x585, "o"},  {0x131, "i"},  {0x2010, "-"},
    {0x2011, "-"}, {0x2012, "-"}, {0x2013, "-"}, {0x2014, "-"}, {0x2212, "-"}, {0x2217, "*"}, {0x2044, "/"},
}};
}  // namespace

bool hidden(char32_t code) { return code >= 0x20 && code < 0x7f ? false : within(hidden_table, code); }
bool foreign_space(char32_t code) { return within(space_table, code); }
bool foreign_quote(char32_t code) { return within(quote_table, code); }

std::string_view ascii_twin(char32_t code) {
  static constexpr std::string_view ascii =
      "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
  if (code >= 0xff01 && code <= 0xff5e) return ascii.substr(code - 0xff01, 1);  // the full-width forms
  for (const Twin& twin : twins)
    if (twin.code == code) return twin.ascii;
  return {};
}

std::string code_point_text(char32_t code) { return fmt::format("U+{:04X}", static_cast<std::uint32_t>(code)); }

namespace {

/// What a hidden character is called; every entry of the table above falls under one of these.
std::string hidden_name(char32_t code) {
  if (code == 0) return "a NUL";
  if (code == '\r') return "a carriage return without a line feed";
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return "a control character";
  if (code == 0xfeff) return "a byte order mark";
  if (code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069))
    return "a character that changes the direction of the text";
  return "an invisible character";
}

/// Most of a policy; nothing to decode.
bool printable(char c) { return c >= ' ' && c < 0x7f; }

bool check_utf8(std::string_view text, source::FileId id, Reports& reports) {
  for (std::uint32_t at = 0; at < text.size();) {
    if (printable(text[at])) {
      ++at;
      continue;
    }
    const Decoded c = decode(text, at);
    if (!c.valid) {
      reports
          .emit(kind::invalid_utf8, {id, at, at + 1},
                fmt::format("the byte 0x{:02x} at offset {} is not UTF-8", static_cast<std::uint32_t>(c.code), at))
          .labelled("not UTF-8 from here")
          .helped("save the file as UTF-8");
      return false;
    }
    at = c.end;
  }
  return true;
}

void check_hidden(std::string_view text, source::FileId id, Reports& reports) {
  constexpr std::size_t shown = 10;
  std::size_t count = 0;
  for (std::uint32_t at = 0; at < text.size();) {
    if (printable(text[at])) {
      ++at;
      continue;
    }
    const Decoded c = decode(text, at);
    const bool lone_return = c.code == '\r' && text.substr(at, 2) != "\r\n";
    if ((hidden(c.code) || lone_return) && ++count <= shown) {
      auto& d = reports.emit(kind::hidden_character, {id, at, c.end},
                             fmt::format("{} ({}) in the text", hidden_name(c.code), code_point_text(c.code)));
      d.labelled("here, at byte " + std::to_string(at));
      d.helped(c.code == 0xfeff && at == 0
                   ? "save the file without a byte order mark"
                   : "remove it; where a string needs it, write it as an escape such as `\\u{9}`");
      d.edit({id, at, c.end}, "");
    }
    at = c.end;
  }
  if (count > shown) reports.all().back().note(fmt::format("{} more of them follow in this file", count - shown));
}

}  // namespace

bool check_characters(const source::Files& files, source::FileId id, Reports& reports, const Limits& limits) {
  const std::string_view text = files.get(id).text;
  if (text.size() > limits.file_bytes) {
    reports
        .emit(kind::file_too_large, {id, 0, 0},
              fmt::format("`{}` has {} bytes, the limit is {}", files.get(id).path, text.size(), limits.file_bytes))
        .helped("split the file with `use`, or raise `file-size` under `[limits]` in agp.toml");
    return false;
  }
  if (!check_utf8(text, id, reports)) return false;
  check_hidden(text, id, reports);
  return true;
}

}  // namespace agp::syntax::detail
