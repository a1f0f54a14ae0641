#include "backends/seccomp/emit/emit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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

/// Values that a rule compares with: about as much as it adds to a filter.
std::size_t compared(const model::Rule& rule) {
  const auto* body = std::get_if<model::SyscallBody>(&rule.body);
  std::size_t out = 0;
  if (body == nullptr || rule.expired) return out;
  for (const auto* patterns : {&body->patterns, &body->except})
    for (const auto& p : *patterns)
      for (const model::ArgTest& t : p.pattern.tests) out += std::max<std::size_t>(t.values.size(), 1);
  return out;
}

/// Whether one call is mentioned by both.
bool same_call(const model::Policy& policy, std::size_t a, std::size_t b) {
  const auto& patterns = std::get<model::SyscallBody>(policy.rules[a].body).patterns;
  const auto& others = std::get<model::SyscallBody>(policy.rules[b].body).patterns;
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) {
    return std::any_of(others.begin(), others.end(), [&](const auto& o) { return o.pattern.name == p.pattern.name; });
  });
}

/// More instructions than the kernel takes: name the rules that take most of them. What one takes is what the filter
/// is shorter without it: the rules about one call share its instructions.
void too_long(const Program& program, const model::Policy& policy, const model::Target& target,
              std::vector<Problem>& problems) {
  constexpr std::size_t tried = 3;  // each is a filter anew
  const std::size_t all = program.instructions.size();
  std::vector<std::pair<std::size_t, std::size_t>> rules;  // what they compare with, then what they take; the rule
  for (std::size_t i = 0; i < policy.rules.size(); ++i)
    if (const std::size_t n = compared(policy.rules[i]); n > 0) rules.emplace_back(n, i);
  const auto larger = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  std::sort(rules.begin(), rules.end(), larger);
  rules.resize(std::min(rules.size(), tried));
  model::Policy without = policy;
  for (auto& [n, rule] : rules) {
    without.rules[rule].expired = true;
    const std::size_t left =
        assemble(decide_calls(without, target, {}, WordChoice::Cheapest), target).instructions.size();
    without.rules[rule].expired = policy.rules[rule].expired;
    n = all - std::min(left, all);
  }
  std::sort(rules.begin(), rules.end(), larger);
  // A rule that takes next to nothing beside the first is not what is too much.
  std::erase_if(rules, [most = rules.empty() ? 0 : rules.front().first](const auto& r) { return r.first * 16 < most; });
  const std::string needs = fmt::format("the filter needs {} instructions, more than the {} that the kernel takes", all,
                                        format::max_instructions);
  const char* const help = "use fewer values, or ranges instead of single values";
  if (rules.empty()) problems.push_back({needs, std::nullopt, help});
  for (const auto& [n, rule] : rules) {
    std::string text = fmt::format("{}; without this rule it needs {}", needs, all - n);
    // Many rules, each of which takes little.
    const auto shared = std::count_if(program.instructions.begin(), program.instructions.end(), [&](const auto& i) {
      const auto& of = program.notes[i.note].rules;
      return std::any_of(of.begin(), of.end(), [&, r = rule](std::size_t o) { return same_call(policy, r, o); });
    });
    if (static_cast<std::size_t>(shared) > 2 * n)
      text += fmt::format("; {} of them decide the calls that it is about", shared);
    problems.push_back({std::move(text), rule, help});
  }
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
      too_long(program, policy, machine.target, out.problems);
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
