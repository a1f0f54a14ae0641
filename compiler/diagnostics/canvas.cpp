#include "compiler/diagnostics/canvas.hpp"

#include "compiler/diagnostics/text.hpp"

namespace agp::diagnostics {
namespace {

std::string_view ansi(Style style) {
  switch (style) {
    case Style::Plain:
      return "";
    case Style::Bold:
      return "\033[1m";
    case Style::Error:
      return "\033[1;31m";
    case Style::Warning:
      return "\033[1;33m";
    case Style::Note:
      return "\033[1;36m";
    case Style::Frame:
      return "\033[1;34m";
    case Style::Added:
      return "\033[32m";
    case Style::Removed:
      return "\033[31m";
  }
  return "";
}

}  // namespace

void Row::put(std::size_t column, std::string_view text, Style style) {
  // The text is visible already: cut it into characters, give a wide one an empty second cell, and let a combining mark
  // join the cell before it.
  if (text.size() > 16) cells_.reserve(column + text.size());  // character by character, doubling is cheaper
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    const std::string_view one = text.substr(at, end - at);
    const unsigned width = display_width(one);
    if (width == 0 && column > 0 && column <= cells_.size()) {
      std::size_t before = column - 1;
      while (before > 0 && cells_[before].shown.empty()) --before;
      cells_[before].shown += one;
    } else {
      if (cells_.size() < column + width) cells_.resize(column + width);
      for (std::size_t i = 0; i < width; ++i) cells_[column + i] = {i == 0 ? std::string(one) : std::string(), style};
      column += width;
    }
    at = end;
  }
}

std::string Row::text(bool color) const {
  std::size_t end = cells_.size();
  while (end > 0 && cells_[end - 1].shown == " ") --end;
  std::string out;
  out.reserve(end + 1);
  Style current = Style::Plain;
  for (std::size_t i = 0; i < end; ++i) {
    const Style wanted = cells_[i].shown == " " ? Style::Plain : cells_[i].style;
    if (color && wanted != current && !(cells_[i].shown == " " && i + 1 < end && cells_[i + 1].style == current)) {
      if (current != Style::Plain) out += "\033[0m";
      out += ansi(wanted);
      current = wanted;
    }
    out += cells_[i].shown;
  }
  if (color && current != Style::Plain) out += "\033[0m";
  return out + '\n';
}

}  // namespace agp::diagnostics
