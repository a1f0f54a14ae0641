// Where and why tokens stop being a phrase. In: a rule and a row of tokens. Out: the first token that can't stand where
// it stands, and everything that could. The generated parser predicts, so the place where it gives up need not be the
// first impossible token; this simulation of the same automaton with explicit stacks always finds that one.
#include "compiler/syntax/viable.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace agp::syntax::detail {

bool names_phrase(R rule) {
  switch (rule) {
    case R::item:
    case R::statement:
    case R::value:
    case R::endpoint:
    case R::netTargets:
    case R::netTarget:
    case R::portPart:
    case R::port:
    case R::addresses:
    case R::addressPart:
    case R::address:
    case R::itemName:
    case R::name:
    case R::limitName:
    case R::syscallName:
    case R::names:
    case R::strings:
    case R::protocols:
    case R::protocol:
    case R::type:
    case R::parameter:
    case R::argument:
    case R::syscallPatterns:
    case R::syscallPattern:
    case R::condition:
    case R::constant:
    case R::constantTerm:
    case R::comparison:
    case R::modifier:
    case R::actionPattern:
    case R::fact:
    case R::effect:
    case R::fileVerb:
    case R::denial:
    case R::requirement:
    case R::isolationWord:
    case R::mountOption:
      return true;
    default:
      return false;
  }
}

namespace {

/// Stacks of return states, shared: equal stacks have equal numbers.
class Stacks {
 public:
  static constexpr std::uint32_t empty = 0;
  Stacks() : nodes_(1) {}
  std::uint32_t push(std::uint32_t below, std::uint32_t state) {
    const auto [it, fresh] = known_.try_emplace({below, state}, static_cast<std::uint32_t>(nodes_.size()));
    if (fresh) nodes_.push_back({below, state});
    return it->second;
  }
  std::uint32_t below(std::uint32_t stack) const { return nodes_[stack].first; }
  std::uint32_t state(std::uint32_t stack) const { return nodes_[stack].second; }

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> nodes_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> known_;
};

using Place = std::pair<std::uint32_t, std::uint32_t>;  // state, stack

class Simulation {
 public:
  explicit Simulation(R rule) : grammar_(automaton()) {
    now_.push_back({grammar_.starts[static_cast<std::size_t>(rule)], Stacks::empty});
  }

  /// Takes one token; false, and nothing changes, when it can't stand here.
  bool take(T type) {
    std::vector<Place> next;
    visit(now_, [&](const Place& place, const Automaton::Edge& edge) {
      if (std::find(edge.tokens.begin(), edge.tokens.end(), type) != edge.tokens.end())
        next.push_back({edge.target, place.second});
    });
    if (next.empty()) return false;
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    now_ = std::move(next);
    return true;
  }

  bool complete() {
    visit(now_, [](const Place&, const Automaton::Edge&) {});
    return at_end_;
  }

  void describe(Viability& out) {
    out.tokens.assign(token_types, false);
    visit(now_, [&](const Place&, const Automaton::Edge& edge) {
      for (const T type : edge.tokens) out.tokens[static_cast<std::size_t>(type)] = true;
    });
    out.complete = at_end_;
    phrases_ = &out.options;
    visit(now_, [&](const Place& place, const Automaton::Edge& edge) {
      for (const T type : edge.tokens) add({false, R{}, type, grammar_.states[place.first].rule});
    });
    phrases_ = nullptr;
    for (std::uint32_t stack = now_.front().second; stack != Stacks::empty; stack = stacks_.below(stack))
      out.inside.insert(out.inside.begin(), grammar_.states[stacks_.state(stack)].rule);
    out.inside.push_back(grammar_.states[now_.front().first].rule);
  }

 private:
  void add(const Option& option) {
    if (std::find(phrases_->begin(), phrases_->end(), option) == phrases_->end()) phrases_->push_back(option);
  }

  /// Follows every edge that takes no token, and calls `found` for those that take one. While `phrases_` is set, a
  /// phrase with a name is written down instead of being entered.
  template <typename Found>
  void visit(const std::vector<Place>& from, Found found) {
    at_end_ = false;
    std::set<Place> seen;
    std::vector<Place> open(from.rbegin(), from.rend());
    while (!open.empty()) {
      const Place place = open.back();
      open.pop_back();
      if (!seen.insert(place).second) continue;
      const Automaton::State& state = grammar_.states[place.first];
      if (state.stop) {
        if (place.second == Stacks::empty) {
          at_end_ = true;
        } else {
          open.push_back({stacks_.state(place.second), stacks_.below(place.second)});
        }
      }
      // Backwards, so that the first alternative is visited first.
      for (auto edge = state.edges.rbegin(); edge != state.edges.rend(); ++edge) {
        switch (edge->kind) {
          case Automaton::Edge::Kind::Free:
            open.push_back({edge->target, place.second});
            break;
          case Automaton::Edge::Kind::Tokens:
            found(place, *edge);
            break;
          case Automaton::Edge::Kind::Rule:
            if (phrases_ != nullptr && names_phrase(edge->rule)) {
              add({true, edge->rule, T{}, state.rule});
            } else {
              open.push_back(
                  {grammar_.starts[static_cast<std::size_t>(edge->rule)], stacks_.push(place.second, edge->target)});
            }
            break;
        }
      }
    }
  }

  const Automaton& grammar_;
  Stacks stacks_;
  std::vector<Place> now_;
  std::vector<Option>* phrases_ = nullptr;
  bool at_end_ = false;
};

}  // namespace

Viability viability(R rule, const std::vector<T>& types) {
  Viability out;
  Simulation simulation(rule);
  while (out.at < types.size() && simulation.take(types[out.at])) ++out.at;
  if (out.at == types.size() && simulation.complete()) {
    out.accepted = out.complete = true;
    return out;
  }
  simulation.describe(out);
  return out;
}

Viability viability_at(R rule, const std::vector<T>& types, std::uint32_t at) {
  Viability out;
  Simulation simulation(rule);
  while (out.at < at && simulation.take(types[out.at])) ++out.at;
  simulation.describe(out);
  return out;
}

}  // namespace agp::syntax::detail
