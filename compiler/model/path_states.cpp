#include "compiler/model/path_states.hpp"

#include <unordered_set>
#include <utility>

#include "compiler/model/path_automaton.hpp"

namespace agp::model {

using namespace automaton;

std::optional<std::vector<std::string>> path_states(std::span<const PathPattern* const> patterns, std::size_t limit) {
  std::vector<Automaton> automata;
  std::vector<CodePoint> alphabet = {'/', '.'};
  for (const PathPattern* p : patterns)
    for (const bool as_list : {false, true}) {
      automata.emplace_back(*p, as_list);
      automata.back().alphabet(alphabet);
    }
  std::sort(alphabet.begin(), alphabet.end());
  alphabet.erase(std::unique(alphabet.begin(), alphabet.end()), alphabet.end());
  CodePoint other = 'x';  // one that no pattern names stands for all of them
  while (std::binary_search(alphabet.begin(), alphabet.end(), other)) other = other == 'z' ? 0x100 : other + 1;
  alphabet.push_back(other);

  struct State {
    std::vector<std::pair<std::uint32_t, Automaton::Set>> live;  ///< of the automata that can still accept: most can't
    Canon canon = Canon::Root;
    std::string text;
  };
  std::vector<State> states;
  std::unordered_set<std::string> seen;
  const auto visit = [&](State s) {
    std::string key(1, static_cast<char>(s.canon));
    for (const auto& [automaton, set] : s.live) {
      key.append(reinterpret_cast<const char*>(&automaton), sizeof automaton);
      for (const std::uint32_t one : set) key.append(reinterpret_cast<const char*>(&one), sizeof one);
      key.append(4, '\xff');
    }
    if (seen.insert(std::move(key)).second) states.push_back(std::move(s));
  };
  State start;
  for (std::uint32_t i = 0; i < automata.size(); ++i) start.live.emplace_back(i, automata[i].start());
  visit(std::move(start));
  for (std::size_t at = 0; at < states.size(); ++at) {
    if (states.size() > limit) return std::nullopt;
    for (const CodePoint c : alphabet) {
      State next;
      if (!canon_step(states[at].canon, c, next.canon)) continue;
      for (const auto& [automaton, set] : states[at].live)
        if (Automaton::Set after = automata[automaton].step(set, c); !after.empty())
          next.live.emplace_back(automaton, std::move(after));
      next.text = states[at].text;
      encode(c, next.text);
      visit(std::move(next));
    }
  }
  std::vector<std::string> out;
  for (State& s : states) out.push_back(std::move(s.text));
  return out;
}

}  // namespace agp::model
