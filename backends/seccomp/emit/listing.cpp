#include "backends/seccomp/emit/listing.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backends/seccomp/format.hpp"

namespace agp::backends::seccomp {
namespace {

using Line = fmt::memory_buffer;

void add_operation(const Instruction& i, std::size_t at, Line& out) {
  const auto to = fmt::appender(out);
  const auto jump = [&](const char* name) {
    fmt::format_to(to, FMT_COMPILE("{:<4} #{:#x}, {}, {}"), name, i.k, at + 1 + i.yes, at + 1 + i.no);
  };
  switch (i.code) {
    case format::ld_abs:
      fmt::format_to(to, FMT_COMPILE("ld   [{}]"), i.k);
      return;
    case format::and_k:
      fmt::format_to(to, FMT_COMPILE("and  #{:#x}"), i.k);
      return;
    case format::ja:
      fmt::format_to(to, FMT_COMPILE("ja   {}"), at + 1 + i.k);
      return;
    case format::jeq_k:
      return jump("jeq");
    case format::jge_k:
      return jump("jge");
    case format::jset_k:
      return jump("jset");
    default:
      fmt::format_to(to, FMT_COMPILE("ret  #{:#x}"), i.k);
  }
}

}  // namespace

std::string listing(const Program& program, const model::Policy& policy, const std::vector<std::string>& archs) {
  std::string out = fmt::format("; {}: instruction, operation (true, false target), what it decides, rules behind it\n",
                                fmt::join(archs, ", "));
  constexpr std::size_t notes = 38;  // their column
  for (std::size_t at = 0; at < program.instructions.size(); ++at) {
    const Instruction& i = program.instructions[at];
    const Note& note = program.notes[i.note];
    Line line;
    fmt::format_to(fmt::appender(line), FMT_COMPILE("{:4}  "), at);
    add_operation(i, at, line);
    const bool noted = !note.text.empty() || !note.rules.empty();
    out.append(line.data(), line.size());
    if (noted && line.size() < notes) out.append(notes - line.size(), ' ');
    if (!note.text.empty()) out.append("  ; ").append(note.text);
    if (!note.rules.empty()) out += " <-";
    for (const std::size_t r : note.rules) out.append(1, ' ').append(policy.rules[r].id);
    out += '\n';
  }
  return out;
}

std::vector<MapEntry> source_map(const Program& program, const model::Policy& policy, const std::string& path) {
  struct Run {
    std::size_t rule, first, last;
  };
  std::vector<Run> runs;
  std::vector<std::size_t> latest(policy.rules.size(), 0);  // by rule: one more than its last run
  for (std::size_t at = 0; at < program.instructions.size(); ++at)
    for (const std::size_t rule : program.notes[program.instructions[at].note].rules) {
      if (latest[rule] != 0 && runs[latest[rule] - 1].last + 1 == at) {
        runs[latest[rule] - 1].last = at;
        continue;
      }
      runs.push_back({rule, at, at});
      latest[rule] = runs.size();
    }
  // By rule, those of each in their order.
  std::vector<std::size_t> place(policy.rules.size() + 1, 0);
  for (const Run& r : runs) ++place[r.rule + 1];
  for (std::size_t i = 1; i < place.size(); ++i) place[i] += place[i - 1];
  std::vector<const Run*> sorted(runs.size());
  for (const Run& r : runs) sorted[place[r.rule]++] = &r;
  std::vector<MapEntry> out;
  out.reserve(runs.size());
  for (const Run* r : sorted) {
    const auto& [rule, first, last] = *r;
    out.push_back({policy.rules[rule].id, path,
                   first == last ? fmt::format(FMT_COMPILE("insn {}"), first)
                                 : fmt::format(FMT_COMPILE("insn {}-{}"), first, last)});
  }
  return out;
}

}  // namespace agp::backends::seccomp
