#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace agp::source {

using FileId = std::uint32_t;
inline constexpr FileId no_file = 0xffffffffu;

/// A range of bytes in one file: `begin` inclusive, `end` exclusive. `no_file` means "nowhere in a source text".
struct Span {
  FileId file = no_file;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  bool known() const { return file != no_file; }
  friend bool operator==(const Span&, const Span&) = default;
};

/// The smallest span that covers both; both must be in the same file, or one unknown.
Span cover(Span a, Span b);

/// A position as people count: both from 1, columns in Unicode code points.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// One text that agp read. `path` is what messages show: relative to the project root with `/`, `std/….agp` for a
/// library module, or a name for standard input.
struct File {
  std::string path;
  std::string text;
  std::vector<std::uint32_t> line_starts;  ///< byte offset of each line, ascending; the first is 0
  bool library = false;                    ///< a module of the standard library, inside the binary
};

/// All texts of one run. Ids and references stay valid for its lifetime.
class Files {
 public:
  FileId add(std::string path, std::string text, bool library = false);
  const File& get(FileId id) const { return files_[id]; }
  std::size_t size() const { return files_.size(); }
  std::string_view text(Span span) const;
  /// O(log lines) and the length of the line.
  Position position(FileId id, std::uint32_t offset) const;
  /// The line (from 1) without its line end; empty when there is no such line.
  std::string_view line(FileId id, std::uint32_t line) const;

 private:
  std::deque<File> files_;
};

}  // namespace agp::source
