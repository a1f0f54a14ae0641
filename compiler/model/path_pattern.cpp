#include "compiler/model/path_pattern.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "compiler/model/path_automaton.hpp"
#include "compiler/model/path_search.hpp"

// The product of several patterns with the automaton of canonical paths is explored breadth first, one representative
// for all characters that no pattern names, so the first witness found is a shortest one.
namespace agp::model {
namespace {

using automaton::Automaton;
using automaton::Canon;
using automaton::canon_end;
using automaton::canon_step;
using automaton::CodePoint;
using automaton::decode;
using automaton::encode;
using automaton::lists_base;

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

namespace {

using Accepts = std::function<bool(const std::vector<bool>&)>;

void sort_once(std::vector<CodePoint>& alphabet) {
  std::sort(alphabet.begin(), alphabet.end());
  alphabet.erase(std::unique(alphabet.begin(), alphabet.end()), alphabet.end());
}

/// One readable character that no pattern names stands for all of them.
void add_spare(std::vector<CodePoint>& alphabet) {
  for (CodePoint c = 'x';; c = c == 'z' ? 'a' : c == 'w' ? 0x100 : c + 1)
    if (!std::binary_search(alphabet.begin(), alphabet.end(), c)) {
      alphabet.push_back(c);
      return;
    }
}

/// All patterns as one automaton, and what accepts which.
struct Patterns {
  Automaton automaton;
  std::vector<std::uint32_t> accepts;  ///< by pattern, ascending
  std::uint32_t first = 0;             ///< the states of the first pattern are those below

  void add(const PathPattern& pattern, bool as_list) {
    accepts.push_back(automaton.add(pattern, as_list));
    if (accepts.size() == 1) first = automaton.size();
  }
};

/// Many patterns that overlap make few states that are large.
constexpr std::size_t work_of_product_state = 50;

/// `needs_first`: `accept` holds only where the first pattern matches, so that what it can't match is not followed.
PathSearch explore(const Patterns& patterns, const std::vector<CodePoint>& alphabet, const Accepts& accept,
                   std::size_t state_limit, bool needs_first) {
  struct Product {
    Automaton::Set set;
    Canon canon;
    std::size_t parent;
    CodePoint by;
  };
  const Automaton& automaton = patterns.automaton;
  std::vector<std::size_t> pattern_of(automaton.size(), patterns.accepts.size());
  for (std::size_t i = 0; i < patterns.accepts.size(); ++i) pattern_of[patterns.accepts[i]] = i;
  std::vector<Product> states;
  std::unordered_map<std::string, std::size_t> seen;
  const auto key = [](const Product& p) {
    std::string k(1, static_cast<char>(p.canon));
    k.append(reinterpret_cast<const char*>(p.set.data()), p.set.size() * sizeof p.set[0]);
    return k;
  };
  PathSearch result;
  std::vector<bool> hits(patterns.accepts.size());
  const auto visit = [&](Product p) -> bool {  // true: a witness was found
    if (needs_first && (p.set.empty() || p.set.front() >= patterns.first)) return false;
    if (!seen.emplace(key(p), states.size()).second) return false;
    bool found = canon_end(p.canon);
    if (found) {
      for (const std::uint32_t s : p.set)
        if (pattern_of[s] < hits.size()) hits[pattern_of[s]] = true;
      found = accept(hits);
      for (const std::uint32_t s : p.set)
        if (pattern_of[s] < hits.size()) hits[pattern_of[s]] = false;
    }
    states.push_back(std::move(p));
    if (!found) return false;
    std::vector<CodePoint> back;
    for (std::size_t at = states.size() - 1; at != 0; at = states[at].parent) back.push_back(states[at].by);
    std::string path;
    for (auto c = back.rbegin(); c != back.rend(); ++c) encode(*c, path);
    result.witness = path.empty() ? "/" : path;
    return true;
  };

  if (visit({automaton.start(), Canon::Root, 0, 0})) return result;
  std::size_t work = 0;  // steps by one character from one place of one pattern
  for (std::size_t at = 0; at < states.size(); ++at) {
    work += alphabet.size() * (states[at].set.size() + 1);
    if (states.size() > state_limit || work / work_of_product_state > state_limit) {
      result.exhausted = true;
      return result;
    }
    for (const CodePoint c : alphabet) {
      Canon canon = Canon::Root;
      if (!canon_step(states[at].canon, c, canon)) continue;
      if (visit({automaton.step(states[at].set, c), canon, at, c})) return result;
    }
  }
  return result;
}

// ---- beneath a directory ----------------------------------------------------------------------------------------

std::vector<std::string> components_of(std::string_view directory) {
  std::vector<std::string> out;
  if (directory.size() > 1)
    while (!directory.empty()) out.emplace_back(take(directory));
  return out;
}

/// What of a pattern lies at and beneath a directory, as if the directory were the root.
struct Remainder {
  enum class Is { Nothing, All, Pattern };
  Is is = Is::Pattern;
  PathPattern pattern;
};

Remainder beneath(const PathPattern& p, std::span<const std::string> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == p.components.size()) return {Remainder::Is::Nothing, {}};
    const PathComponent& c = p.components[i];
    if (c.any_depth) return {Remainder::Is::All, {}};  // the last component: see `depth`
    if (!component_matches(c, names[i])) return {Remainder::Is::Nothing, {}};
  }
  Remainder out;
  out.pattern.components.assign(p.components.begin() + static_cast<std::ptrdiff_t>(names.size()), p.components.end());
  return out;
}

/// How many of the names every pattern can be followed along: none passes a `**` that other components stand behind.
std::size_t depth(std::span<const PathPattern* const> patterns, std::size_t most) {
  for (const PathPattern* p : patterns)
    for (std::size_t i = 0; i < most && i + 1 < p->components.size(); ++i)
      if (p->components[i].any_depth) most = i;
  return most;
}

void literals(const PathPattern& p, std::vector<CodePoint>& out) {
  std::string text;
  for (const PathComponent& c : p.components)
    for (const auto& tokens : c.alternatives) {
      text.clear();
      for (const PathToken& t : tokens) {
        if (t.kind == PathToken::Kind::Literal)
          text += t.byte;
        else
          text += '/';  // ends what is one character
      }
      for (const CodePoint point : decode(text)) out.push_back(point);
    }
}

}  // namespace

PathSearch find_path(std::span<const PathPattern* const> patterns, const Accepts& accept, std::size_t state_limit,
                     std::span<const bool> as_list) {
  Patterns all;
  std::vector<CodePoint> alphabet = {'/', '.'};
  for (std::size_t i = 0; i < patterns.size(); ++i) all.add(*patterns[i], !as_list.empty() && as_list[i]);
  all.automaton.alphabet(alphabet);
  sort_once(alphabet);
  add_spare(alphabet);
  return explore(all, alphabet, accept, state_limit, false);
}

PathSearch find_path_beneath(std::string_view directory, std::span<const PathPattern* const> patterns,
                             const Accepts& accept, std::size_t state_limit, std::span<const bool> as_list) {
  std::vector<std::string> names = components_of(directory);
  names.resize(depth(patterns, names.size()));
  Patterns here;
  std::vector<std::size_t> followed;  // the patterns that are in it
  std::vector<CodePoint> alphabet = {'/', '.'}, all = alphabet;
  std::vector<bool> hits(patterns.size());
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    literals(*patterns[i], all);
    const Remainder left = beneath(*patterns[i], names);
    hits[i] = left.is == Remainder::Is::All;
    if (left.is != Remainder::Is::Pattern) continue;
    here.add(left.pattern, !as_list.empty() && as_list[i]);
    followed.push_back(i);
  }
  here.automaton.alphabet(alphabet);
  sort_once(alphabet);
  sort_once(all);
  // of the characters that make no difference here, the first stands for all of them, as where all patterns are
  // followed
  const auto other = std::find_if(
      all.begin(), all.end(), [&](CodePoint c) { return !std::binary_search(alphabet.begin(), alphabet.end(), c); });
  if (other != all.end())
    alphabet.insert(std::lower_bound(alphabet.begin(), alphabet.end(), *other), *other);
  else
    add_spare(alphabet);
  if (!hits[0] && (followed.empty() || followed[0] != 0)) return {};
  PathSearch found = explore(
      here, alphabet,
      [&](const std::vector<bool>& some) {
        for (std::size_t i = 0; i < followed.size(); ++i) hits[followed[i]] = some[i];
        return accept(hits);
      },
      state_limit, !hits[0]);
  if (!found.witness) return found;
  std::string path;
  for (const std::string& name : names) path += "/" + name;
  if (*found.witness != "/") path += *found.witness;
  found.witness = path.empty() ? "/" : path;
  return found;
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
