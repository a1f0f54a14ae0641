#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/address.hpp"

/// Formulas as text of SMT-LIB 2 (QF_BV), folded where a part is constant. For certificates, which are read by people
/// and by other solvers: definitions keep the names of what they stand for.
namespace agp::smt {

using Formula = std::string;

/// `#x0000001f`, or `#b101` where the width is no multiple of four. `width` is at most 128.
Formula bits(model::Bits128 value, unsigned width);
Formula negate(const Formula& a);
Formula all(const std::vector<Formula>& parts);  ///< true for none
Formula any(const std::vector<Formula>& parts);  ///< false for none
Formula choose(const Formula& condition, const Formula& yes, const Formula& no);
Formula equal(const Formula& a, const Formula& b);
Formula between(const Formula& value, model::Bits128 first, model::Bits128 last, unsigned width);  ///< inclusive

/// One file of a certificate: declarations, definitions, one assertion. It has the form that check-certificate
/// demands: nothing but `declare-const`, `define-fun` without parameters, and at the end `assert` and `check-sat`.
class Script {
 public:
  void remark(std::string_view text);  ///< comment lines; whatever is not printable ASCII is shown as `?`
  void declare(std::string_view name, unsigned width);  ///< 0: a Boolean
  /// Defines `name`; returns what stands for it: the formula itself where it is a constant or a name.
  Formula define(std::string_view name, unsigned width, const Formula& formula);
  /// The same where the file must have the name whatever the formula is.
  void state(std::string_view name, const Formula& formula);
  /// Something that `permits` (or is demanded) and not `bounded`: the end of the file.
  std::string violation(std::string_view inside, std::string_view outside) &&;

 private:
  std::string text_;
};

}  // namespace agp::smt
