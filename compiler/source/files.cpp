#include "compiler/source/files.hpp"

#include <algorithm>

namespace agp::source {

Span cover(Span a, Span b) {
  if (!a.known()) return b;
  if (!b.known() || a.file != b.file) return a;
  return {a.file, std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

FileId Files::add(std::string path, std::string text, bool library) {
  File file{std::move(path), std::move(text), {0}, library};
  for (std::size_t i = 0; i < file.text.size(); ++i)
    if (file.text[i] == '\n') file.line_starts.push_back(static_cast<std::uint32_t>(i + 1));
  files_.push_back(std::move(file));
  return static_cast<FileId>(files_.size() - 1);
}

std::string_view Files::text(Span span) const {
  if (!span.known()) return {};
  const std::string_view all = files_[span.file].text;
  if (span.begin >= all.size()) return {};
  return all.substr(span.begin, span.end - span.begin);
}

Position Files::position(FileId id, std::uint32_t offset) const {
  const File& file = files_[id];
  offset = std::min<std::uint32_t>(offset, static_cast<std::uint32_t>(file.text.size()));
  const auto next = std::upper_bound(file.line_starts.begin(), file.line_starts.end(), offset);
  const auto line = static_cast<std::uint32_t>(next - file.line_starts.begin());
  std::uint32_t column = 1;
  for (std::uint32_t i = *(next - 1); i < offset; ++i)
    if ((static_cast<unsigned char>(file.text[i]) & 0xc0) != 0x80) ++column;
  return {line, column};
}

std::string_view Files::line(FileId id, std::uint32_t line) const {
  const File& file = files_[id];
  if (line == 0 || line > file.line_starts.size()) return {};
  const std::size_t begin = file.line_starts[line - 1];
  std::size_t end = line < file.line_starts.size() ? file.line_starts[line] : file.text.size();
  while (end > begin && (file.text[end - 1] == '\n' || file.text[end - 1] == '\r')) --end;
  return std::string_view(file.text).substr(begin, end - begin);
}

}  // namespace agp::source
