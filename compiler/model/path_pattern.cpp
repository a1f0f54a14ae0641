#include "compiler/model/path_pattern.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <unordered_map>

// Path patterns as automata over code points. A path is read as "/a/b", the root as "". Per pattern:
//   before(i)      components 0 … i-1 are matched and the next character, if any, is '/'
//   inside(i,a,k)  in component i, alternative a, before its token k
//   deep(i)        inside some component that the `**` at i stands for
// `before(n)` accepts. The product of several patterns with the automaton of canonical paths is explored breadth first,
// one representative for all characters that no pattern names, so the first witness found is a shortest one.
namespace agp::model {
namespace {

using CodePoint = std::uint32_t;

/// UTF-8 -> code points; a byte that is no part of valid UTF-8 becomes a value of its own behind the Unicode range.
std::vector<CodePoint> decode(std::string_view text) {
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

void encode(CodePoint c, std::string& out) {
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
bool lists_base(const PathComponent& last) {
  return last.any_depth || (last.alternatives.size() == 1 && last.alternatives[0].size() == 1 &&
                            last.alternatives[0][0].kind == PathToken::Kind::AnyRun);
}

class Automaton {
 public:
  Automaton(const PathPattern& pattern, bool as_list) {
    const std::size_t n = pattern.components.size();
    before_.resize(n + 1);
    for (auto& b : before_) b = state();
    accept_ = before_[n];
    for (std::size_t i = 0; i < n; ++i) component(pattern.components[i], i, i + 1 == n);
    if (as_list && n > 0 && lists_base(pattern.components[n - 1])) states_[before_[n - 1]].empty.push_back(before_[n]);
  }

  using Set = std::vector<std::uint32_t>;  // sorted
  Set start() const { return close({before_[0]}); }
  Set step(const Set& from, CodePoint c) const {
    Set to;
    for (const std::uint32_t s : from)
      for (const auto& move : states_[s].moves)
        if (move.any ? c != '/' : move.c == c) to.push_back(move.to);
    return close(std::move(to));
  }
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
  std::vector<std::uint32_t> before_;
  std::uint32_t accept_ = 0;
};

bool run(const PathPattern& pattern, std::string_view path, bool as_list) {
  const Automaton automaton(pattern, as_list);
  auto set = automaton.start();
  if (path != "/")
    for (const CodePoint c : decode(path)) {
      set = automaton.step(set, c);
      if (set.empty()) return false;
    }
  return automaton.accepts(set);
}

// ---- one path, without an automaton ---------------------------------------------------------------------------------
// The plan asks this some ten thousand times for one policy. Only for paths of ASCII, where a byte is a code point.

bool ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

/// `*` and `?` in one component: the last `*` takes one character more whenever the rest does not fit. O(a × b).
bool glob(const std::vector<PathToken>& tokens, std::string_view name) {
  std::size_t t = 0, i = 0, star = tokens.size(), resume = 0;
  while (i < name.size()) {
    const bool token = t < tokens.size();
    if (token && tokens[t].kind == PathToken::Kind::AnyRun) {
      star = t++;
      resume = i;
    } else if (token && (tokens[t].kind == PathToken::Kind::AnyChar || tokens[t].byte == name[i])) {
      ++t;
      ++i;
    } else if (star < tokens.size()) {
      t = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (t < tokens.size() && tokens[t].kind == PathToken::Kind::AnyRun) ++t;
  return t == tokens.size();
}

bool fits(const PathComponent& component, std::string_view name) {
  return std::any_of(component.alternatives.begin(), component.alternatives.end(),
                     [&](const auto& tokens) { return glob(tokens, name); });
}

/// What stands before the next component, and that component; the path is empty or begins with '/'.
std::string_view take(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view name = path.substr(0, path.find('/'));
  path.remove_prefix(name.size());
  return name;
}

/// The components match the whole path; `**` is any number of its components, and one at least where it stands last
/// and `strictly`. As with `*`, only the last `**` is ever reconsidered.
bool fits(std::span<const PathComponent> components, std::string_view path, bool strictly) {
  std::size_t c = 0, deep = components.size();
  std::string_view resume;
  const auto reconsider = [&] {
    if (deep == components.size() || resume.empty()) return false;
    take(resume);
    path = resume;
    c = deep + 1;
    return true;
  };
  while (true) {
    if (c < components.size() && components[c].any_depth) {
      deep = c++;
      if (c == components.size()) return !strictly || !path.empty();
      resume = path;
      continue;
    }
    if (path.empty() && c == components.size()) return true;
    if (!path.empty() && c < components.size() && fits(components[c], take(path))) {
      ++c;
      continue;
    }
    if (!reconsider()) return false;
  }
}

/// Where in a canonical path we are: names of components are not empty, `.` or `..`.
enum Canon : std::uint32_t { Root, Slash, Dot, DotDot, Name };
bool canon_step(Canon from, CodePoint c, Canon& to) {
  if (c == '/') {
    to = Slash;
    return from == Root || from == Name;
  }
  if (from == Root) return false;
  to = c == '.' && from == Slash ? Dot : c == '.' && from == Dot ? DotDot : Name;
  return true;
}
bool canon_end(Canon c) { return c == Root || c == Name; }

}  // namespace

bool PathComponent::literal() const {
  return !any_depth && alternatives.size() == 1 &&
         std::all_of(alternatives[0].begin(), alternatives[0].end(),
                     [](const PathToken& t) { return t.kind == PathToken::Kind::Literal; });
}

std::string PathComponent::literal_text() const {
  std::string out;
  for (const PathToken& t : alternatives[0]) out += t.byte;
  return out;
}

PathPattern::Shape PathPattern::shape() const {
  if (components.empty()) return Shape::Node;
  const auto last = components.end() - 1;
  if (!std::all_of(components.begin(), last, [](const PathComponent& c) { return c.literal(); })) return Shape::Other;
  return last->any_depth ? Shape::Subtree : last->literal() ? Shape::Node : Shape::Other;
}

std::string PathPattern::base() const {
  std::string out;
  for (const PathComponent& c : components)
    if (!c.any_depth) out += '/' + c.literal_text();
  return out.empty() ? "/" : out;
}

bool PathPattern::matches(std::string_view path) const {
  if (path.starts_with('/') && ascii(path)) return fits(components, path == "/" ? path.substr(1) : path, true);
  switch (shape()) {  // the common shapes without an automaton
    case Shape::Node:
      return base() == path;
    case Shape::Subtree:
      return is_beneath(path, base());
    case Shape::Other:
      break;
  }
  return run(*this, path, false);
}

bool PathPattern::matches_list(std::string_view path) const {
  if (path.starts_with('/') && ascii(path)) {
    const std::string_view below = path == "/" ? path.substr(1) : path;
    if (fits(components, below, true)) return true;
    return !components.empty() && lists_base(components.back()) &&
           fits(std::span(components).first(components.size() - 1), below, false);
  }
  switch (shape()) {
    case Shape::Node:
      return base() == path;
    case Shape::Subtree:
      return base() == path || is_beneath(path, base());
    case Shape::Other:
      break;
  }
  return run(*this, path, true);
}

PathPattern path_node(std::string_view path) {
  PathPattern out;
  out.text = path;
  while (path.size() > 1) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('/'));
    PathComponent component;
    component.alternatives.emplace_back();
    for (const char c : name) component.alternatives[0].push_back({PathToken::Kind::Literal, c});
    out.components.push_back(std::move(component));
    path.remove_prefix(name.size());
  }
  return out;
}

PathPattern path_subtree(std::string_view path) {
  PathPattern out = path_node(path);
  out.text = path == "/" ? "/**" : out.text + "/**";
  PathComponent deep;
  deep.any_depth = true;
  out.components.push_back(std::move(deep));
  return out;
}

PathSearch find_path(std::span<const PathPattern* const> patterns,
                     const std::function<bool(const std::vector<bool>&)>& accept, std::size_t state_limit,
                     std::span<const bool> as_list) {
  std::vector<Automaton> automata;
  std::vector<CodePoint> alphabet = {'/', '.'};
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    automata.emplace_back(*patterns[i], !as_list.empty() && as_list[i]);
    automata.back().alphabet(alphabet);
  }
  std::sort(alphabet.begin(), alphabet.end());
  alphabet.erase(std::unique(alphabet.begin(), alphabet.end()), alphabet.end());
  // one readable character that no pattern names stands for all of them
  for (CodePoint c = 'x';; c = c == 'z' ? 'a' : c == 'w' ? 0x100 : c + 1)
    if (!std::binary_search(alphabet.begin(), alphabet.end(), c)) {
      alphabet.push_back(c);
      break;
    }

  struct Product {
    std::vector<Automaton::Set> sets;
    Canon canon;
    std::size_t parent;
    CodePoint by;
  };
  std::vector<Product> states;
  std::unordered_map<std::string, std::size_t> seen;
  const auto key = [](const Product& p) {
    std::string k(1, static_cast<char>(p.canon));
    for (const auto& set : p.sets) {
      for (const std::uint32_t s : set) k.append(reinterpret_cast<const char*>(&s), sizeof s);
      k.append(4, '\xff');
    }
    return k;
  };
  PathSearch result;
  std::vector<bool> hits(patterns.size());
  const auto visit = [&](Product p) -> bool {  // true: a witness was found
    if (!seen.emplace(key(p), states.size()).second) return false;
    for (std::size_t i = 0; i < automata.size(); ++i) hits[i] = automata[i].accepts(p.sets[i]);
    const bool found = canon_end(p.canon) && accept(hits);
    states.push_back(std::move(p));
    if (!found) return false;
    std::vector<CodePoint> back;
    for (std::size_t at = states.size() - 1; at != 0; at = states[at].parent) back.push_back(states[at].by);
    std::string path;
    for (auto c = back.rbegin(); c != back.rend(); ++c) encode(*c, path);
    result.witness = path.empty() ? "/" : path;
    return true;
  };

  Product start{{}, Root, 0, 0};
  for (const Automaton& a : automata) start.sets.push_back(a.start());
  if (visit(std::move(start))) return result;
  for (std::size_t at = 0; at < states.size(); ++at) {
    if (states.size() > state_limit) {
      result.exhausted = true;
      return result;
    }
    for (const CodePoint c : alphabet) {
      Product next{{}, Root, at, c};
      if (!canon_step(states[at].canon, c, next.canon)) continue;
      for (std::size_t i = 0; i < automata.size(); ++i) next.sets.push_back(automata[i].step(states[at].sets[i], c));
      if (visit(std::move(next))) return result;
    }
  }
  return result;
}

bool is_canonical_path(std::string_view path) {
  if (path == "/") return true;
  if (path.empty() || path[0] != '/') return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('/'));
    if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string_view::npos) return false;
    path.remove_prefix(name.size());
  }
  return true;
}

bool is_beneath(std::string_view path, std::string_view directory) {
  if (directory == "/") return path.size() > 1;
  return path.size() > directory.size() && path.substr(0, directory.size()) == directory &&
         path[directory.size()] == '/';
}

std::string parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

}  // namespace agp::model
