#include "compiler/solver/terms.hpp"

namespace agp::solver {
namespace {

std::uint64_t low_bits(unsigned width) { return width >= 64 ? ~0ull : (1ull << width) - 1; }

}  // namespace

std::size_t Terms::Hash::operator()(const Node& n) const {
  std::uint64_t h = static_cast<std::uint64_t>(n.op) << 8 | n.width;
  for (const std::uint64_t v : {std::uint64_t{n.a}, std::uint64_t{n.b}, std::uint64_t{n.c}, n.value})
    h = (h ^ v) * 0x9e3779b97f4a7c15ull + (h >> 29);
  return h;
}

Terms::Terms() {
  make({Op::Const, 0, 0, 0, 0, 0});  // id 0: false
  make({Op::Const, 0, 0, 0, 0, 1});  // id 1: true
}

Term Terms::make(Node n) {
  const auto [it, fresh] = known_.try_emplace(n, static_cast<std::uint32_t>(nodes_.size()));
  if (fresh) nodes_.push_back(n);
  return {it->second};
}

bool Terms::constant_value(Term t, std::uint64_t& value) const {
  value = nodes_[t.id].value;
  return nodes_[t.id].op == Op::Const;
}

Term Terms::constant(unsigned width, std::uint64_t value) {
  return make({Op::Const, static_cast<std::uint8_t>(width), 0, 0, 0, value & low_bits(width)});
}

Term Terms::variable(std::string_view name, unsigned width) {
  const auto [it, fresh] = variables_.try_emplace(std::string(name), 0);
  if (fresh) {
    names_.emplace_back(name);
    it->second = make({Op::Var, static_cast<std::uint8_t>(width), 0, 0, 0, names_.size() - 1}).id;
  }
  return {it->second};
}

Term Terms::negate(Term a) {
  if (a.id < 2) return boolean(a.id == 0);
  if (nodes_[a.id].op == Op::Not) return {nodes_[a.id].a};
  return make({Op::Not, 0, a.id, 0, 0, 0});
}

Term Terms::both(Term a, Term b) {
  if (is_false(a) || is_true(b) || a == b) return a;
  if (is_false(b) || is_true(a)) return b;
  if (negate(a) == b) return boolean(false);
  if (b.id < a.id) std::swap(a, b);
  return make({Op::And, 0, a.id, b.id, 0, 0});
}

Term Terms::either(Term a, Term b) {
  if (is_true(a) || is_false(b) || a == b) return a;
  if (is_true(b) || is_false(a)) return b;
  if (negate(a) == b) return boolean(true);
  if (b.id < a.id) std::swap(a, b);
  return make({Op::Or, 0, a.id, b.id, 0, 0});
}

Term Terms::all(std::span<const Term> terms) {
  Term out = boolean(true);
  for (const Term t : terms) out = both(out, t);
  return out;
}

Term Terms::any(std::span<const Term> terms) {
  Term out = boolean(false);
  for (const Term t : terms) out = either(out, t);
  return out;
}

Term Terms::choose(Term condition, Term yes, Term no) {
  if (is_true(condition) || yes == no) return yes;
  if (is_false(condition)) return no;
  if (is_true(yes)) return either(condition, no);
  if (is_false(yes)) return both(negate(condition), no);
  if (is_true(no)) return either(negate(condition), yes);
  if (is_false(no)) return both(condition, yes);
  return make({Op::Ite, nodes_[yes.id].width, condition.id, yes.id, no.id, 0});
}

Term Terms::equal(Term a, Term b) {
  if (a == b) return boolean(true);
  std::uint64_t x = 0, y = 0;
  if (constant_value(a, x) && constant_value(b, y)) return boolean(x == y);
  if (b.id < a.id) std::swap(a, b);
  return make({Op::Eq, 0, a.id, b.id, 0, 0});
}

Term Terms::less(Term a, Term b) {
  std::uint64_t x = 0, y = 0;
  const bool ca = constant_value(a, x), cb = constant_value(b, y);
  if (ca && cb) return boolean(x < y);
  if (a == b || (cb && y == 0)) return boolean(false);
  return make({Op::Ult, 0, a.id, b.id, 0, 0});
}

Term Terms::less_equal(Term a, Term b) {
  std::uint64_t x = 0, y = 0;
  const bool ca = constant_value(a, x), cb = constant_value(b, y);
  if (ca && cb) return boolean(x <= y);
  if (a == b || (ca && x == 0)) return boolean(true);
  return make({Op::Ule, 0, a.id, b.id, 0, 0});
}

Term Terms::binary(Op op, Term a, Term b) {
  const unsigned width = nodes_[a.id].width;
  std::uint64_t x = 0, y = 0;
  const bool ca = constant_value(a, x), cb = constant_value(b, y);
  if (ca && cb) {
    switch (op) {
      case Op::BvAnd:
        return constant(width, x & y);
      case Op::BvOr:
        return constant(width, x | y);
      case Op::BvXor:
        return constant(width, x ^ y);
      case Op::Add:
        return constant(width, x + y);
      case Op::Sub:
        return constant(width, x - y);
      case Op::Mul:
        return constant(width, x * y);
      case Op::Udiv:
        return constant(width, y == 0 ? ~0ull : x / y);
      case Op::Urem:
        return constant(width, y == 0 ? x : x % y);
      case Op::Shl:
        return constant(width, y >= width ? 0 : x << y);
      case Op::Lshr:
        return constant(width, y >= width ? 0 : x >> y);
      default:
        break;
    }
  }
  if (op == Op::BvAnd) {
    if (cb && y == low_bits(width)) return a;
    if (ca && x == low_bits(width)) return b;
    if ((ca && x == 0) || (cb && y == 0)) return constant(width, 0);
  }
  return make({op, static_cast<std::uint8_t>(width), a.id, b.id, 0, 0});
}

Term Terms::minus(Term a) {
  std::uint64_t x = 0;
  const std::uint8_t width = nodes_[a.id].width;
  if (constant_value(a, x)) return constant(width, 0 - x);
  return make({Op::Neg, width, a.id, 0, 0, 0});
}

Term Terms::extract(Term a, unsigned lowest, unsigned width) {
  std::uint64_t x = 0;
  if (constant_value(a, x)) return constant(width, x >> lowest);
  if (lowest == 0 && width == nodes_[a.id].width) return a;
  return make({Op::Extract, static_cast<std::uint8_t>(width), a.id, 0, 0, lowest});
}

Term Terms::concat(Term high, Term low) {
  std::uint64_t x = 0, y = 0;
  const unsigned width = nodes_[low.id].width;
  const unsigned total = nodes_[high.id].width + width;
  if (constant_value(high, x) && constant_value(low, y)) return constant(total, x << width | y);
  return make({Op::Concat, static_cast<std::uint8_t>(total), high.id, low.id, 0, 0});
}

}  // namespace agp::solver
