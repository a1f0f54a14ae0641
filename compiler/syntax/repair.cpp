// A failed phrase -> the same with one token changed, so that it is whole. In: the failure. Out: the changed tokens,
// and a diagnostic that proposes the change. Every proposal was tried on the grammar first.
#include "compiler/syntax/repair.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "compiler/diagnostics/kinds.hpp"
#include "compiler/diagnostics/suggest.hpp"

namespace agp::syntax::detail {

namespace kind = diagnostics::kind;

namespace {

/// Trying is linear in the phrase; longer ones are lists, where a single change rarely is the mistake.
constexpr std::uint32_t longest_phrase = 512;

constexpr std::array<std::string_view, 9> units = {"B", "KiB", "MiB", "GiB", "TiB", "s", "min", "h", "d"};
struct UnitAlias {
  std::string_view word, unit;
};
constexpr UnitAlias unit_aliases[] = {
    {"k", "KiB"},       {"kb", "KiB"},   {"m", "MiB"},     {"mb", "MiB"},   {"g", "GiB"},
    {"gb", "GiB"},      {"t", "TiB"},    {"tb", "TiB"},    {"bytes", "B"},  {"sec", "s"},
    {"secs", "s"},      {"second", "s"}, {"seconds", "s"}, {"mins", "min"}, {"minute", "min"},
    {"minutes", "min"}, {"hr", "h"},     {"hour", "h"},    {"hours", "h"},  {"day", "d"},
    {"days", "d"},      {"kib", "KiB"},  {"mib", "MiB"},   {"gib", "GiB"},  {"tib", "TiB"},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

class Search {
 public:
  Search(const Failure& failure, diagnostics::Diagnostic& diagnostic) : f_(failure), d_(diagnostic) {
    original_.assign(f_.tokens.begin() + f_.begin, f_.tokens.begin() + f_.end);
  }

  std::optional<Repair> run() {
    if (original_.empty() || original_.size() > longest_phrase) return std::nullopt;
    const bool known = here() && word(original_[at()].type) && original_[at()].type != T::IDENT;
    if ((known && first_missing()) || misspelt() || doubled() || missing() || (!known && first_missing()) ||
        replaced() || superfluous())
      return Repair{std::move(tokens_)};
    if (partly_misspelt()) return Repair{};
    return std::nullopt;
  }

 private:
  std::uint32_t at() const { return f_.viability.at; }
  bool here() const { return at() < original_.size(); }
  bool can(T type) const { return f_.viability.tokens[static_cast<std::size_t>(type)]; }
  std::string_view raw(std::uint32_t i) const { return f_.raw(original_[i]); }
  static std::string_view spelling(T type) { return token_spellings[static_cast<std::size_t>(type)]; }

  /// Are these tokens the phrase?
  bool works(std::vector<Token> tokens) {
    std::vector<T> types;
    types.reserve(tokens.size());
    for (const Token& token : tokens) types.push_back(token.type);
    if (!viability(f_.rule, types).accepted) return false;
    tokens_ = std::move(tokens);
    return true;
  }
  bool with_type(std::uint32_t i, T type) {
    std::vector<Token> tokens = original_;
    tokens[i].type = type;
    return works(std::move(tokens));
  }
  bool without(std::uint32_t i) {
    std::vector<Token> tokens = original_;
    tokens.erase(tokens.begin() + i);
    return works(std::move(tokens));
  }

  static bool word(T type) {
    return type == T::IDENT || type == T::UNIT || (type >= T::ALLOW && type < T::UNIT) || type == T::QUANTITY;
  }

  // ---- a word that resembles a keyword ----------------------------------------------------------------------------

  bool misspelt() {
    if (!here() || !word(original_[at()].type)) return false;
    const std::string_view typed = raw(at());
    std::vector<std::string_view> candidates;
    for (unsigned i = 1; i <= static_cast<unsigned>(T::UNIT); ++i) {
      const T type = static_cast<T>(i);
      // Where any name could stand, a keyword that is one there is no likelier than another.
      if (can(type) && !spelling(type).empty() && (!can(T::IDENT) || f_.itself(type)))
        candidates.push_back(spelling(type));
    }
    if (const std::string_view unit = unit_for(typed); can(T::UNIT) && !unit.empty())
      return with_type(at(), T::UNIT) && propose(std::string(unit));
    // The nearest word that makes the phrase whole; the nearest of all may not.
    const std::vector<std::string_view> near = nearest(typed, candidates);
    for (const std::string_view meant : near)
      if (with_type(at(), type_of(meant))) return propose(std::string(meant));
    if (!near.empty()) nearest_ = near.front();
    return false;
  }

  /// The candidates that are few letters away, nearest first. Short words have many neighbours, so they need to be
  /// close.
  static std::vector<std::string_view> nearest(std::string_view typed,
                                               const std::vector<std::string_view>& candidates) {
    const std::size_t most = typed.size() < 4 ? 1 : typed.size() < 8 ? 2 : 3;
    std::vector<std::string_view> out;
    if (typed.size() > 32) return out;
    for (std::size_t distance = 1; distance <= most; ++distance)
      for (const std::string_view candidate : candidates)
        if (diagnostics::edit_distance(typed, candidate) == distance) out.push_back(candidate);
    return out;
  }

  /// The phrase has another mistake behind the misspelt word.
  bool partly_misspelt() {
    if (!nearest_) return false;
    std::vector<T> types;
    for (const Token& token : original_) types.push_back(token.type);
    types[at()] = type_of(*nearest_);
    return viability(f_.rule, types).at > at() + 1 && propose(std::string(*nearest_));
  }

  static T type_of(std::string_view word) {
    for (unsigned i = 1; i < token_types; ++i)
      if (spelling(static_cast<T>(i)) == word) return static_cast<T>(i);
    return T::IDENT;
  }

  static std::string_view unit_for(std::string_view typed) {
    const std::string small = lower(typed);
    for (const UnitAlias& alias : unit_aliases)
      if (alias.word == small) return alias.unit;
    for (const std::string_view unit : units)
      if (lower(unit) == small) return unit;
    for (const std::string_view unit : units)
      if (typed.size() > 2 && unit.size() > 2 && diagnostics::edit_distance(small, lower(unit)) == 1) return unit;
    return {};
  }

  bool propose(const std::string& meant) {
    d_.kind = &kind::misspelt_keyword;
    d_.message = fmt::format("expected `{}`, found `{}`", meant, raw(at()));
    d_.labelled(fmt::format("did you mean `{}`?", meant));
    d_.helped(fmt::format("write `{}`", meant));
    d_.edit(f_.span(original_[at()]), meant);
    return true;
  }

  // ---- tokens too many or too few ---------------------------------------------------------------------------------

  bool same(std::uint32_t a, std::uint32_t b) const {
    return original_[a].type == original_[b].type && raw(a) == raw(b);
  }

  bool doubled() {
    constexpr std::uint32_t back = 8;
    const auto last = std::min(at(), static_cast<std::uint32_t>(original_.size() - 1));
    for (std::uint32_t second = last; second > 0 && second + back > last; --second) {
      if (!same(second, second - 1) || !without(second)) continue;
      d_.message = fmt::format("`{}` stands twice", raw(second));
      d_.primary = f_.span(original_[second]);
      d_.labelled("the second one");
      d_.helped("remove one of them");
      d_.edit(d_.primary, "");
      return true;
    }
    return false;
  }

  /// A phrase whose first word is missing, where only one word makes it whole.
  bool first_missing() {
    if (at() != 0 || !here()) return false;
    T found = T::END;
    for (unsigned i = 1; i <= static_cast<unsigned>(T::UNIT); ++i) {
      const T type = static_cast<T>(i);
      if (!can(type) || spelling(type).empty()) continue;
      const std::uint32_t before = original_.front().begin;
      std::vector<Token> tokens = original_;
      tokens.insert(tokens.begin(), Token{before, before, type, false, true});
      if (!works(std::move(tokens))) continue;
      if (found != T::END) return false;
      found = type;
    }
    if (found == T::END) return false;
    d_.helped(fmt::format("write `{}` before `{}`", spelling(found), raw(0)));
    d_.edit({f_.file, original_.front().begin, original_.front().begin}, fmt::format("{} ", spelling(found)));
    return true;
  }

  /// Does the token begin a line that is indented as a part of the phrase is? One column may be what a word that is
  /// missing before it has left.
  bool indented(const Token& token) const {
    const auto column = [&](const Token& t) {
      const std::size_t end = f_.text.rfind('\n', t.begin);
      return t.begin - (end == std::string_view::npos ? 0 : end + 1);
    };
    return column(token) > column(original_[0]) + 1;
  }

  /// A `,` is the likely omission between elements of one list: not at the start of a line that looks like another
  /// phrase, not before a modifier, not before a text that a modifier would introduce.
  bool comma_likely() const {
    if (!here()) return false;
    const Token& token = original_[at()];
    const bool modifier = token.type >= T::EXCEPT && token.type <= T::RISK;
    const bool prose = token.type == T::STRING && raw(at()).find(' ') != std::string_view::npos;
    return (!token.first || indented(token)) && !modifier && !prose && f_.rule != R::actionPattern;
  }

  bool missing() {
    if (at() == 0) return false;
    constexpr T order[] = {T::COLON,  T::ASSIGN, T::EQ,    T::LPAREN, T::RPAREN, T::LBRACKET, T::RBRACKET,
                           T::LBRACE, T::PIPE,   T::COMMA, T::STAR,   T::AT,     T::FOR,      T::DENY};
    for (const T type : order) {
      if (!f_.itself(type) || (type == T::COMMA && !comma_likely())) continue;
      const bool joint = type == T::AT || type == T::FOR || type == T::DENY;
      const std::uint32_t behind = original_[at() - 1].end;
      std::vector<Token> tokens = original_;
      tokens.insert(tokens.begin() + at(), Token{behind, behind, type, false, true});
      if (!works(std::move(tokens))) continue;
      d_.helped(fmt::format("put `{}` after `{}`", spelling(type), raw(at() - 1)));
      const bool spaced = joint || type == T::ASSIGN || type == T::EQ || type == T::LBRACE;
      const bool after = spaced || type == T::COMMA;
      const bool gap = here() && original_[at()].begin > behind;
      d_.edit({f_.file, behind, behind},
              fmt::format("{}{}{}", spaced ? " " : "", spelling(type), after && here() && !gap ? " " : ""));
      return true;
    }
    return false;
  }

  bool replaced() {
    if (!here() || at() == 0) return false;
    // Signs that are taken for one another.
    constexpr T alike[][3] = {{T::COLON, T::ASSIGN, T::EQ},
                              {T::LPAREN, T::LBRACKET, T::LBRACE},
                              {T::RPAREN, T::RBRACKET, T::RBRACE},
                              {T::PIPE, T::COMMA, T::AMP}};
    const T found = original_[at()].type;
    for (const auto& group : alike) {
      if (std::find(std::begin(group), std::end(group), found) == std::end(group)) continue;
      const auto fits = std::find_if(std::begin(group), std::end(group),
                                     [&](T type) { return type != found && can(type) && with_type(at(), type); });
      if (fits == std::end(group)) continue;
      const T type = *fits;
      d_.helped(fmt::format("write `{}` instead of `{}`", spelling(type), raw(at())));
      d_.edit(f_.span(original_[at()]), std::string(spelling(type)));
      return true;
    }
    return false;
  }

  bool superfluous() {
    // Only signs: of words and values nobody can tell which one is too many.
    if (!here() || at() == 0) return false;
    const T found = original_[at()].type;
    if (found < T::LBRACE || found > T::PIPE || !without(at())) return false;
    d_.message = fmt::format("`{}` is not expected here", raw(at()));
    d_.helped("remove it");
    d_.edit(f_.span(original_[at()]), "");
    return true;
  }

  const Failure& f_;
  diagnostics::Diagnostic& d_;
  std::vector<Token> original_, tokens_;
  std::optional<std::string_view> nearest_;  ///< keyword, when no misspelling alone explains the failure
};

}  // namespace

std::optional<Repair> find_repair(const Failure& failure, diagnostics::Diagnostic& diagnostic) {
  return Search(failure, diagnostic).run();
}

}  // namespace agp::syntax::detail
