// In: marks on one file. Out: the text block of source lines with the marks drawn under them. The block is drawn in
// three steps: marks are cut into what each line has of them; a window of columns is chosen that shows the marks; each
// line is drawn as its text followed by rows of carets, connectors and labels.
#include "compiler/diagnostics/snippet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace agp::diagnostics {
namespace {

constexpr unsigned unlimited_width = 400;    ///< columns of a source line shown when no terminal limits them
constexpr std::size_t longest_slice = 4096;  ///< bytes of a line that are looked at

/// What one line has of one mark: display columns within the line's slice.
struct Piece {
  enum class Kind { Whole, Start, End };
  Kind kind = Kind::Whole;
  unsigned from = 0, to = 0;
  std::size_t depth = 0;  ///< Start, End: which gutter column
  const Mark* mark = nullptr;
};

struct Line {
  std::vector<Glyph> glyphs;
  std::uint32_t begin = 0;  ///< byte offset of the slice in the file
  bool cut_left = false, cut_right = false;
  bool blank_before(unsigned column) const {
    unsigned at = 0;
    for (const Glyph& g : glyphs) {
      if (at >= column) return true;
      if (g.shown.find_first_not_of(' ') != std::string::npos) return false;
      at += g.width;
    }
    return true;
  }
  unsigned column(std::uint32_t offset) const {
    unsigned at = 0;
    for (const Glyph& g : glyphs) {
      if (begin + g.begin >= offset) break;
      at += g.width;
    }
    return at;
  }
  unsigned width() const {
    unsigned at = 0;
    for (const Glyph& g : glyphs) at += g.width;
    return at;
  }
};

class Drawing {
 public:
  Drawing(const source::Files& files, std::span<const Mark> marks, const SnippetOptions& options)
      : file_(files.get(marks[0].span.file)), options_(options) {
    for (const Mark& mark : marks) place(mark);
    choose_window();
  }

  std::string text() {
    std::string out = frame(' ').text(options_.color);
    std::uint32_t last = 0;
    std::vector<const Mark*> open(depths_, nullptr);
    for (auto& [number, line] : lines_) {
      if (last != 0 && number == last + 2)
        out += source_row(last + 1, read(last + 1, 0), open, {});
      else if (last != 0 && number > last + 2)
        out += elided(open);
      out += draw(number, line, open);
      last = number;
    }
    return out;
  }

 private:
  std::uint32_t line_of(std::uint32_t offset) const {
    const auto next = std::upper_bound(file_.line_starts.begin(), file_.line_starts.end(), offset);
    return static_cast<std::uint32_t>(next - file_.line_starts.begin());
  }

  /// A line, or the part of it around `near` when it is longer than anything a person wrote.
  Line read(std::uint32_t number, std::uint32_t near) const {
    std::size_t begin = file_.line_starts[number - 1];
    std::size_t end = number < file_.line_starts.size() ? file_.line_starts[number] : file_.text.size();
    while (end > begin && (file_.text[end - 1] == '\n' || file_.text[end - 1] == '\r')) --end;
    Line line;
    if (end - begin > longest_slice) {
      const std::size_t at = std::clamp<std::size_t>(near, begin, end);
      const std::size_t whole = end;
      const auto character = [&](std::size_t i) {
        while (i < whole && (static_cast<unsigned char>(file_.text[i]) & 0xc0) == 0x80) ++i;
        return i;
      };
      line.cut_left = at - begin > longest_slice / 2;
      if (line.cut_left) begin = character(at - longest_slice / 2);
      line.cut_right = end - begin > longest_slice;
      if (line.cut_right) end = character(begin + longest_slice);
    }
    line.begin = static_cast<std::uint32_t>(begin);
    line.glyphs = glyphs(std::string_view(file_.text).substr(begin, end - begin));
    return line;
  }

  Line& line_at(std::uint32_t number, std::uint32_t near) {
    const auto found = lines_.find(number);
    return found != lines_.end() ? found->second : lines_.emplace(number, read(number, near)).first->second;
  }

  void place(const Mark& mark) {
    const auto size = static_cast<std::uint32_t>(file_.text.size());
    const std::uint32_t begin = std::min(mark.span.begin, size);
    std::uint32_t end = std::clamp(mark.span.end, begin, size);
    // A span that ends with a line end belongs to the line that it ends.
    while (end > begin && (file_.text[end - 1] == '\n' || file_.text[end - 1] == '\r')) --end;
    const std::uint32_t first = line_of(begin), last = end > begin ? line_of(end - 1) : first;
    Line& top = line_at(first, begin);
    const unsigned from = top.column(begin);
    if (first == last) {
      pieces_[first].push_back({Piece::Kind::Whole, from, std::max(top.column(end), from + 1), 0, &mark});
      return;
    }
    const std::size_t depth = depths_++;
    pieces_[first].push_back({Piece::Kind::Start, from, from + 1, depth, &mark});
    const unsigned to = line_at(last, end).column(end);
    pieces_[last].push_back({Piece::Kind::End, to == 0 ? 0 : to - 1, std::max(to, 1u), depth, &mark});
  }

  void choose_window() {
    const unsigned gutter = options_.margin + 3 + static_cast<unsigned>(2 * depths_);
    const unsigned width = options_.width == 0 ? unlimited_width : std::max(options_.width, gutter + 20);
    available_ = width - gutter;
    unsigned longest = 0, left = ~0u, right = 0;
    for (const auto& [number, line] : lines_) longest = std::max(longest, line.width());
    for (const auto& [number, pieces] : pieces_)
      for (const Piece& piece : pieces) {
        left = std::min(left, piece.from);
        right = std::max(right, piece.to + 1 + std::min(display_width(piece.mark->label), available_ / 2));
      }
    if (longest <= available_ || right <= available_) return;
    // The marks do not fit from the left edge: begin a little before the first, or as late as shows the last.
    shift_ = left > 8 ? std::min(left - 8, right - available_) : 0;
  }

  Row frame(char sign) const {
    Row row;
    row.put(0, fmt::format("{:{}} {}", "", options_.margin, sign == ' ' ? '|' : sign), Style::Frame);
    return row;
  }

  std::size_t gutter(std::size_t depth) const { return options_.margin + 3 + 2 * depth; }
  std::size_t origin() const { return gutter(depths_); }

  void bars(Row& row, const std::vector<const Mark*>& open) const {
    for (std::size_t depth = 0; depth < open.size(); ++depth)
      if (open[depth] != nullptr) row.put(gutter(depth), "|", open[depth]->style);
  }

  std::string elided(const std::vector<const Mark*>& open) const {
    Row row;
    row.put(0, "...", Style::Frame);
    bars(row, open);
    return row.text(options_.color);
  }

  std::string source_row(std::uint32_t number, const Line& line, const std::vector<const Mark*>& open,
                         const std::vector<Piece>& slashes) const {
    Row row;
    row.put(0, fmt::format("{:>{}} |", number, options_.margin), Style::Frame);
    bars(row, open);
    for (const Piece& piece : slashes) row.put(gutter(piece.depth), "/", piece.mark->style);
    unsigned at = 0;
    bool left = line.cut_left, right = line.cut_right;
    for (const Glyph& glyph : line.glyphs) {
      const unsigned next = at + glyph.width;
      if (at < shift_)
        left = left || glyph.shown.find_first_not_of(' ') != std::string::npos;
      else if (next - shift_ > available_)
        right = true;
      else
        row.put(origin() + at - shift_, glyph.shown, Style::Plain);
      at = next;
    }
    if (left) row.put(origin(), "…", Style::Frame);
    if (right) row.put(std::min<std::size_t>(row.width(), origin() + available_ - 1), "…", Style::Frame);
    return row.text(options_.color);
  }

  /// Display column of the line -> column of the row; what lies outside the window is drawn at its edge.
  std::size_t shown(unsigned column) const {
    return origin() + std::min(column > shift_ ? column - shift_ : 0, available_);
  }

  std::string draw(std::uint32_t number, const Line& line, std::vector<const Mark*>& open) {
    std::vector<Piece> whole, starts, slashes, ends;
    for (const Piece& piece : pieces_[number]) {
      if (piece.kind == Piece::Kind::Whole)
        whole.push_back(piece);
      else if (piece.kind == Piece::Kind::End)
        ends.push_back(piece);
      else
        (line.blank_before(piece.from) ? slashes : starts).push_back(piece);
    }
    std::string out = source_row(number, line, open, slashes);
    for (const Piece& piece : slashes) open[piece.depth] = piece.mark;
    out += carets(whole, open);
    for (const Piece& piece : starts) {
      Row row = frame(' ');
      bars(row, open);
      reach(row, piece, gutter(piece.depth) + 1);
      out += row.text(options_.color);
      open[piece.depth] = piece.mark;
    }
    for (const Piece& piece : ends) {
      Row row = frame(' ');
      bars(row, open);
      reach(row, piece, gutter(piece.depth) + 1);
      out += row.text(options_.color);
      open[piece.depth] = nullptr;
    }
    return out;
  }

  /// `____^ label` from the gutter to the place where a span over several lines begins or ends.
  void reach(Row& row, const Piece& piece, std::size_t from) const {
    const std::size_t to = shown(piece.from);
    if (to > from) row.put(from, std::string(to - from, '_'), piece.mark->style);
    row.put(to, piece.mark->primary ? "^" : "-", piece.mark->style);
    if (piece.kind == Piece::Kind::End && !piece.mark->label.empty())
      row.put(to + 2, piece.mark->label, piece.mark->style);
  }

  /// Rows under one line for the marks that begin and end in it.
  std::string carets(std::vector<Piece>& pieces, const std::vector<const Mark*>& open) const {
    if (pieces.empty()) return {};
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.from < b.from; });
    Row row = frame(' ');
    bars(row, open);
    for (const bool primary : {false, true})  // the primary one is drawn last: over what it overlaps
      for (const Piece& piece : pieces)
        if (piece.mark->primary == primary) {
          const std::size_t from = shown(piece.from), to = std::max(shown(piece.to), from + 1);
          row.put(from, std::string(to - from, primary ? '^' : '-'), piece.mark->style);
        }
    std::vector<Piece> labelled;
    for (const Piece& piece : pieces)
      if (!piece.mark->label.empty()) labelled.push_back(piece);
    if (!labelled.empty() && fits_beside(labelled.back(), pieces)) {
      row.put(row.width() + 1, labelled.back().mark->label, labelled.back().mark->style);
      labelled.pop_back();
    }
    std::string out = row.text(options_.color);
    if (labelled.empty()) return out;
    out += hanging(labelled, labelled.size(), open, {}).text(options_.color);
    for (std::size_t left = labelled.size(); left > 0; --left) {
      const Piece& piece = labelled[left - 1];
      const std::size_t room = origin() + available_ - std::min(origin() + available_, shown(piece.from));
      const unsigned width = options_.width == 0 ? 0 : static_cast<unsigned>(std::max<std::size_t>(room, 24));
      for (const std::string& words : wrap(piece.mark->label, width))
        out += hanging(labelled, left - 1, open, {shown(piece.from), words, piece.mark->style}).text(options_.color);
    }
    return out;
  }

  /// May the label stand to the right of the carets? Not when another mark reaches further, nor past the edge.
  bool fits_beside(const Piece& last, const std::vector<Piece>& pieces) const {
    for (const Piece& piece : pieces)
      if (piece.mark != last.mark && piece.to > last.from) return false;
    return options_.width == 0 || shown(last.to) + 1 + display_width(last.mark->label) <= origin() + available_;
  }

  struct Words {
    std::size_t column = 0;
    std::string text;
    Style style = Style::Plain;
  };
  /// A row with connectors of the first `count` labelled pieces and, perhaps, words.
  Row hanging(const std::vector<Piece>& labelled, std::size_t count, const std::vector<const Mark*>& open,
              const Words& words) const {
    Row row = frame(' ');
    bars(row, open);
    for (std::size_t i = 0; i < count; ++i)
      if (words.text.empty() || shown(labelled[i].from) < words.column)
        row.put(shown(labelled[i].from), "|", labelled[i].mark->style);
    if (!words.text.empty()) row.put(words.column, words.text, words.style);
    return row;
  }

  const source::File& file_;
  SnippetOptions options_;
  std::map<std::uint32_t, Line> lines_;
  std::map<std::uint32_t, std::vector<Piece>> pieces_;
  std::size_t depths_ = 0;
  unsigned available_ = 0, shift_ = 0;
};

}  // namespace

std::string snippet(const source::Files& files, std::span<const Mark> marks, const SnippetOptions& options) {
  if (marks.empty()) return {};
  return Drawing(files, marks, options).text();
}

std::string edit_lines(const source::Files& files, std::vector<std::pair<source::Span, std::string>> edits,
                       const SnippetOptions& options) {
  if (edits.empty()) return {};
  std::stable_sort(edits.begin(), edits.end(),
                   [](const auto& a, const auto& b) { return a.first.begin < b.first.begin; });
  const source::File& file = files.get(edits.front().first.file);
  const std::uint32_t first = files.position(edits.front().first.file, edits.front().first.begin).line;
  std::uint32_t last = files.position(edits.front().first.file, edits.back().first.end).line;
  // An edit that ends where a line begins leaves that line as it is, if it begins and puts in whole lines.
  const auto& [tail, put] = edits.back();
  const auto begins_line = [&](std::size_t line, std::size_t offset) { return file.line_starts[line - 1] == offset; };
  if (last > first && begins_line(last, tail.end) && (put.empty() || put.back() == '\n') &&
      begins_line(files.position(tail.file, tail.begin).line, tail.begin))
    --last;
  const std::size_t begin = file.line_starts[first - 1];
  const std::size_t end = last < file.line_starts.size() ? file.line_starts[last] : file.text.size();
  if (last - first > 12 || end - begin > longest_slice)
    return {};  // too much to show; the edit stands in json and sarif

  std::string changed;
  std::size_t at = begin;
  for (const auto& [span, text] : edits) {
    if (span.begin < at || span.end > end) return {};
    changed += file.text.substr(at, span.begin - at) + text;
    at = span.end;
  }
  changed += file.text.substr(at, end - at);

  std::string out;
  const auto rows = [&](std::string_view text, char sign, Style style) {
    for (std::uint32_t number = first; !text.empty(); ++number) {
      const std::size_t stop = std::min(text.find('\n'), text.size());
      Row row;
      row.put(0, fmt::format("{:>{}} ", number, options.margin), Style::Frame);
      row.append(std::string(1, sign), style);
      row.append(" ");
      std::string_view line = text.substr(0, stop);
      while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      for (const Glyph& glyph : glyphs(line)) row.append(glyph.shown, style);
      out += row.text(options.color);
      text.remove_prefix(std::min(stop + 1, text.size()));
    }
  };
  rows(std::string_view(file.text).substr(begin, end - begin), '-', Style::Removed);
  rows(changed, '+', Style::Added);
  return out;
}

}  // namespace agp::diagnostics
