// Braces that do not match -> braces that do. In: tokens of a text that did not parse. Out: the same with `{` and `}`
// paired, never deeper than a block in an item, and a diagnostic for each brace put in or left out.
//
// Counting alone finds the end of the file; a person looks at the indentation, and so does this pass. Where the layout
// asks for more repairs than counting does, it tells nothing, and counting between items decides.
#include "compiler/syntax/braces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "compiler/diagnostics/kinds.hpp"

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

std::uint32_t indentation(std::string_view text, const Token& token) {
  std::size_t line = token.begin;
  while (line > 0 && text[line - 1] != '\n') --line;
  std::uint32_t column = 0;
  for (std::size_t i = line; i < token.begin; ++i) column = text[i] == '\t' ? (column / 8 + 1) * 8 : column + 1;
  return column;
}

namespace {

constexpr std::uint32_t none = 0xffffffffu;
/// More than these are no slip of the hand: the first ones are told, and nothing is put right.
constexpr std::size_t most_fixes = 20;

struct Fix {
  enum class What { Close, Open, Drop };
  What what;
  std::uint32_t at;     ///< the token before which a brace is put, or the one that is dropped
  std::uint32_t other;  ///< Close: the `{`; Open: the first token of the header
  std::uint32_t third;  ///< Open: the `}` that showed it
};

bool opens_block(T type) { return type >= T::FILE && type <= T::RUN; }
bool item_word(T type) {
  return type == T::USE || type == T::PARAM || type == T::LET || type == T::FRAGMENT || type == T::POLICY ||
         type == T::INVARIANT || type == T::TEST;
}

class Matcher {
 public:
  Matcher(std::string_view text, const std::vector<Token>& tokens) : text_(text), t_(tokens) {
    for (const Token& token : t_) {
      if (token.type == T::LBRACE) --surplus_;
      if (token.type == T::RBRACE) ++surplus_;
    }
  }

  bool in_order() const {
    int depth = 0;
    for (std::uint32_t i = 0; i < t_.size(); ++i) {
      if (t_[i].type == T::LBRACE && (++depth > 2 || doubled(i))) return false;
      if (t_[i].type == T::RBRACE && --depth < 0) return false;
    }
    return depth == 0;
  }

  std::vector<Fix> run() {
    std::vector<Fix> fixes = by_layout();
    if (std::vector<Fix> counted = by_count(); counted.size() < fixes.size()) fixes = std::move(counted);
    if (fixes.size() > most_fixes) fixes.resize(most_fixes);
    std::stable_sort(fixes.begin(), fixes.end(), [](const Fix& a, const Fix& b) { return a.at < b.at; });
    return fixes;
  }

 private:
  struct Open {
    std::uint32_t brace;   ///< index of the `{`
    std::uint32_t line;    ///< index of the first token of its line
    std::uint32_t indent;  ///< of that line
  };

  /// A `{` right behind another; on a line of its own it has lost its header instead.
  bool doubled(std::uint32_t i) const { return i > 0 && t_[i - 1].type == T::LBRACE && !t_[i].first; }

  std::uint32_t last_token() const { return static_cast<std::uint32_t>(t_.size() - 1); }

  std::vector<Fix> by_layout() const {
    std::vector<Fix> fixes;
    std::vector<Open> open;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> lines;  // first token, indentation
    int surplus = surplus_;
    const auto close = [&](std::uint32_t before) {
      fixes.push_back({Fix::What::Close, before, open.back().brace, none});
      open.pop_back();
      ++surplus;
    };
    for (std::uint32_t i = 0; i < last_token() && fixes.size() <= most_fixes; ++i) {
      const Token& token = t_[i];
      if (token.first) {
        const std::uint32_t indent = indentation(text_, token);
        // What stands at or left of the column of a block's header is outside of the block.
        while (!open.empty() &&
               (token.type == T::RBRACE ? open.back().indent > indent : open.back().indent >= indent) &&
               token.type != T::LBRACE)
          close(i);
        lines.push_back({i, indent});
      }
      if (token.type == T::LBRACE) {
        if (doubled(i)) {
          fixes.push_back({Fix::What::Drop, i, none, none});
          ++surplus;
        } else {
          open.push_back({i, lines.back().first, lines.back().second});
        }
      }
      if (token.type != T::RBRACE) continue;
      const auto [line, indent] = lines.back();
      const bool own = !open.empty() && (token.first ? open.back().indent == indent : open.back().line == line);
      if (own) {
        open.pop_back();
        continue;
      }
      if (const std::uint32_t header = header_without_brace(lines, token.first); header != none) {
        fixes.push_back({Fix::What::Open, header_end(header), header, i});
        --surplus;
      } else if (open.empty() || (surplus > 0 && (token.first || t_[i - 1].type == T::RBRACE))) {
        fixes.push_back({Fix::What::Drop, i, none, none});
        --surplus;
      } else {
        open.pop_back();
      }
    }
    while (!open.empty() && fixes.size() <= most_fixes) close(last_token());
    return fixes;
  }

  /// The header whose `{` a `}` misses: on the same line, or the nearest line above with the same indentation.
  std::uint32_t header_without_brace(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& lines,
                                     bool first) const {
    std::uint32_t found = lines.back().first;
    if (first) {
      const auto same = [&](const auto& line) { return line.second <= lines.back().second; };
      const auto it = std::find_if(lines.rbegin() + 1, lines.rend(), same);
      if (it == lines.rend() || it->second != lines.back().second) return none;
      found = it->first;
    }
    const std::uint32_t end = header_end(found);
    return end != none && t_[end].type != T::LBRACE ? found : none;
  }

  /// The index behind the header of an item or block that begins at `i`; `none` where none does.
  std::uint32_t header_end(std::uint32_t i) const {
    const T type = t_[i].type;
    std::uint32_t end = none;
    if (opens_block(type)) end = i + 1;
    if (type == T::ON) end = i + 1 < last_token() && t_[i + 1].type == T::DENY ? i + 2 : i + 1;
    if (type == T::POLICY || type == T::FRAGMENT || type == T::TEST || type == T::INVARIANT) {
      end = i + 2;
      if (end < last_token() && t_[end].type == T::LPAREN)
        while (end < last_token() && t_[end].type != T::LBRACE && t_[end].type != T::RBRACE &&
               t_[end++].type != T::RPAREN)
          continue;
      if (type == T::INVARIANT && end < last_token() && t_[end].type == T::FOR)
        while (++end < last_token() && (t_[end].type == T::STRING || t_[end].type == T::COMMA)) continue;
    }
    return end != none && end < last_token() ? end : none;
  }

  std::vector<Fix> by_count() const {
    std::vector<Fix> fixes;
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < last_token() && fixes.size() <= most_fixes; ++i) {
      if (item_word(t_[i].type) && begins_item(i))
        for (; !open.empty() && fixes.size() <= most_fixes; open.pop_back())
          fixes.push_back({Fix::What::Close, i, open.back(), none});
      if (t_[i].type == T::LBRACE) {
        if (doubled(i)) {
          fixes.push_back({Fix::What::Drop, i, none, none});
        } else {
          open.push_back(i);
        }
      }
      if (t_[i].type != T::RBRACE) continue;
      if (open.empty()) {
        fixes.push_back({Fix::What::Drop, i, none, none});
      } else {
        open.pop_back();
      }
    }
    for (; !open.empty() && fixes.size() <= most_fixes; open.pop_back())
      fixes.push_back({Fix::What::Close, last_token(), open.back(), none});
    return fixes;
  }

  /// A keyword of an item followed by what follows it there and nowhere else.
  bool begins_item(std::uint32_t i) const {
    if (!t_[i].first || i + 2 >= t_.size()) return false;
    const T next = t_[i + 2].type;
    switch (t_[i].type) {
      case T::LET:
        return next == T::ASSIGN;
      case T::PARAM:
        return next == T::COLON;
      case T::USE:
        return t_[i + 1].type == T::DOTTED || t_[i + 1].type == T::STRING;
      case T::INVARIANT:
        return next == T::LBRACE || next == T::FOR;
      default:
        return next == T::LBRACE || next == T::LPAREN;
    }
  }

  std::string_view text_;
  const std::vector<Token>& t_;
  int surplus_ = 0;  ///< closing braces without an opening one, by count
};

class Reporter {
 public:
  Reporter(std::string_view text, source::FileId file, const std::vector<Token>& tokens, Reports& reports)
      : text_(text), file_(file), t_(tokens), reports_(reports) {}

  void operator()(const Fix& fix) const {
    switch (fix.what) {
      case Fix::What::Close:
        return unclosed(fix);
      case Fix::What::Open:
        return unopened(fix);
      case Fix::What::Drop:
        break;
    }
    const bool closing = t_[fix.at].type == T::RBRACE;
    reports_.emit(kind::unmatched_brace, span(fix.at), closing ? "`}` closes nothing" : "`{` opens no block")
        .labelled(closing ? "nothing is open here" : "a block is open already")
        .helped("remove it")
        .edit(span(fix.at), "");
  }

 private:
  Span span(std::uint32_t i) const { return {file_, t_[i].begin, t_[i].end}; }

  /// The words of the line before a brace: `policy code-execution`.
  std::string header(std::uint32_t from, std::uint32_t brace) const {
    const std::string_view all = text_.substr(t_[from].begin, t_[brace - 1].end - t_[from].begin);
    return all.size() <= 60 ? std::string(all)
                            : std::string(text_.substr(t_[from].begin, t_[from].end - t_[from].begin));
  }

  void unclosed(const Fix& fix) const {
    std::uint32_t line = fix.other;
    while (line > 0 && !t_[line].first) --line;
    const std::string what = line < fix.other ? fmt::format("`{}`", header(line, fix.other)) : std::string("a block");
    auto& d = reports_.emit(kind::unclosed_brace, span(fix.other), fmt::format("{} is not closed", what));
    d.labelled("opened here");
    const bool at_end = t_[fix.at].type == T::END;
    const std::uint32_t behind = t_[fix.at - 1].end;
    if (at_end) {
      d.relate({file_, behind, behind}, "the file ends here");
    } else {
      d.relate(span(fix.at), "a `}` is missing before this");
    }
    d.helped("close it with `}`");
    d.edit({file_, behind, behind}, "\n" + std::string(indentation(text_, t_[line]), ' ') + "}");
  }

  void unopened(const Fix& fix) const {
    const std::string words = header(fix.other, fix.at);
    auto& d = reports_.emit(kind::unmatched_brace, {file_, t_[fix.other].begin, t_[fix.at - 1].end},
                            fmt::format("`{}` has no `{{`", words));
    d.labelled("expected `{` after this");
    d.relate(span(fix.third), "this closes nothing without it");
    d.helped(fmt::format("write `{} {{`", words));
    d.edit({file_, t_[fix.at - 1].end, t_[fix.at - 1].end}, " {");
  }

  std::string_view text_;
  source::FileId file_;
  const std::vector<Token>& t_;
  Reports& reports_;
};

}  // namespace

std::optional<std::vector<std::uint32_t>> mend_braces(std::string_view text, source::FileId file, Lexed& lexed,
                                                      Reports& reports) {
  std::vector<std::uint32_t> places;
  Matcher matcher(text, lexed.tokens);
  if (matcher.in_order()) return places;
  const std::vector<Fix> fixes = matcher.run();
  const Reporter report(text, file, lexed.tokens, reports);
  if (fixes.size() == most_fixes) {
    for (const Fix& fix : fixes) report(fix);
    return std::nullopt;
  }
  std::vector<Token> mended;
  mended.reserve(lexed.tokens.size() + fixes.size());
  auto fix = fixes.begin();
  bool line_start = false;
  for (std::uint32_t i = 0; i < lexed.tokens.size(); ++i) {
    bool keep = true;
    for (; fix != fixes.end() && fix->at == i; ++fix) {
      report(*fix);
      const std::uint32_t behind = i > 0 ? lexed.tokens[i - 1].end : 0;
      places.push_back(fix->what == Fix::What::Drop ? lexed.tokens[i].begin : behind);
      if (fix->what == Fix::What::Close) mended.push_back({behind, behind, T::RBRACE, false, true});
      if (fix->what == Fix::What::Open) mended.push_back({behind, behind, T::LBRACE, false, true});
      if (fix->what == Fix::What::Drop) keep = false;
    }
    Token token = lexed.tokens[i];
    token.first = token.first || line_start;
    line_start = !keep && token.first;
    if (keep) mended.push_back(token);
  }
  lexed.tokens = std::move(mended);
  return places;
}

}  // namespace agp::syntax::detail
