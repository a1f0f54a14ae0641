#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/path_pattern.hpp"

// Path patterns as automata over code points; for compiler/model alone. A path is read as "/a/b", the root as "".
// Per pattern:
//   before(i)      components 0 … i-1 are matched and the next character, if any, is '/'
//   inside(i,a,k)  in component i, alternative a, before its token k
//   deep(i)        inside some component that the `**` at i stands for
// `before(n)` accepts.
namespace agp::model::automaton {

using CodePoint = std::uint32_t;

/// UTF-8 -> code points; a byte that is no part of valid UTF-8 becomes a value of its own behind the Unicode range.
inline std::vector<CodePoint> decode(std::string_view text) {
  std::vector<CodePoint> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    CodePoint value = length == 1 ? lead : lead & (0x7fu >> length);
    bool valid = length != 0 && i + length <= text.size();
    for (std::size_t k = 1; valid && k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      valid = (next & 0xc0) == 0x80;
      value = value << 6 | (next & 0x3f);
    }
    out.push_back(valid ? value : 0x110000u + lead);
    i += valid ? length : 1;
  }
  return out;
}

inline void encode(CodePoint c, std::string& out) {
  if (c >= 0x110000) {
    out += static_cast<char>(c - 0x110000);
    return;
  }
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  if (c >= 0x10000) out += static_cast<char>(0xf0 | c >> 18);
  if (c >= 0x800) out += static_cast<char>(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12);
  out += static_cast<char>(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
  out += static_cast<char>(0x80 | (c & 0x3f));
}

/// `D/**` and `D/*`, which for `list` include D.
inline bool lists_base(const PathComponent& last) {
  return last.any_depth || (last.alternatives.size() == 1 && last.alternatives[0].size() == 1 &&
                            last.alternatives[0][0].kind == PathToken::Kind::AnyRun);
}

/// One pattern, or several in one numbering of states: then a step costs what is still open and not how many there are.
class Automaton {
 public:
  Automaton() = default;
  Automaton(const PathPattern& pattern, bool as_list) { add(pattern, as_list); }

  /// Its states are numbered behind those of the patterns before it. Returns the one that accepts.
  std::uint32_t add(const PathPattern& pattern, bool as_list) {
    const std::size_t n = pattern.components.size();
    before_.resize(n + 1);
    for (auto& b : before_) b = state();
    start_.push_back(before_[0]);
    accept_ = before_[n];
    for (std::size_t i = 0; i < n; ++i) component(pattern.components[i], i, i + 1 == n);
    if (as_list && n > 0 && lists_base(pattern.components[n - 1])) states_[before_[n - 1]].empty.push_back(before_[n]);
    return accept_;
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(states_.size()); }

  using Set = std::vector<std::uint32_t>;  // sorted
  Set start() const { return close(start_); }
  Set step(const Set& from, CodePoint c) const {
    Set to;
    for (const std::uint32_t s : from)
      for (const auto& move : states_[s].moves)
        if (move.any ? c != '/' : move.c == c) to.push_back(move.to);
    return close(std::move(to));
  }
  /// Of one pattern.
  bool accepts(const Set& set) const { return std::binary_search(set.begin(), set.end(), accept_); }
  void alphabet(std::vector<CodePoint>& out) const {
    for (const auto& s : states_)
      for (const auto& m : s.moves)
        if (!m.any) out.push_back(m.c);
  }

 private:
  struct Move {
    bool any;
    CodePoint c;
    std::uint32_t to;
  };
  struct State {
    std::vector<Move> moves;
    std::vector<std::uint32_t> empty;
  };

  std::uint32_t state() {
    states_.emplace_back();
    return static_cast<std::uint32_t>(states_.size() - 1);
  }

  void component(const PathComponent& c, std::size_t i, bool last) {
    if (c.any_depth) {
      const std::uint32_t deep = state();
      states_[before_[i]].moves.push_back({false, '/', deep});
      states_[deep].moves.push_back({true, 0, deep});
      states_[deep].empty.push_back(before_[i]);
      if (last)
        states_[deep].empty.push_back(before_[i + 1]);
      else
        states_[before_[i]].empty.push_back(before_[i + 1]);
      return;
    }
    for (const auto& alternative : c.alternatives) {
      std::uint32_t at = state();
      states_[before_[i]].moves.push_back({false, '/', at});
      std::string literal;
      const auto flush = [&] {
        for (const CodePoint point : decode(literal)) {
          const std::uint32_t next = state();
          states_[at].moves.push_back({false, point, next});
          at = next;
        }
        literal.clear();
      };
      for (const PathToken& token : alternative) {
        if (token.kind == PathToken::Kind::Literal) {
          literal += token.byte;
          continue;
        }
        flush();
        const std::uint32_t next = state();
        if (token.kind == PathToken::Kind::AnyChar) {
          states_[at].moves.push_back({true, 0, next});
        } else {
          states_[at].moves.push_back({true, 0, at});
          states_[at].empty.push_back(next);
        }
        at = next;
      }
      flush();
      states_[at].empty.push_back(before_[i + 1]);
    }
  }

  Set close(Set set) const {
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    std::vector<std::uint32_t> work = set;
    while (!work.empty()) {
      const std::uint32_t s = work.back();
      work.pop_back();
      for (const std::uint32_t t : states_[s].empty) {
        const auto at = std::lower_bound(set.begin(), set.end(), t);
        if (at != set.end() && *at == t) continue;
        set.insert(at, t);
        work.push_back(t);
      }
    }
    return set;
  }

  std::vector<State> states_;
  std::vector<std::uint32_t> before_;  ///< of the pattern added last
  std::vector<std::uint32_t> start_;
  std::uint32_t accept_ = 0;
};

/// Where in a canonical path we are: names of components are not empty, `.` or `..`.
enum Canon : std::uint32_t { Root, Slash, Dot, DotDot, Name };
inline bool canon_step(Canon from, CodePoint c, Canon& to) {
  if (c == '/') {
    to = Slash;
    return from == Root || from == Name;
  }
  if (from == Root) return false;
  to = c == '.' && from == Slash ? Dot : c == '.' && from == Dot ? DotDot : Name;
  return true;
}
inline bool canon_end(Canon c) { return c == Root || c == Name; }

}  // namespace agp::model::automaton
