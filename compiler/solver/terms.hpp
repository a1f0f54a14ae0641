#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agp::solver {

/// A term of a `Terms` table: a Boolean (width 0) or a bit-vector of 1 to 64 bits. Only meaningful with its table.
struct Term {
  std::uint32_t id = 0;
  friend bool operator==(Term, Term) = default;
};

/// The operators, with the meaning of SMT-LIB 2's QF_BV (division by zero is all ones, a shift past the width is 0).
enum class Op : std::uint8_t {
  Const,
  Var,  // `value` / `name`; width 0 is a Boolean
  Not,
  And,
  Or,
  Ite,
  Eq,  // Ite: a ? b : c; Eq over any sort
  Ult,
  Ule,  // unsigned comparison of bit-vectors
  BvAnd,
  BvOr,
  BvXor,
  Add,
  Sub,
  Mul,
  Udiv,
  Urem,
  Shl,
  Lshr,
  Neg,
  Extract,  // bits `value` .. `value` + width - 1 of a
  Concat    // a is the high part
};

/// Terms as a hash-consed graph, folded where an operand is constant: a small formula stays small, and the same formula
/// is built once. Knows no solver; a solver reads it.
class Terms {
 public:
  struct Node {
    Op op;
    std::uint8_t width;     ///< of the result; 0 for a Boolean
    std::uint32_t a, b, c;  ///< operands (ids, each smaller than this one's) as far as the operator has them
    std::uint64_t value;    ///< Const: the value. Var: index into names. Extract: lowest bit
    friend bool operator==(const Node&, const Node&) = default;
  };

  Terms();
  Term boolean(bool value) const { return Term{value ? 1u : 0u}; }
  Term constant(unsigned width, std::uint64_t value);    ///< `value` is reduced to the width
  Term variable(std::string_view name, unsigned width);  ///< the same name is the same variable; width 0: a Boolean
  Term negate(Term a);                                   ///< Boolean not
  Term both(Term a, Term b);
  Term either(Term a, Term b);
  Term all(std::span<const Term> terms);           ///< true for none
  Term any(std::span<const Term> terms);           ///< false for none
  Term choose(Term condition, Term yes, Term no);  ///< both branches of one sort
  Term equal(Term a, Term b);
  Term less(Term a, Term b);  ///< unsigned a < b
  Term less_equal(Term a, Term b);
  Term binary(Op op, Term a, Term b);  ///< BvAnd … Lshr; equal widths
  Term minus(Term a);
  Term extract(Term a, unsigned lowest, unsigned width);
  Term concat(Term high, Term low);

  bool is_true(Term t) const { return t.id == 1; }
  bool is_false(Term t) const { return t.id == 0; }
  const Node& node(Term t) const { return nodes_[t.id]; }
  const std::string& name(const Node& variable) const { return names_[variable.value]; }
  std::size_t size() const { return nodes_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const Node& n) const;
  };
  Term make(Node node);
  bool constant_value(Term t, std::uint64_t& value) const;

  std::vector<Node> nodes_;
  std::vector<std::string> names_;
  std::unordered_map<Node, std::uint32_t, Hash> known_;
  std::unordered_map<std::string, std::uint32_t> variables_;
};

}  // namespace agp::solver
