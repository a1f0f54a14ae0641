#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace agp::model {

/// What a system-call layer answers, as read back from an artifact: a decision graph over the 64 bytes of
/// `struct seccomp_data` (include/uapi/linux/seccomp.h). Neutral: it is neither a program nor a policy, and whoever
/// compares it needs no knowledge of the artifact's format. Acyclic: a node refers to nodes with smaller indices only.
struct FilterGraph {
  /// 32-bit expressions. `Load` reads the word at byte offset `value` of seccomp_data: 0 nr, 4 arch, 8/12 instruction
  /// pointer low/high, 16+8i argument i low, 20+8i high (little-endian hosts).
  struct Expr {
    enum class Op : std::uint8_t { Const, Load, Add, Sub, Mul, Div, Mod, And, Or, Xor, Lsh, Rsh, Neg };
    Op op = Op::Const;
    std::uint32_t a = 0, b = 0;  ///< operands, indices into `exprs`; smaller than this one's own index
    std::uint32_t value = 0;     ///< Const, Load
    friend bool operator==(const Expr&, const Expr&) = default;
  };
  /// Test: `lhs CMP rhs` (unsigned; Set: lhs & rhs != 0) ? yes : no. Leaf: returns the SECCOMP_RET_* word `lhs`.
  struct Node {
    enum class Kind : std::uint8_t { Eq, Gt, Ge, Set, Leaf };
    Kind kind = Kind::Leaf;
    std::uint32_t lhs = 0, rhs = 0;
    std::uint32_t yes = 0, no = 0;
    std::uint32_t place = 0;  ///< where in the artifact: instruction index, entry of a profile; or `default_place`
    friend bool operator==(const Node&, const Node&) = default;
  };
  /// No place of its own: what the artifact's default, or its loader, answers.
  static constexpr std::uint32_t default_place = 0xffffffff;

  std::vector<Expr> exprs;
  std::vector<Node> nodes;
  std::uint32_t root = 0;
  std::string place_name = "instruction";  ///< what `place` counts
};

/// Concrete evaluation: the SECCOMP_RET_* word for this input. `words` are the 16 words of seccomp_data.
/// A division by zero answers 0 (SECCOMP_RET_KILL_THREAD), as the kernel's interpreter returns 0.
std::uint32_t evaluate(const FilterGraph& graph, const std::uint32_t (&words)[16]);
/// The same, with the node that decided: the leaf, or the one whose division ended the program.
struct Evaluated {
  std::uint32_t word = 0;
  std::uint32_t node = 0;
};
Evaluated evaluate_at(const FilterGraph& graph, const std::uint32_t (&words)[16]);

}  // namespace agp::model
