#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace agp::diagnostics {

enum class Style { Plain, Bold, Error, Warning, Note, Frame, Added, Removed };

/// One line of output, column by column, so that marks and labels can be put under text.
class Row {
 public:
  /// Puts visible text at a column; what stood there is covered.
  void put(std::size_t column, std::string_view text, Style style);
  void append(std::string_view text, Style style = Style::Plain) { put(cells_.size(), text, style); }
  std::size_t width() const { return cells_.size(); }
  /// Without trailing spaces, with a line end; ANSI sequences only when `color`.
  std::string text(bool color) const;

 private:
  struct Cell {
    std::string shown = " ";
    Style style = Style::Plain;
  };
  std::vector<Cell> cells_;
};

}  // namespace agp::diagnostics
