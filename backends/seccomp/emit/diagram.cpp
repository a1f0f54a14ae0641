#include "backends/seccomp/emit/diagram.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace agp::backends::seccomp {
namespace {

/// The largest value up to `v` that `word & mask` can have.
std::uint32_t largest_possible(std::uint32_t v, std::uint32_t mask) {
  const std::uint32_t outside = v & ~mask;
  if (outside == 0) return v;
  const std::uint32_t below = (std::uint32_t{1} << (31 - std::countl_zero(outside))) - 1;
  return (v & mask & ~below) | (mask & below);
}

std::uint64_t mix(std::uint64_t h, std::uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15ull + (h >> 29); }

}  // namespace

std::size_t Diagram::Hash::operator()(const Key& k) const { return mix(mix(mix(7, k.a), k.b), k.c); }

std::size_t Diagram::Hash::operator()(const Node& n) const {
  std::uint64_t h = mix(mix(mix(n.view.rank, n.view.argument), n.view.low), n.view.mask);
  for (const Edge& e : n.edges) h = mix(mix(h, e.last), e.to);
  return h;
}

/// Normal form: only intervals that hold a possible value, each ending at one, neighbours different.
Diagram::Ref Diagram::make(const View& view, std::vector<Edge> edges) {
  std::vector<Edge> kept;
  std::uint64_t start = 0;
  for (const Edge& e : edges) {
    const std::uint32_t last = largest_possible(e.last, view.mask);
    if (last < start) continue;
    if (!kept.empty() && kept.back().to == e.to)
      kept.back().last = last;
    else
      kept.push_back({last, e.to});
    start = std::uint64_t{last} + 1;
  }
  if (kept.size() == 1) return kept.front().to;
  Node node{view, std::move(kept)};
  if (const auto it = known_.find(node); it != known_.end()) return it->second;
  if (nodes_.size() >= node_limit) {
    exhausted_ = true;
    return no;
  }
  nodes_.push_back(node);
  return known_.emplace(std::move(node), nodes_.size() - 1).first->second;
}

Diagram::Ref Diagram::interval(const View& view, std::uint32_t first, std::uint32_t last) {
  std::vector<Edge> edges;
  if (first > 0) edges.push_back({first - 1, no});
  edges.push_back({last, yes});
  if (last < 0xffffffff) edges.push_back({0xffffffff, no});
  return make(view, std::move(edges));
}

Diagram::Ref Diagram::member(const View& view, const std::vector<std::uint32_t>& values) {
  std::vector<Edge> edges;
  for (const std::uint32_t v : values) {
    if (v > 0 && (edges.empty() || edges.back().last != v - 1)) edges.push_back({v - 1, no});
    edges.push_back({v, yes});
  }
  if (values.empty() || values.back() < 0xffffffff) edges.push_back({0xffffffff, no});
  return make(view, std::move(edges));
}

Diagram::Ref Diagram::choose_by_word(Ref condition, Ref then, Ref otherwise) {
  if (exhausted_) return no;
  const Key key{condition, then, otherwise};
  if (const auto it = chosen_.find(key); it != chosen_.end()) return it->second;

  const std::array<Ref, 3> operands{condition, then, otherwise};
  const View* top = nullptr;
  for (const Ref r : operands)
    if (!is_leaf(r) && (!top || nodes_[r].view < *top)) top = &nodes_[r].view;
  const View view = *top;

  // Copies: the recursion below may move nodes_.
  std::array<std::vector<Edge>, 3> lists;
  for (std::size_t i = 0; i < 3; ++i)
    lists[i] = is_leaf(operands[i]) || nodes_[operands[i]].view != view ? std::vector<Edge>{{view.mask, operands[i]}}
                                                                        : nodes_[operands[i]].edges;
  std::vector<Edge> edges;
  std::array<std::size_t, 3> at{};
  for (;;) {
    std::uint32_t last = view.mask;
    for (std::size_t i = 0; i < 3; ++i) last = std::min(last, lists[i][at[i]].last);
    edges.push_back({last, choose(lists[0][at[0]].to, lists[1][at[1]].to, lists[2][at[2]].to)});
    if (last == view.mask) break;
    for (std::size_t i = 0; i < 3; ++i)
      if (lists[i][at[i]].last == last) ++at[i];
  }
  const Ref result = make(view, std::move(edges));
  chosen_.emplace(key, result);
  return result;
}

}  // namespace agp::backends::seccomp
