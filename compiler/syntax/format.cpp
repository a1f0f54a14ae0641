// Text -> the same text in canonical layout. In: a text without mistakes. Out: one statement a line, two spaces a
// level, single spaces between tokens, at most one blank line in a row, one around every item with braces. A statement
// goes on in a second line, two columns deeper, after a comma, before a modifier, at the start of a list or inside
// brackets: where the author broke it there, and after a comma or before a modifier where it would be longer than
// `width`. A block that stood on one line stays there while it fits, its entries three spaces apart. Comments stay
// between the tokens where they stood: on their own line, or at the end of one. Every break that is made is one that is
// kept, so a second run changes nothing.
#include "compiler/syntax/format.hpp"

#include <algorithm>

#include "compiler/syntax/layout.hpp"
#include "compiler/syntax/lex.hpp"
#include "compiler/syntax/parse.hpp"

namespace agp::syntax {

namespace {

using detail::Lexed;
using detail::Mark;
using detail::T;
using detail::Token;

constexpr std::size_t width = 120;
constexpr std::size_t level = 2, continued = 2;
constexpr std::string_view entry_gap = "   ";

/// Columns, counted in code points.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Collects what stands on one logical line, and writes it when it is finished.
class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}

  void begin(std::size_t depth) { indent_ = depth * level; }
  void add(std::string text, bool glued) { put({std::move(text), glued}); }
  void add(std::string text, const Mark& mark, bool first) {
    hard_ = hard_ || (first && (mark.breakable || mark.keeps_break || mark.closes));
    put({std::move(text), mark.glued, mark.breakable, false, mark.closes});
  }
  void add_comment(std::string text) { put({std::move(text), false, false, true}); }
  /// What comes next on this line begins a new one in the text.
  void break_here() { hard_ = true; }
  /// How wide the line is with this behind it; more than `width` when it is broken anyway.
  std::size_t columns_with(std::string_view more) const {
    std::size_t sum = indent_ + 1 + columns(more);
    for (std::size_t i = 0; i < parts_.size() && sum <= width; ++i)
      sum += parts_[i].hard ? width : columns(parts_[i].text) + (parts_[i].glued || i == 0 ? 0 : 1);
    return sum;
  }

  void finish() {
    hard_ = false;
    if (parts_.empty()) return;
    std::size_t column = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Part& part = parts_[i];
      const bool first = i == 0;
      const bool over = part.breakable && column + 1 + stretch(i) > width;
      if (first || part.hard || over) {
        if (!first) out_ += '\n';
        column = indent_ + (first || part.closes ? 0 : continued);
        out_.append(column, ' ');
      } else if (!part.glued) {
        out_ += ' ';
        ++column;
      }
      out_ += part.text;
      const std::size_t line = part.text.rfind('\n');
      column = line == std::string::npos ? column + columns(part.text) : columns(part.text.substr(line + 1));
    }
    out_ += '\n';
    parts_.clear();
  }

 private:
  struct Part {
    std::string text;
    bool glued = false, breakable = false, comment = false, closes = false, hard = false;
  };
  void put(Part part) {
    part.hard = hard_;
    hard_ = false;
    parts_.push_back(std::move(part));
  }
  /// The width of part i and of what can't be broken off behind it, as far as it matters; comments may stick out.
  std::size_t stretch(std::size_t i) const {
    const auto ends = [](const Part& part) { return part.breakable || part.hard || part.comment; };
    std::size_t sum = columns(parts_[i].text);
    for (++i; i < parts_.size() && !ends(parts_[i]) && sum <= width; ++i)
      sum += columns(parts_[i].text) + (parts_[i].glued ? 0 : 1);
    return sum;
  }

  std::string& out_;
  std::vector<Part> parts_;
  std::size_t indent_ = 0;
  bool hard_ = false;
};

class Printer {
 public:
  Printer(std::string_view text, const Lexed& lexed)
      : text_(text), t_(lexed.tokens), comments_(lexed.comments), marks_(detail::layout(lexed.tokens)), line_(out_) {}

  std::string run() {
    const std::size_t end = t_.size() - 1;
    for (std::size_t i = 0; i < end; ++i) {
      comments_before(i);
      if (const std::size_t close = one_line_block(i); close != 0) {
        i = close;
      } else {
        token(i);
      }
    }
    comments_before(end);
    line_.finish();
    return std::move(out_);
  }

 private:
  // ---- tokens
  // ---------------------------------------------------------------------------------------------------------

  std::string_view raw(const Token& token) const { return text_.substr(token.begin, token.end - token.begin); }

  /// `4GiB` becomes `4 GiB` where the unit is one.
  std::string spelled(const Token& token) const {
    const std::string_view all = raw(token);
    if (token.type != T::QUANTITY) return std::string(all);
    const std::size_t digits = all.find_first_not_of("0123456789");
    const std::string_view unit = all.substr(digits);
    for (const std::string_view known : {"B", "KiB", "MiB", "GiB", "TiB", "s", "min", "h", "d"})
      if (unit == known) return std::string(all.substr(0, digits)) + " " + std::string(unit);
    return std::string(all);
  }

  /// A comma before a bracket that closes on the same line.
  bool idle_comma(std::size_t i) const { return t_[i].type == T::COMMA && marks_[i + 1].closes && !t_[i + 1].first; }

  void token(std::size_t i) {
    const T type = t_[i].type;
    if (type == T::RBRACE) {
      if (i > 0 && t_[i - 1].type == T::LBRACE && !comment_between_) {
        line_.add("}", true);
        --depth_;
      } else {
        line_.finish();
        line_.begin(--depth_);
        line_.add("}", false);
      }
    } else {
      if (marks_[i].starts) start_line(i);
      if (!idle_comma(i)) line_.add(spelled(t_[i]), marks_[i], t_[i].first && !marks_[i].starts);
    }
    if (type == T::LBRACE) ++depth_;
    last_end_ = t_[i].end;
  }

  void start_line(std::size_t i) {
    line_.finish();
    blank_line(t_[i].begin);
    line_.begin(depth_);
    if (depth_ == 0) apart_ = marks_[i].braced || marks_[i].version;
  }

  // ---- blank lines
  // ----------------------------------------------------------------------------------------------------

  /// Ends the line before with an empty one, where the source has one before `begin` or it is due.
  void blank_line(std::uint32_t begin) {
    if (!out_.empty() && !opened_ && (due_ || empty_line(last_end_, begin))) out_ += '\n';
    opened_ = due_ = false;
  }

  // ---- comments
  // -------------------------------------------------------------------------------------------------------

  std::string comment_text(const Token& comment) const {
    std::string out;
    for (const char c : raw(comment))
      if (c != '\r') out += c;
    while (!out.empty() && (out.back() == ' ' || out.back() == '\t')) out.pop_back();
    return out;
  }

  /// Between items: is there an empty line anywhere up to token i?
  bool blank_before(std::size_t i) const {
    std::uint32_t from = last_end_;
    for (std::size_t c = next_comment_; c < comments_.size() && comments_[c].begin < t_[i].begin; ++c) {
      if (empty_line(from, comments_[c].begin)) return true;
      from = comments_[c].end;
    }
    return empty_line(from, t_[i].begin);
  }
  bool empty_line(std::uint32_t from, std::uint32_t to) const {
    const std::string_view gap = text_.substr(from, to - from);
    return std::count(gap.begin(), gap.end(), '\n') > 1;
  }

  void comments_before(std::size_t i) {
    comment_between_ = false;
    opened_ = i > 0 && t_[i - 1].type == T::LBRACE;
    const bool end = i + 1 == t_.size();
    const bool between = end || marks_[i].starts || t_[i].type == T::RBRACE;
    if (depth_ == 0 && (marks_[i].starts || end)) {
      // The line that is due around an item goes before its first comment, unless one is there already.
      due_ = (apart_ || marks_[i].braced) && !blank_before(i);
    }
    for (; next_comment_ < comments_.size() && comments_[next_comment_].begin < t_[i].begin; ++next_comment_) {
      const Token& comment = comments_[next_comment_];
      comment_between_ = true;
      const bool own = comment.first;
      const bool to_end = comment.type != T::BLOCK_COMMENT;
      if (own && between) {
        line_.finish();
        blank_line(comment.begin);
        line_.begin(depth_);
        line_.add_comment(comment_text(comment));
        line_.finish();
      } else {
        if (own) line_.break_here();
        line_.add_comment(comment_text(comment));
        if (own || to_end) line_.break_here();
      }
      last_end_ = comment.end;
    }
  }

  // ---- blocks on one line
  // ---------------------------------------------------------------------------------------------

  /// Writes `{ … }` of token i on this line when it stood on one and fits; the index of its `}`, else 0.
  std::size_t one_line_block(std::size_t i) {
    if (t_[i].type != T::LBRACE || marks_[i].outer) return 0;
    std::size_t close = i + 1;
    std::size_t used = 0;
    for (; t_[close].type != T::RBRACE && used <= width; ++close) used += t_[close].end - t_[close].begin;
    if (t_[close].type != T::RBRACE || close == i + 1) return 0;
    const std::string_view inside = text_.substr(t_[i].end, t_[close].begin - t_[i].end);
    const bool comment = next_comment_ < comments_.size() && comments_[next_comment_].begin < t_[close].begin;
    if (comment || inside.find('\n') != std::string_view::npos) return 0;
    std::string block = "{";
    for (std::size_t k = i + 1; k < close; ++k) {
      if (idle_comma(k)) continue;
      if (k > i + 1 && marks_[k].starts) {
        block += entry_gap;
      } else if (k == i + 1 || !marks_[k].glued) {
        block += ' ';
      }
      block += spelled(t_[k]);
    }
    block += " }";
    if (line_.columns_with(block) > width) return 0;
    line_.add(std::move(block), false);
    last_end_ = t_[close].end;
    return close;
  }

  std::string_view text_;
  const std::vector<Token>& t_;
  const std::vector<Token>& comments_;
  std::vector<Mark> marks_;
  std::string out_;
  Line line_;
  std::size_t depth_ = 0, next_comment_ = 0;
  std::uint32_t last_end_ = 0;    ///< of what was written last, in the source
  bool opened_ = false;           ///< a `{` stands at the end of the line before
  bool comment_between_ = false;  ///< a comment stood between the last token and this one
  bool apart_ = false;            ///< an empty line is due behind the item that began last
  bool due_ = false;              ///< one is due before the next line
};

}  // namespace

std::optional<std::string> format(const source::Files& files, source::FileId id, diagnostics::Sink& sink) {
  const std::size_t errors = sink.errors();
  parse(files, id, sink);
  if (sink.errors() != errors) return std::nullopt;
  detail::Reports unheard;
  const Lexed lexed = detail::lex(files, id, unheard);
  return Printer(files.get(id).text, lexed).run();
}

}  // namespace agp::syntax
