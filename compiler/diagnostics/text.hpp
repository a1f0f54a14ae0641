#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/files.hpp"

/// What every renderer needs to show text that somebody else wrote.
namespace agp::diagnostics {

/// One piece of text as it is shown: a character, or the escape that stands for it.
struct Glyph {
  std::string shown;      ///< printable UTF-8
  unsigned width = 0;     ///< columns: 0 for combining marks, 2 for wide characters
  std::size_t begin = 0;  ///< bytes of the text it stands for
  std::size_t end = 0;
};

/// Text -> what is shown of it, in order, without gaps. Control, bidirectional and other invisible characters become
/// `\u{202e}`, bytes that are not UTF-8 become `\x{ff}`; a tab reaches to the next multiple of four columns. A `##`
/// that would begin a build server's command (`##[…]`, `##vso[…]`) is broken by an escape. Linear.
std::vector<Glyph> glyphs(std::string_view text);

/// The same as one string. A tab and a line end become `\t` and `\n`: the result is one line.
std::string visible(std::string_view text);

/// Columns of text that is already visible.
unsigned display_width(std::string_view text);

/// UTF-8 with every invalid byte replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

/// The lines that a span touches, without what only layout changes: what a finding is recognised by when its rule
/// moves.
std::string line_text(const source::Files& files, source::Span span);

/// Words of `text` (already visible) over lines of at most `width` columns; the first line has `first` columns less. A
/// word longer than a line stands alone on one. No line but the first begins with `:` or `#`. width 0: one line.
std::vector<std::string> wrap(std::string_view text, unsigned width, unsigned first = 0);

/// Line and column of offsets, linear over a whole run when asked in ascending order: `Files::position` counts from the
/// start of the line each time, and a line may be megabytes long.
class Locator {
 public:
  explicit Locator(const source::Files& files) : files_(files) {}
  source::Position position(source::FileId file, std::uint32_t offset);

 private:
  const source::Files& files_;
  source::FileId file_ = source::no_file;
  std::uint32_t line_ = 0, offset_ = 0, column_ = 1;
};

}  // namespace agp::diagnostics
