#pragma once
#include <string>
#include <vector>

#include "backends/seccomp/emit/assembler.hpp"
#include "backends/seccomp/emit/decisions.hpp"

namespace agp::backends::seccomp {

/// Where an instruction comes from.
struct Note {
  std::string text;                ///< for the listing
  std::vector<std::size_t> rules;  ///< indices into policy.rules
};

struct Program {
  std::vector<Instruction> instructions;
  std::vector<Note> notes;
  std::size_t jumps = 0;  ///< instructions that only go on elsewhere
};

/// The whole filter: architecture, number, then arguments, what is called often first (weights.hpp). Before the number
/// is decided it only loads, compares with constants and jumps, so that the kernel can cache the answers that do not
/// depend on arguments (kernel/seccomp.c, seccomp_is_const_allow). May be longer than the kernel takes: the caller
/// looks.
Program assemble(const Decisions& decisions, const model::Target& target);

}  // namespace agp::backends::seccomp
