#pragma once
#include <string>

#include "backends/seccomp/emit/program.hpp"
#include "compiler/model/policy.hpp"

namespace agp::backends::seccomp {

/// One line for each instruction, in the notation of the kernel's bpf_asm, with what it is about and the rules behind
/// it.
std::string listing(const Program& program, const model::Policy& policy, const std::vector<std::string>& archs);

/// Rule -> the instructions of the artifact at `path` that stand for it, as `insn a-b`, one entry for each run of
/// instructions.
std::vector<MapEntry> source_map(const Program& program, const model::Policy& policy, const std::string& path);

}  // namespace agp::backends::seccomp
