#include "backends/seccomp/emit/words.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "backends/seccomp/format.hpp"

// What is done to one call's decision diagram before it becomes code: the order of its words, and tests that others
// imply.
namespace agp::backends::seccomp {
namespace {

using Ref = Diagram::Ref;

constexpr std::size_t many_nodes = 64;

std::vector<Ref> reachable(const Diagram& d, Ref root, std::size_t limit) {
  std::vector<Ref> out;
  std::set<Ref> seen{root};
  if (!Diagram::is_leaf(root)) out.push_back(root);
  for (std::size_t i = 0; i < out.size() && out.size() <= limit; ++i)
    for (const auto& e : d.node(out[i]).edges)
      if (!Diagram::is_leaf(e.to) && seen.insert(e.to).second) out.push_back(e.to);
  return out;
}

/// What an earlier test on the word says: `word & mask` lies in [first, last].
struct Fact {
  std::uint32_t mask, first, last;
  friend auto operator<=>(const Fact&, const Fact&) = default;
};

/// Is there a word with which every fact agrees? Bit by bit from the top; a state says of each fact whether the bits so
/// far equal those of its lower, of its upper bound.
bool possible(const std::vector<Fact>& facts) {
  std::set<std::uint32_t> states{(1u << (2 * facts.size())) - 1};
  for (int bit = 31; bit >= 0 && !states.empty(); --bit) {
    std::set<std::uint32_t> next;
    for (const std::uint32_t state : states)
      for (const std::uint32_t value : {0u, 1u}) {
        std::uint32_t to = state;
        bool fits = true;
        for (std::size_t f = 0; f < facts.size(); ++f) {
          const std::uint32_t seen = value & facts[f].mask >> bit, low = facts[f].first >> bit & 1,
                              high = facts[f].last >> bit & 1;
          const std::uint32_t at_low = 1u << (2 * f), at_high = 2u << (2 * f);
          if ((state & at_low) != 0) {
            fits &= seen >= low;
            if (seen > low) to &= ~at_low;
          }
          if ((state & at_high) != 0) {
            fits &= seen <= high;
            if (seen < high) to &= ~at_high;
          }
        }
        if (fits) next.insert(to);
      }
    states = std::move(next);
  }
  return !states.empty();
}

class Simplifier {
 public:
  explicit Simplifier(Diagram& diagram) : diagram_(diagram) {}

  Ref run(Ref root) {
    const Ref out = simplify(root, {});
    return given_up_ ? root : out;
  }

 private:
  Ref simplify(Ref r, std::vector<Fact> facts) {
    if (Diagram::is_leaf(r) || given_up_) return r;
    const Diagram::Node node = diagram_.node(r);  // a copy: the diagram grows
    if (!facts.empty() && rank_of_facts_ != node.view.rank) facts.clear();
    if (facts.size() > 3) facts.erase(facts.begin());
    const std::pair key{r, facts};
    if (const auto it = known_.find(key); it != known_.end()) return it->second;
    if (known_.size() > 2000) given_up_ = true;
    std::vector<Diagram::Edge> edges;
    std::uint64_t first = 0;
    for (const auto& e : node.edges) {
      std::vector<Fact> with = facts;
      with.push_back({node.view.mask, static_cast<std::uint32_t>(first), e.last});
      first = std::uint64_t{e.last} + 1;
      if (!facts.empty() && !possible(with)) {
        if (!edges.empty()) edges.back().last = e.last;  // never asked about: joined to a neighbour
        continue;
      }
      rank_of_facts_ = node.view.rank;
      edges.push_back({e.last, simplify(e.to, std::move(with))});
    }
    return known_[key] = diagram_.make(node.view, std::move(edges));
  }

  Diagram& diagram_;
  std::map<std::pair<Ref, std::vector<Fact>>, Ref> known_;
  unsigned rank_of_facts_ = 0;  ///< of the word that the facts at hand are about
  bool given_up_ = false;
};

}  // namespace

std::vector<std::uint64_t> edge_weights(const Diagram::Node& node) {
  std::vector<std::uint64_t> out;
  for (const auto& e : node.edges) {
    const bool denied = Diagram::is_leaf(e.to) && Diagram::word(e.to) != format::ret_allow;
    out.push_back((denied ? 1u : 8u) * (out.empty() ? 3u : 1u));
  }
  return out;
}

Tree word_tree(const Diagram::Node& node) {
  std::map<Ref, std::uint32_t> outcomes;
  std::vector<Piece> pieces;
  const auto weights = edge_weights(node);
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < node.edges.size(); ++i) {
    const auto& e = node.edges[i];
    const auto id = outcomes.try_emplace(e.to, static_cast<std::uint32_t>(outcomes.size())).first->second;
    pieces.push_back({static_cast<std::uint32_t>(first), e.last, id, weights[i]});
    first = std::uint64_t{e.last} + 1;
  }
  return two_way_tree(pieces);
}

Ordering::Ordering(const Diagram& diagram, Ref root) : diagram_(diagram), best_(root) {
  const auto nodes = reachable(diagram, root, many_nodes);
  if (nodes.size() > many_nodes) return;
  std::set<unsigned> words;
  for (const Ref r : nodes) {
    const View& v = diagram.node(r).view;
    words.insert(2 * v.argument + (v.low ? 1 : 0));
  }
  words_.assign(words.begin(), words.end());
  if (words_.size() > 1) best_cost_ = cost(root);
}

std::vector<WordOrder> Ordering::candidates() const {
  std::vector<WordOrder> out;
  if (words_.size() < 2) return out;
  const auto order = [&](const std::vector<unsigned>& words) {
    WordOrder one = natural_order;
    for (auto& rank : one) rank = static_cast<std::uint8_t>(rank + words.size());
    for (std::size_t i = 0; i < words.size(); ++i) one[words[i]] = static_cast<std::uint8_t>(i);
    out.push_back(one);
  };
  for (std::size_t i = 1; i < words_.size(); ++i) {
    std::vector<unsigned> words = words_;
    std::rotate(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i),
                words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    order(words);
  }
  if (words_.size() > 2) order({words_.rbegin(), words_.rend()});
  return out;
}

void Ordering::offer(Ref root) {
  const std::uint64_t c = cost(root);
  if (c < best_cost_) {
    best_cost_ = c;
    best_ = root;
  }
}

std::uint64_t Ordering::cost(Ref r) {
  if (Diagram::is_leaf(r)) return 0;
  if (const auto it = known_.find(r); it != known_.end()) return it->second;
  const Diagram::Node& node = diagram_.node(r);
  const auto weights = edge_weights(node);
  const Tree tree = word_tree(node);
  std::vector<std::uint64_t> depth(tree.tests.size(), 0);
  std::map<int, std::uint64_t> ends;  // by piece: the tests before it; pieces with one outcome may share an end
  for (std::size_t i = tree.tests.size(); i-- > 0;)
    for (const int next : {tree.tests[i].yes, tree.tests[i].no}) {
      if (next >= 0)
        depth[static_cast<std::size_t>(next)] = depth[i] + 1;
      else
        ends[~next] = depth[i] + 1;
    }
  std::uint64_t sum = 0, weight = 0, deepest = 0;
  for (const auto& [piece, tests] : ends) deepest = std::max(deepest, tests);
  for (std::size_t i = 0; i < node.edges.size(); ++i) {
    const auto it = ends.find(static_cast<int>(i));
    sum += weights[i] * (cost(node.edges[i].to) + 1024 * (it == ends.end() ? deepest : it->second));
    weight += weights[i];
  }
  const bool masked = node.view.mask != 0xffffffff;
  return known_[r] = sum / weight + 1024 * (masked ? 2 : 1) + 1;  // a node more is a little worse
}

Ref without_implied_tests(Diagram& diagram, Ref root) { return Simplifier(diagram).run(root); }

}  // namespace agp::backends::seccomp
