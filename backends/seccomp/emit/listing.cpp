#include "backends/seccomp/emit/listing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

std::string operation(const Instruction& i, std::size_t at) {
  const auto jump = [&](const char* name) {
    return fmt::format("{:<4} #{:#x}, {}, {}", name, i.k, at + 1 + i.yes, at + 1 + i.no);
  };
  switch (i.code) {
    case format::ld_abs:
      return fmt::format("ld   [{}]", i.k);
    case format::and_k:
      return fmt::format("and  #{:#x}", i.k);
    case format::ja:
      return fmt::format("ja   {}", at + 1 + i.k);
    case format::jeq_k:
      return jump("jeq");
    case format::jge_k:
      return jump("jge");
    case format::jset_k:
      return jump("jset");
    default:
      return fmt::format("ret  #{:#x}", i.k);
  }
}

}  // namespace

std::string listing(const Program& program, const model::Policy& policy, const std::vector<std::string>& archs) {
  std::string out = fmt::format("; {}: instruction, operation (true, false target), what it decides, rules behind it\n",
                                fmt::join(archs, ", "));
  for (std::size_t at = 0; at < program.instructions.size(); ++at) {
    const Instruction& i = program.instructions[at];
    const Note& note = program.notes[i.note];
    out += fmt::format("{:4}  {:<32}", at, operation(i, at));
    if (!note.text.empty()) out += fmt::format("  ; {}", note.text);
    if (!note.rules.empty()) {
      out += " <-";
      for (const std::size_t r : note.rules) out += ' ' + policy.rules[r].id;
    }
    while (out.back() == ' ') out.pop_back();
    out += '\n';
  }
  return out;
}

std::vector<MapEntry> source_map(const Program& program, const model::Policy& policy, const std::string& path) {
  std::map<std::size_t, std::vector<std::pair<std::size_t, std::size_t>>> runs;
  for (std::size_t at = 0; at < program.instructions.size(); ++at)
    for (const std::size_t rule : program.notes[program.instructions[at].note].rules) {
      auto& list = runs[rule];
      if (!list.empty() && list.back().second + 1 == at)
        list.back().second = at;
      else
        list.emplace_back(at, at);
    }
  std::vector<MapEntry> out;
  for (const auto& [rule, list] : runs)
    for (const auto& [first, last] : list)
      out.push_back({policy.rules[rule].id, path,
                     first == last ? fmt::format("insn {}", first) : fmt::format("insn {}-{}", first, last)});
  return out;
}

}  // namespace agp::backends::seccomp
