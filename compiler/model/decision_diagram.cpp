#include "compiler/model/decision_diagram.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace agp::model {
namespace {

constexpr std::uint32_t no_bit = ~0u;

std::size_t mix(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t h = a * 0x9e3779b97f4a7c15ull + b;
  h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull + c;
  h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull;
  return h ^ (h >> 32);
}

}  // namespace

DecisionDiagrams::DecisionDiagrams(std::size_t limit)
    : limit_(limit), nodes_{{no_bit, no, no}, {no_bit, yes, yes}}, unique_(1u << 14, 0), known_(1u << 14) {}

DecisionDiagrams::Ref DecisionDiagrams::make(std::uint32_t bit, Ref low, Ref high) {
  if (low == high) return low;
  if (exhausted_) return no;
  std::size_t at = mix(bit, low, high) & (unique_.size() - 1);
  for (; unique_[at] != 0; at = (at + 1) & (unique_.size() - 1)) {
    const Node& n = nodes_[unique_[at]];
    if (n.bit == bit && n.low == low && n.high == high) return unique_[at];
  }
  if (nodes_.size() >= limit_) {
    exhausted_ = true;
    return no;
  }
  const Ref made = static_cast<Ref>(nodes_.size());
  nodes_.push_back({bit, low, high});
  unique_[at] = made;
  if (nodes_.size() * 2 > unique_.size()) grow();
  return made;
}

void DecisionDiagrams::grow() {
  std::vector<Ref> larger(unique_.size() * 4, 0);
  for (Ref r = 2; r < nodes_.size(); ++r) {
    std::size_t at = mix(nodes_[r].bit, nodes_[r].low, nodes_[r].high) & (larger.size() - 1);
    while (larger[at] != 0) at = (at + 1) & (larger.size() - 1);
    larger[at] = r;
  }
  unique_ = std::move(larger);
  if (known_.size() < (1u << 20)) known_.assign(known_.size() * 4, {});
}

DecisionDiagrams::Ref DecisionDiagrams::apply(Op op, Ref a, Ref b) {
  if (exhausted_) return no;
  switch (op) {
    case Op::And:
      if (a == no || b == no) return no;
      if (a == yes || a == b) return b;
      if (b == yes) return a;
      break;
    case Op::Or:
      if (a == yes || b == yes) return yes;
      if (a == no || a == b) return b;
      if (b == no) return a;
      break;
    case Op::Minus:
      if (a == no || b == yes || a == b) return no;
      if (b == no) return a;
      break;
  }
  if (op != Op::Minus && a > b) std::swap(a, b);
  const std::size_t hash = mix(a, b, static_cast<std::uint32_t>(op));
  if (const Known& k = known_[hash & (known_.size() - 1)];
      k.op == static_cast<std::uint32_t>(op) && k.a == a && k.b == b)
    return k.result;
  const Node x = nodes_[a], y = nodes_[b];  // copies: `make` moves the nodes
  const std::uint32_t bit = std::min(x.bit, y.bit);
  const Ref low = apply(op, x.bit == bit ? x.low : a, y.bit == bit ? y.low : b);
  const Ref high = apply(op, x.bit == bit ? x.high : a, y.bit == bit ? y.high : b);
  const Ref result = make(bit, low, high);
  if (!exhausted_) known_[hash & (known_.size() - 1)] = {static_cast<std::uint32_t>(op), a, b, result};
  return result;
}

DecisionDiagrams::Ref DecisionDiagrams::choose(Ref condition, Ref then, Ref otherwise) {
  if (then == otherwise) return then;
  return either(both(condition, then), minus(otherwise, condition));
}

DecisionDiagrams::Ref DecisionDiagrams::any(std::vector<Ref> many) {
  if (many.empty()) return no;
  while (many.size() > 1) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < many.size(); i += 2)
      many[out++] = i + 1 < many.size() ? either(many[i], many[i + 1]) : many[i];
    many.resize(out);
  }
  return many[0];
}

DecisionDiagrams::Ref DecisionDiagrams::fix(Ref a, std::uint32_t number, bool value) {
  std::unordered_map<Ref, Ref> done;
  const auto walk = [&](const auto& self, Ref r) -> Ref {
    if (leaf(r) || nodes_[r].bit > number) return r;
    const Node n = nodes_[r];
    if (n.bit == number) return value ? n.high : n.low;
    if (const auto it = done.find(r); it != done.end()) return it->second;
    const Ref low = self(self, n.low), high = self(self, n.high);
    return done[r] = make(n.bit, low, high);
  };
  return walk(walk, a);
}

}  // namespace agp::model
