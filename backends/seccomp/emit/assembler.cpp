#include "backends/seccomp/emit/assembler.hpp"

#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {

Assembler::Label Assembler::result(std::uint32_t word, std::uint32_t note) {
  const auto it = results_.find(word);
  if (it != results_.end()) return it->second;
  return results_[word] = push({format::ret_k, 0, 0, word, note});
}

Assembler::Label Assembler::nearest(Label target) const {
  const auto it = copies_.find(target);
  return it == copies_.end() ? target : it->second;
}

Assembler::Label Assembler::branch(std::uint16_t code, std::uint32_t k, Label yes, Label no, std::uint32_t note) {
  // Each round may put one instruction in between, which can move the other target out of reach.
  for (bool again = true; again;) {
    again = false;
    for (const Label target : {yes, no}) {
      const Label near = nearest(target);
      if (reachable(near)) continue;
      const Instruction& there = reversed_[target];
      const auto distance = static_cast<std::uint32_t>(reversed_.size() - near - 1);
      if (there.code == format::ret_k)
        copies_[target] = push(there);
      else
        copies_[target] = push({format::ja, 0, 0, distance, note});
      again = true;
    }
  }
  const auto offset = [&](Label target) { return static_cast<std::uint8_t>(reversed_.size() - nearest(target) - 1); };
  return push({code, offset(yes), offset(no), k, note});
}

void Assembler::ask_bits(Label at, std::uint32_t mask, bool turned, std::uint32_t note) {
  Instruction& i = reversed_[at];
  i.code = format::jset_k;
  i.k = mask;
  i.note = note;
  if (turned) std::swap(i.yes, i.no);
}

}  // namespace agp::backends::seccomp
