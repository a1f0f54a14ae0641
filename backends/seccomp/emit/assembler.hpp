#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {

struct Instruction {
  std::uint16_t code = 0;
  std::uint8_t yes = 0, no = 0;  ///< jt, jf
  std::uint32_t k = 0;
  std::uint32_t note = 0;  ///< index into a table of the caller's: where the instruction comes from
};

/// Assembles a program from its end to its start: classic BPF only jumps forward, so every target is known when a jump
/// is written. A conditional jump reaches 255 instructions; where a target is farther, a copy of a return or one `ja`
/// is put right behind the jump and then serves every later jump to that target.
class Assembler {
 public:
  using Label = std::uint32_t;  ///< an instruction, counted from the end

  /// The instruction before what was written last; falls through to it.
  Label plain(std::uint16_t code, std::uint32_t k, std::uint32_t note) { return push({code, 0, 0, k, note}); }
  /// A return of `word`; the same one for every caller until it is out of reach.
  Label result(std::uint32_t word, std::uint32_t note);
  Label branch(std::uint16_t code, std::uint32_t k, Label yes, Label no, std::uint32_t note);

  /// A branch becomes one that asks for bits; `turned`: its two targets change places.
  void ask_bits(Label at, std::uint32_t mask, bool turned, std::uint32_t note);

  std::size_t size() const { return reversed_.size(); }
  std::size_t jumps() const { return jumps_; }  ///< `ja` instructions
  /// First instruction first.
  std::vector<Instruction> program() const { return {reversed_.rbegin(), reversed_.rend()}; }

 private:
  Label push(Instruction i) {
    jumps_ += i.code == format::ja;
    reversed_.push_back(i);
    return static_cast<Label>(reversed_.size() - 1);
  }
  Label nearest(Label target) const;
  bool reachable(Label target) const { return reversed_.size() - target - 1 <= 255; }

  std::vector<Instruction> reversed_;
  std::size_t jumps_ = 0;
  std::map<std::uint32_t, Label> results_;
  std::map<Label, Label> copies_;  ///< target -> the latest instruction that does the same
};

}  // namespace agp::backends::seccomp
