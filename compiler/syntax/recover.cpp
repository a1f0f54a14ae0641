// A text with mistakes -> the items that could be understood, and the mistakes. In: tokens of a text that did not
// parse. Out: AST, and at most one diagnostic for each damaged statement.
//
// The text is cut into items, an item that does not parse into statements, a block that does not parse into rules; each
// piece is parsed by itself, so a mistake can't disturb its neighbours. A piece that still fails is explained, and
// where changing one token mends it, it goes on as if that had been typed.
#include "compiler/syntax/recover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/syntax/braces.hpp"
#include "compiler/syntax/repair.hpp"
#include "compiler/syntax/split.hpp"

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

namespace {

/// Longer phrases are not analysed token by token.
constexpr std::uint32_t longest_analysed = 20000;

/// What is done with a phrase that parses. One type for all rules: what is recovered once need not be fast, and each
/// kind of phrase would have the whole of this class to itself.
using Take = std::function<void(Builder&)>;

class Recovery {
 public:
  Recovery(std::string_view text, const Lexed& lexed, Reports& reports, File& out)
      : text_(text),
        file_(out.id),
        out_(out),
        t_(lexed.tokens),
        comments_(lexed.comments),
        reports_(reports),
        parser_(lexed.tokens) {}

  void items(const std::vector<std::uint32_t>& mended) {
    const auto end = static_cast<std::uint32_t>(t_.size() - 1);
    auto brace = mended.begin();
    const std::vector<Slice> slices = split(Pieces::Items, text_, t_, 0, end);
    for (std::size_t i = 0; i < slices.size() && !reports_.full();) {
      // A brace put in or left out is a guess: what follows from a wrong one, up to the next item that begins as one,
      // is told once.
      if (i == 0 || begins_item(slices[i])) {
        const auto next = std::find_if(slices.begin() + static_cast<std::ptrdiff_t>(i) + 1, slices.end(),
                                       [this](Slice s) { return begins_item(s); });
        const std::uint32_t until = next != slices.end() ? t_[next->begin].begin : 0xffffffffu;
        const auto from = brace;
        while (brace != mended.end() && *brace < until) ++brace;
        left_ = brace != from ? 1 : Reports::most;
      }
      i = item(slices, i);
    }
  }

  std::optional<ActionPattern> action() {
    std::optional<ActionPattern> out;
    const Slice all{0, static_cast<std::uint32_t>(t_.size() - 1)};
    if (all.end == 0) {
      if (reports_.empty()) emit({kind::syntax_error, {file_, 0, 0}, "there is no action"});
      return out;
    }
    read(R::actionPattern, all, [&](Builder& b) { out = b.action_pattern(0); });
    return out;
  }

 private:
  bool begins_item(Slice s) const { return t_[s.begin].type >= T::AGP && t_[s.begin].type <= T::TEST; }

  // ---- one phrase ---------------------------------------------------------------------------------------------------

  bool parse(R rule, Slice s, const Take& take) {
    Tree tree;
    if (parser_.parse(rule, s.begin, s.end, tree) != s.end) return false;
    build(tree, take);
    return true;
  }
  void build(const Tree& tree, const Take& take) {
    const Phrase phrase{text_, file_, t_, comments_, tree};
    Builder builder(phrase, reports_);
    take(builder);
  }

  /// Parses the slice with that number, or several that belong together after all: where the phrase ends with the last
  /// of them. The number of the slice behind; the same number when it does not parse.
  std::size_t parse_slices(R rule, const std::vector<Slice>& slices, std::size_t i, const Take& take) {
    Tree tree;
    const std::uint32_t behind = parser_.parse(rule, slices[i].begin, slices.back().end, tree);
    if (behind != Parser::failed) {
      const auto last = std::lower_bound(slices.begin() + static_cast<std::ptrdiff_t>(i), slices.end(), behind,
                                         [](const Slice& s, std::uint32_t end) { return s.end < end; });
      if (last != slices.end() && last->end == behind) {
        build(tree, take);
        return static_cast<std::size_t>(last - slices.begin()) + 1;
      }
    }
    return parse(rule, slices[i], take) ? i + 1 : i;
  }

  /// Parses tokens that are not those of the text; `before` is the token before them.
  bool parse_changed(R rule, std::vector<Token> tokens, std::uint32_t before, const Take& take) {
    const auto size = static_cast<std::uint32_t>(tokens.size());
    tokens.insert(tokens.begin(), before == 0 ? Token{} : t_[before - 1]);
    tokens.push_back({tokens.back().end, tokens.back().end, T::END, false, false});
    Parser parser(tokens);
    Tree tree;
    if (parser.parse(rule, 1, size + 1, tree) != size + 1) return false;
    const Phrase phrase{text_, file_, tokens, comments_, tree};
    Builder builder(phrase, reports_);
    take(builder);
    return true;
  }

  /// Parses a slice, or says what is wrong with it and parses it as it was probably meant.
  void read(R rule, Slice s, const Take& take) {
    if (!parse(rule, s, take)) explain_failed(rule, s, take);
  }

  void explain_failed(R rule, Slice s, const Take& take) {
    mark(s);
    if (damaged(s)) return;
    Failure failure = fail(rule, t_, s);
    const std::uint32_t cut = s.begin + failure.viability.at;
    // A whole phrase, and behind it a new line, or a word that begins another phrase or nearly does: cut there.
    if (failure.viability.complete && cut > s.begin && cut < s.end && !mended(failure) &&
        (t_[cut].first || begins(fail(rule, t_, {cut, s.end})))) {
      parse(rule, {s.begin, cut}, take);
      return read(rule, {cut, s.end}, take);
    }
    const std::optional<Repair> repair = report(std::move(failure));
    if (repair && !repair->tokens.empty()) parse_changed(rule, repair->tokens, s.begin, take);
  }

  Failure fail(R rule, const std::vector<Token>& tokens, Slice s) const {
    std::vector<T> types;
    for (std::uint32_t i = s.begin; i < std::min(s.end, s.begin + longest_analysed); ++i)
      types.push_back(tokens[i].type);
    Failure out{text_, file_, tokens, s.begin, s.end, rule, viability(rule, types)};
    // A keyword that was taken for a name: more likely that the name is missing.
    const std::uint32_t at = out.viability.at;
    if (out.viability.accepted || at < 2 || !joint(types[at - 1])) return out;
    Failure before{text_, file_, tokens, s.begin, s.end, rule, viability_at(rule, types, at - 1)};
    return before.itself(types[at - 1]) || before.viability.complete ? out : before;
  }

  /// Keywords that tie the parts of a phrase together, and that nobody uses as names.
  static bool joint(T type) {
    return (type >= T::EXCEPT && type <= T::RISK) || type == T::AS || type == T::FOR || type == T::WITH;
  }

  /// The kind of the mistake when one change mends it.
  static const diagnostics::Kind* mended(const Failure& failure) {
    diagnostics::Diagnostic unheard = explain(failure);
    return find_repair(failure, unheard) ? unheard.kind : nullptr;
  }
  static bool begins(const Failure& failure) {
    return failure.viability.accepted || failure.viability.at > 0 || mended(failure) == &kind::misspelt_keyword;
  }

  void mark(Slice s) { out_.damaged.push_back({file_, t_[s.begin].begin, t_[s.end - 1].end}); }

  bool damaged(Slice s) const {
    return std::any_of(t_.begin() + s.begin, t_.begin() + s.end, [](const Token& token) { return token.damaged; });
  }

  void emit(diagnostics::Diagnostic d) {
    if (left_ == 0) return;
    --left_;
    reports_.emit(std::move(d));
  }

  std::optional<Repair> report(Failure failure) {
    if (failure.viability.accepted || (failure.viability.at >= longest_analysed && !failure.at_end())) {
      emit({kind::syntax_error, failure.span(failure.tokens[failure.begin]),
            "a phrase is too long to be analysed, and has a mistake"});
      return std::nullopt;
    }
    diagnostics::Diagnostic d = explain(failure);
    std::optional<Repair> repair = find_repair(failure, d);
    emit(std::move(d));
    return repair;
  }

  // ---- pieces
  // ---------------------------------------------------------------------------------------------------------

  /// Every slice of a row of pieces: `take` gets what parses, `fallback` what does not.
  void pieces(R rule, const std::vector<Slice>& slices, const Take& take, const std::function<void(Slice)>& fallback) {
    for (std::size_t i = 0; i < slices.size() && !reports_.full();) {
      const std::size_t next = parse_slices(rule, slices, i, take);
      if (next == i) fallback(slices[i]);
      i = std::max(next, i + 1);
    }
  }

  void lines(R rule, Pieces kind_of_pieces, Slice inside, const Take& take) {
    const std::vector<Slice> slices = split(kind_of_pieces, text_, t_, inside.begin, inside.end);
    std::vector<bool> starts;  // by T: can it begin the rule
    for (std::size_t i = 0; i < slices.size() && !reports_.full();) {
      const std::size_t next = parse_slices(rule, slices, i, take);
      if (next == i) {
        // What can't begin a line belongs to the one before it, however it is indented.
        Slice s = slices[i];
        if (starts.empty()) starts = viability(rule, {}).tokens;
        while (i + 1 < slices.size() && !starts[static_cast<std::size_t>(t_[slices[i + 1].begin].type)])
          s.end = slices[++i].end;
        explain_failed(rule, s, take);
      }
      i = std::max(next, i + 1);
    }
  }

  /// `header { … }`: where the braces are. Only when the closing one ends the slice.
  std::optional<Slice> braces(Slice s) const {
    if (t_[s.end - 1].type != T::RBRACE) return std::nullopt;
    for (std::uint32_t i = s.begin; i < s.end; ++i)
      if (t_[i].type == T::LBRACE) return Slice{i, s.end - 1};
    return std::nullopt;
  }

  /// Reads what stands around the braces, as if nothing were between them. The type of the first token as it was meant;
  /// END when that is not known.
  T header(R rule, Slice s, Slice inside, const Take& take) {
    std::vector<Token> tokens(t_.begin() + s.begin, t_.begin() + inside.begin + 1);
    tokens.push_back(t_[inside.end]);
    const T first = tokens.front().type;
    if (parse_changed(rule, tokens, s.begin, take)) return first;
    mark({s.begin, inside.begin + 1});
    if (std::any_of(tokens.begin(), tokens.end(), [](const Token& token) { return token.damaged; })) return first;
    const std::optional<Repair> repair = report(fail(rule, tokens, {0, static_cast<std::uint32_t>(tokens.size())}));
    if (!repair || repair->tokens.empty()) return first;
    parse_changed(rule, repair->tokens, s.begin, take);
    return repair->tokens.front().type;
  }

  /// Reads the slice with that number and gives the number of the next one.
  std::size_t item(const std::vector<Slice>& slices, std::size_t i) {
    const auto take = [&](Builder& b) { out_.items.push_back(b.item(0)); };
    if (const std::size_t next = parse_slices(R::item, slices, i, take); next != i) return next;
    if (const std::optional<Slice> inside = braces(slices[i])) {
      braced_item(slices[i], *inside);
    } else {
      const std::size_t before = out_.items.size();
      explain_failed(R::item, slices[i], take);
      out_.lost_item = out_.lost_item || out_.items.size() == before;
    }
    return i + 1;
  }

  void braced_item(Slice s, Slice inside) {
    std::optional<Item> made;
    const T first = header(R::item, s, inside, [&](Builder& b) { made = b.item(0); });
    const Slice body{inside.begin + 1, inside.end};
    if (first == T::POLICY || first == T::FRAGMENT) {
      std::vector<Statement> found;
      statements(body, found);
      if (made && std::holds_alternative<Policy>(*made)) std::get<Policy>(*made).body = std::move(found);
      if (made && std::holds_alternative<Fragment>(*made)) std::get<Fragment>(*made).body = std::move(found);
    } else if (first == T::TEST) {
      std::vector<TestLine> found;
      lines(R::testLine, Pieces::Rules, body, [&](Builder& b) { found.push_back(b.test_line(0)); });
      if (made && std::holds_alternative<Test>(*made)) std::get<Test>(*made).lines = std::move(found);
    } else if (first == T::INVARIANT) {
      std::vector<InvariantLine> found;
      lines(R::invariantLine, Pieces::InvariantLines, body, [&](Builder& b) { found.push_back(b.invariant_line(0)); });
      if (made && std::holds_alternative<Invariant>(*made)) std::get<Invariant>(*made).lines = std::move(found);
    }
    out_.lost_item = out_.lost_item || !made;
    if (made) out_.items.push_back(std::move(*made));
  }

  void statements(Slice inside, std::vector<Statement>& out) {
    const auto take = [&](Builder& b) { out.push_back(b.statement(0)); };
    pieces(R::statement, split(Pieces::Statements, text_, t_, inside.begin, inside.end), take, [&](Slice s) {
      if (const std::optional<Slice> between = braces(s)) {
        block(s, *between, out);
      } else {
        explain_failed(R::statement, s, take);
      }
    });
  }

  void block(Slice s, Slice inside, std::vector<Statement>& out) {
    std::optional<Statement> made;
    const T first = header(R::statement, s, inside, [&](Builder& b) { made = b.statement(0); });
    const Slice body{inside.begin + 1, inside.end};
    const auto rules = [&](R rule, auto empty, auto make) {
      using Block = decltype(empty);
      Block found = made && std::holds_alternative<Block>(*made) ? std::get<Block>(*made) : std::move(empty);
      lines(rule, Pieces::Rules, body, [&](Builder& b) { found.rules.push_back((b.*make)(0)); });
      if (made) made = std::move(found);
    };
    const auto entries = [&](R rule, Pieces cut, auto empty, auto make) {
      using Block = decltype(empty);
      Block found = made && std::holds_alternative<Block>(*made) ? std::get<Block>(*made) : std::move(empty);
      lines(rule, cut, body, [&](Builder& b) { (b.*make)(0, found); });
      if (made) made = std::move(found);
    };
    switch (first) {
      case T::FILE:
        rules(R::fileRule, FileBlock{}, &Builder::file_rule);
        break;
      case T::SYSCALL:
        rules(R::syscallRule, SyscallBlock{}, &Builder::syscall_rule);
        break;
      case T::CAPABILITY:
        rules(R::capabilityRule, CapabilityBlock{}, &Builder::capability_rule);
        break;
      case T::TOOL:
        rules(R::textRule, ToolBlock{}, &Builder::text_rule);
        break;
      case T::NET:
        entries(R::netEntry, Pieces::NetEntries, NetBlock{}, &Builder::net_entry);
        break;
      case T::ENV:
        entries(R::envEntry, Pieces::EnvEntries, EnvBlock{}, &Builder::env_entry);
        break;
      case T::RUN:
        entries(R::runEntry, Pieces::RunEntries, RunBlock{}, &Builder::run_entry);
        break;
      case T::ON:
        entries(R::onDenyEntry, Pieces::OnDenyEntries, OnDenyBlock{}, &Builder::on_deny_entry);
        break;
      case T::LIMIT: {
        LimitBlock found =
            made && std::holds_alternative<LimitBlock>(*made) ? std::get<LimitBlock>(*made) : LimitBlock{};
        lines(R::limitEntry, Pieces::LimitEntries, body,
              [&](Builder& b) { found.entries.push_back(b.limit_entry(0)); });
        if (made) made = std::move(found);
        break;
      }
      default:
        break;
    }
    if (made) out.push_back(std::move(*made));
  }

  std::string_view text_;
  source::FileId file_;
  File& out_;
  const std::vector<Token>& t_;
  const std::vector<Token>& comments_;
  Reports& reports_;
  Parser parser_;
  std::size_t left_ = Reports::most;  ///< how many this item may still have
};

}  // namespace

void recover(std::string_view text, Lexed& lexed, Reports& reports, File& out) {
  if (const auto mended = mend_braces(text, out.id, lexed, reports))
    Recovery(text, lexed, reports, out).items(*mended);
  else
    out.lost_item = true;
}

std::optional<ActionPattern> read_action(std::string_view text, source::FileId file, const Lexed& lexed,
                                         Reports& reports) {
  File nowhere;
  nowhere.id = file;
  return Recovery(text, lexed, reports, nowhere).action();
}

}  // namespace agp::syntax::detail
