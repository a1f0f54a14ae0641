#include "compiler/model/path_classes.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <unordered_set>

#include "compiler/model/path_automaton.hpp"

// Every literal directory of every pattern is a node of a tree. A path is a node of it, or lies beneath a deepest one
// without being or lying beneath one of its children: on each of these sets nodes and subtrees are constant. Patterns
// of other shapes vary there, and are explored as automata from that directory on.
namespace agp::model {
namespace {

using automaton::Automaton;
using automaton::Canon;
using automaton::CodePoint;

/// Many patterns that overlap make few states that are large.
constexpr std::size_t work_of_state = 200;

struct Branch {
  std::map<std::string, Branch> children;  ///< by name
  std::vector<std::size_t> nodes, subtrees, others;
};

class Cutter {
 public:
  Cutter(std::span<const PathPattern* const> patterns, std::span<const bool> as_list, std::size_t state_limit)
      : patterns_(patterns), as_list_(as_list), left_(state_limit), work_left_(work_of_state * state_limit) {
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      const PathPattern::Shape shape = patterns[i]->shape();
      Branch& at = place(literal_directory(*patterns[i]));
      (shape == PathPattern::Shape::Node      ? at.nodes
       : shape == PathPattern::Shape::Subtree ? at.subtrees
                                              : at.others)
          .push_back(i);
    }
  }

  PathClasses run() {
    walk(root_, "/", std::vector<bool>(patterns_.size()), {});
    return std::move(out_);
  }

 private:
  bool listing(std::size_t i) const { return !as_list_.empty() && as_list_[i]; }

  Branch& place(const std::string& path) {
    Branch* at = &root_;
    for (std::size_t begin = 1; begin < path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      at = &at->children[path.substr(begin, end - begin)];
      begin = end + 1;
    }
    return *at;
  }

  /// `hits`: the subtrees around this place. `others`: patterns of other shapes that start above it.
  void walk(const Branch& at, const std::string& path, std::vector<bool> hits, std::vector<std::size_t> others) {
    others.insert(others.end(), at.others.begin(), at.others.end());
    std::vector<bool> here = hits;
    for (const std::size_t i : at.nodes) here[i] = true;
    for (const std::size_t i : at.subtrees) here[i] = listing(i);
    for (const std::size_t i : others)
      here[i] = listing(i) ? patterns_[i]->matches_list(path) : patterns_[i]->matches(path);
    out_.classes.push_back({path, std::move(here)});

    for (const std::size_t i : at.subtrees) hits[i] = true;
    beneath(at, path, hits, others);
    for (const auto& [name, child] : at.children)
      walk(child, path == "/" ? "/" + name : path + "/" + name, hits, others);
  }

  /// What lies beneath `path`, but for its children and what lies beneath them.
  void beneath(const Branch& at, const std::string& path, const std::vector<bool>& hits,
               const std::vector<std::size_t>& others) {
    std::vector<Automaton> automata;
    std::vector<CodePoint> alphabet = {'/', '.'};
    std::vector<Automaton::Set> start;
    for (const std::size_t i : others) {
      automata.emplace_back(*patterns_[i], listing(i));
      Automaton::Set set = automata.back().start();
      if (path != "/")
        for (const CodePoint c : automaton::decode(path)) set = automata.back().step(set, c);
      start.push_back(std::move(set));
      automata.back().alphabet(alphabet);
    }
    std::sort(alphabet.begin(), alphabet.end());
    alphabet.erase(std::unique(alphabet.begin(), alphabet.end()), alphabet.end());
    alphabet.push_back(spare(at, alphabet));
    explore(at, path, hits, others, automata, alphabet, std::move(start));
  }

  /// A readable character that no pattern and no child names: it stands for all of them, and no name with it is a
  /// child's.
  static CodePoint spare(const Branch& at, const std::vector<CodePoint>& alphabet) {
    std::unordered_set<CodePoint> taken(alphabet.begin(), alphabet.end());
    for (const auto& [name, child] : at.children)
      for (const CodePoint c : automaton::decode(name)) taken.insert(c);
    CodePoint c = 'x';
    while (taken.contains(c)) c = c == 'z' ? 'a' : c == 'w' ? 'A' : c == 'Z' ? 0x100 : c + 1;
    return c;
  }

  struct State {
    std::vector<Automaton::Set> sets;
    Canon canon;
    std::string name;  ///< what was read of the first component, while it is how a child's name begins
    bool first;        ///< still in the first component, and `name` counts
    std::size_t parent;
    CodePoint by;
  };

  static bool begins_child(const Branch& at, const std::string& name) {
    const auto it = at.children.lower_bound(name);
    return it != at.children.end() && it->first.compare(0, name.size(), name) == 0;
  }

  void explore(const Branch& at, const std::string& path, const std::vector<bool>& hits,
               const std::vector<std::size_t>& others, const std::vector<Automaton>& automata,
               const std::vector<CodePoint>& alphabet, std::vector<Automaton::Set> start) {
    std::vector<State> states;
    std::unordered_set<std::string> seen;
    std::set<std::vector<bool>> found;
    states.push_back({std::move(start), path == "/" ? Canon::Root : Canon::Name, "", true, 0, 0});
    for (std::size_t s = 0; s < states.size(); ++s) {
      std::size_t work = automata.size();
      for (const Automaton::Set& set : states[s].sets) work += set.size();
      work *= alphabet.size();
      if (left_ == 0 || work_left_ < work) {
        out_.exhausted = true;
        return;
      }
      --left_;
      work_left_ -= work;
      for (const CodePoint c : alphabet) {
        State next{{}, Canon::Root, states[s].name, states[s].first, s, c};
        if (s == 0 && c != '/') continue;  // strictly beneath
        if (!automaton::canon_step(states[s].canon, c, next.canon)) continue;
        if (s != 0 && next.first && c == '/' && at.children.contains(next.name)) continue;  // a child's own place
        if (s != 0 && next.first && c != '/') automaton::encode(c, next.name);
        next.first = s == 0 || (next.first && c != '/' && begins_child(at, next.name));
        if (!next.first) next.name.clear();
        for (std::size_t i = 0; i < automata.size(); ++i) next.sets.push_back(automata[i].step(states[s].sets[i], c));
        if (!seen.insert(key(next)).second) continue;
        const bool ends = automaton::canon_end(next.canon) && !(next.first && at.children.contains(next.name));
        states.push_back(std::move(next));
        if (ends) record(path, hits, others, automata, states, found);
      }
    }
  }

  static std::string key(const State& state) {
    std::string k(1, static_cast<char>(state.canon));
    k += state.first ? 'f' : 'o';
    k += state.name;
    k += '\0';
    for (const auto& set : state.sets) {
      for (const std::uint32_t s : set) k.append(reinterpret_cast<const char*>(&s), sizeof s);
      k.append(4, '\xff');
    }
    return k;
  }

  void record(const std::string& path, const std::vector<bool>& hits, const std::vector<std::size_t>& others,
              const std::vector<Automaton>& automata, const std::vector<State>& states,
              std::set<std::vector<bool>>& found) {
    std::vector<bool> all = hits;
    for (std::size_t i = 0; i < automata.size(); ++i) all[others[i]] = automata[i].accepts(states.back().sets[i]);
    if (!found.insert(all).second) return;
    std::vector<CodePoint> back;
    for (std::size_t s = states.size() - 1; s != 0; s = states[s].parent) back.push_back(states[s].by);
    std::string text = path == "/" ? "" : path;
    for (auto c = back.rbegin(); c != back.rend(); ++c) automaton::encode(*c, text);
    out_.classes.push_back({std::move(text), std::move(all)});
  }

  std::span<const PathPattern* const> patterns_;
  std::span<const bool> as_list_;
  std::size_t left_, work_left_;  ///< of states; of steps by one character from one place of one pattern
  Branch root_;
  PathClasses out_;
};

}  // namespace

std::string literal_directory(const PathPattern& pattern) {
  std::string out;
  for (const PathComponent& c : pattern.components) {
    if (!c.literal()) break;
    out += '/' + c.literal_text();
  }
  return out.empty() ? "/" : out;
}

PathClasses path_classes(std::span<const PathPattern* const> patterns, std::span<const bool> as_list,
                         std::size_t state_limit) {
  return Cutter(patterns, as_list, state_limit).run();
}

}  // namespace agp::model
