#include "backends/seccomp/emit/emit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "backends/seccomp/emit/listing.hpp"
#include "backends/seccomp/emit/profile.hpp"
#include "backends/seccomp/emit/program.hpp"
#include "backends/seccomp/format.hpp"
#include "compiler/linux/loader_needs.hpp"

// The pipeline of this backend: policy -> decisions -> program -> bytes and listing; policy and the loader's needs ->
// decisions -> profile.
namespace agp::backends::seccomp {
namespace {

std::string bytes_of(const std::vector<Instruction>& program) {
  std::string out;
  out.reserve(program.size() * format::instruction_bytes);
  for (const Instruction& i : program) {
    for (const unsigned shift : {0u, 8u}) out += static_cast<char>(i.code >> shift);
    out += static_cast<char>(i.yes);
    out += static_cast<char>(i.no);
    for (const unsigned shift : {0u, 8u, 16u, 24u}) out += static_cast<char>(i.k >> shift);
  }
  return out;
}

/// More instructions than the kernel takes: name the rules that take most of them.
void too_long(const Program& program, std::vector<Problem>& problems) {
  std::map<std::size_t, std::size_t> cost;
  for (const Instruction& i : program.instructions)
    for (const std::size_t rule : program.notes[i.note].rules) ++cost[rule];
  std::vector<std::pair<std::size_t, std::size_t>> worst;  // instructions, rule
  for (const auto& [rule, n] : cost) worst.emplace_back(n, rule);
  std::sort(worst.begin(), worst.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  worst.resize(std::min<std::size_t>(worst.size(), 3));
  // A rule that takes next to nothing beside the first is not what is too much.
  std::erase_if(worst, [most = worst.empty() ? 0 : worst.front().first](const auto& w) { return w.first * 16 < most; });
  if (worst.empty()) worst.emplace_back(program.instructions.size(), ~std::size_t{0});
  for (const auto& [n, rule] : worst)
    problems.push_back(
        {fmt::format(
             "the filter needs {} instructions, more than the {} that the kernel takes; {} of them are for this rule",
             program.instructions.size(), format::max_instructions, n),
         rule == ~std::size_t{0} ? std::nullopt : std::optional(rule),
         "use fewer values, or ranges instead of single values"});
}

/// One kernel and the architectures whose calls it takes: a filter of its own.
struct Machine {
  std::string name;
  model::Target target;  ///< with the machine's architectures only
};

/// i386 and x32 are further tables of an x86_64 machine; the machine's own comes first.
std::vector<Machine> machines(const model::Target& target) {
  std::vector<Machine> out;
  for (const std::string& name : target.archs) {
    const std::string machine = name == "i386" || name == "x32" ? "x86_64" : name;
    auto at = std::find_if(out.begin(), out.end(), [&](const Machine& m) { return m.name == machine; });
    if (at == out.end()) {
      out.push_back({machine, target});
      at = out.end() - 1;
      at->target.archs.clear();
    }
    at->target.archs.insert(name == machine ? at->target.archs.begin() : at->target.archs.end(), name);
  }
  return out;
}

/// What runc calls after it has switched the profile's filter on, and the launcher where it comes next. A stack without
/// a container has no runc: its profile is the policy.
linux::ProfileNeeds needs_of(const model::Target& target) {
  if (!model::starts_container(target.stack)) return {};
  return linux::profile_needs(
      target.stack, {static_cast<std::uint8_t>(target.runc.major), static_cast<std::uint8_t>(target.runc.minor)});
}

}  // namespace

Emitted emit_filter(const model::Policy& policy, const model::Target& target) {
  Emitted out;
  for (const std::string& name : target.archs) {
    const auto arch = linux::find_arch(name);
    if (arch && !linux::syscalls(*arch).empty()) continue;
    out.problems.push_back({fmt::format("there is no table of system calls for `{}`", name), std::nullopt, ""});
    return out;
  }
  for (const Machine& machine : machines(target)) {
    const Decisions raw = decide_calls(policy, machine.target, {}, WordChoice::Cheapest);
    out.problems = raw.problems;
    if (!out.problems.empty()) return out;
    const Program program = assemble(raw, machine.target);
    if (program.instructions.size() > format::max_instructions) {
      too_long(program, out.problems);
      return out;
    }
    const std::string path = fmt::format("seccomp/filter.{}.bpf", machine.name);
    out.artifacts.push_back({path, bytes_of(program.instructions)});
    out.artifacts.push_back(
        {fmt::format("seccomp/filter.{}.txt", machine.name), listing(program, policy, machine.target.archs)});
    auto map = source_map(program, policy, path);
    out.map.insert(out.map.end(), std::make_move_iterator(map.begin()), std::make_move_iterator(map.end()));
  }
  return out;
}

Emitted emit(const model::Policy& policy, const model::Target& target) {
  Emitted out = emit_filter(policy, target);
  if (!out.problems.empty()) return out;
  Decisions profile = decide_calls(policy, target, needs_of(target).needs, WordChoice::Natural);
  out.problems = profile.problems;
  if (out.problems.empty()) emit_profile(profile, policy, target, out);
  if (!out.problems.empty()) out.artifacts.clear();
  return out;
}

std::vector<DerivedGrant> loader_grants(const model::Policy& policy, const model::Target& target) {
  std::vector<DerivedGrant> out;
  const auto [needs, of_runc, measured] = needs_of(target);
  const Decisions decisions = decide_calls(policy, target, needs, WordChoice::Natural);
  for (const CallDecision& c : decisions.archs.front().calls) {
    if (!c.derived) continue;
    const auto need =
        std::find_if(needs.begin(), needs.end(), [&](const linux::LoaderNeed& n) { return n.call == c.call->name; });
    const std::string some =
        need->argument < 0
            ? ""
            : fmt::format("({} & {:#x} == 0)", linux::argument_name(*c.call, need->argument), need->mask);
    const bool runc = static_cast<std::size_t>(need - needs.begin()) < of_runc;
    out.push_back({fmt::format("syscall {}{}", c.call->name, some),
                   runc ? fmt::format("runc {}.{}", target.runc.major, target.runc.minor) : "landlock-launch",
                   fmt::format("{}{}", need->reason,
                               runc && !measured ? " (this version was not measured: what any other needs)" : "")});
  }
  return out;
}

}  // namespace agp::backends::seccomp
