// In: text that a policy, a path or a configuration brought. Out: text that a terminal, a log or a build server shows
// as characters and never obeys. Every renderer but the JSON ones (whose strings are escaped by JSON) goes through
// here.
#include "compiler/diagnostics/text.hpp"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>

namespace agp::diagnostics {
namespace {

struct CodePoint {
  std::int32_t value = -1;  ///< -1: the byte is not the start of a character
  std::size_t size = 1;
};

CodePoint decode(std::string_view text, std::size_t at) {
  utf8proc_int32_t value = -1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
  const auto left = static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size() - at, 4));
  const utf8proc_ssize_t size = utf8proc_iterate(bytes, left, &value);
  if (size <= 0 || value < 0) return {};
  return {value, static_cast<std::size_t>(size)};
}

/// Characters of other categories that show as nothing (Default_Ignorable_Code_Point of the Unicode Character
/// Database).
bool ignorable(std::int32_t c) {
  return c == 0x34f || (c >= 0x115f && c <= 0x1160) || (c >= 0x17b4 && c <= 0x17b5) || (c >= 0x180b && c <= 0x180f) ||
         c == 0x3164 || c == 0xffa0 || (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

bool printable(std::int32_t c) {
  if (c >= 0x20 && c < 0x7f) return true;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
      return false;
    default:
      return !ignorable(c);
  }
}

/// At the second `#` of `##`: does `[`, or a word and `[`, follow? GitHub's and Azure's runners look for these anywhere
/// in a line.
bool begins_command(std::string_view text, std::size_t at) {
  if (at == 0 || text[at] != '#' || text[at - 1] != '#') return false;
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '[') return true;
    if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z'))) return false;
  }
  return false;
}

}  // namespace

std::vector<Glyph> glyphs(std::string_view text) {
  std::vector<Glyph> out;
  out.reserve(text.size());
  unsigned column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode(text, at);
    Glyph glyph{{}, 0, at, at + c.size};
    if (c.value < 0) {
      glyph.shown = fmt::format("\\x{{{:02x}}}", static_cast<unsigned char>(text[at]));
      glyph.width = static_cast<unsigned>(glyph.shown.size());
    } else if (c.value == '\t') {
      glyph.width = 4 - column % 4;
      glyph.shown.assign(glyph.width, ' ');
    } else if (!printable(c.value) || begins_command(text, at)) {
      glyph.shown = fmt::format("\\u{{{:x}}}", c.value);
      glyph.width = static_cast<unsigned>(glyph.shown.size());
    } else {
      glyph.shown = text.substr(at, c.size);
      glyph.width = static_cast<unsigned>(std::max(0, utf8proc_charwidth(c.value)));
    }
    column += glyph.width;
    at = glyph.end;
    out.push_back(std::move(glyph));
  }
  return out;
}

std::string visible(std::string_view text) {
  std::string out;
  for (const Glyph& glyph : glyphs(text)) {
    const char first = text[glyph.begin];
    if (first == '\t')
      out += "\\t";
    else if (first == '\n')
      out += "\\n";
    else
      out += glyph.shown;
  }
  return out;
}

unsigned display_width(std::string_view text) {
  unsigned width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode(text, at);
    width += c.value < 0 ? 1 : static_cast<unsigned>(std::max(0, utf8proc_charwidth(c.value)));
    at += c.size;
  }
  return width;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode(text, at);
    if (c.value < 0)
      out += "\xef\xbf\xbd";
    else
      out += text.substr(at, c.size);
    at += c.size;
  }
  return out;
}

std::vector<std::string> wrap(std::string_view text, unsigned width, unsigned first) {
  if (width == 0) return {std::string(text)};
  std::vector<std::string> lines(1);
  unsigned used = first;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const unsigned columns = display_width(word);
    const bool starts = used == (lines.size() == 1 ? first : 0) && lines.back().empty();
    const bool may_begin = word.empty() || (word[0] != ':' && word[0] != '#');
    if (!starts && used + 1 + columns > width && may_begin && !word.empty()) {
      lines.emplace_back(word);
      used = columns;
    } else {
      if (!starts) lines.back() += ' ', ++used;
      lines.back() += word;
      used += columns;
    }
    at = end + 1;
  }
  return lines;
}

std::string line_text(const source::Files& files, source::Span span) {
  if (!span.known()) return {};
  const std::string_view all = files.get(span.file).text;
  const std::size_t at = std::min<std::size_t>(span.begin, all.size());
  const std::size_t begin = at == 0 ? 0 : all.rfind('\n', at - 1) + 1;
  const std::size_t end = std::min(all.find('\n', std::clamp<std::size_t>(span.end, at, all.size())), all.size());
  std::string out;
  for (const char c : all.substr(begin, std::min<std::size_t>(end - begin, 65536))) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

source::Position Locator::position(source::FileId file, std::uint32_t offset) {
  const source::File& text = files_.get(file);
  offset = std::min<std::uint32_t>(offset, static_cast<std::uint32_t>(text.text.size()));
  const auto next = std::upper_bound(text.line_starts.begin(), text.line_starts.end(), offset);
  const auto line = static_cast<std::uint32_t>(next - text.line_starts.begin());
  if (file != file_ || line != line_ || offset < offset_) {
    file_ = file;
    line_ = line;
    offset_ = *(next - 1);
    column_ = 1;
  }
  for (; offset_ < offset; ++offset_)
    if ((static_cast<unsigned char>(text.text[offset_]) & 0xc0) != 0x80) ++column_;
  return {line_, column_};
}

}  // namespace agp::diagnostics
